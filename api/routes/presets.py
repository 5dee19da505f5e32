"""Named sets of options."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from nst_core.presets import PRESETS

router = APIRouter(tags=["jobs"])


class PresetEntry(BaseModel):
    """A set of options that `POST /jobs` takes as `preset`."""

    name: str
    description: str = Field(description="What it is for.")
    options: dict[str, Any] = Field(description="Fields of `POST /jobs` by name, with the values that they get.")


class PresetList(BaseModel):
    """All presets."""

    items: list[PresetEntry]


@router.get("/presets", summary="List the presets")
def list_presets() -> PresetList:
    """Named sets of options for `method=gatys`; every option that a preset does not name keeps its default."""
    return PresetList(items=[PresetEntry(**vars(preset)) for preset in PRESETS.values()])
