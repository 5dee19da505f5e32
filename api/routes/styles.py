"""The gallery: the styles of the fast engine."""

from dataclasses import asdict
from typing import Any, Self

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from api.deps import AnswerRoomDep, BackendDep, CallerDep
from api.entity import JPEG_RESPONSES, jpeg_response
from api.errors import Problem, problems
from nst_core.errors import CorruptWeights
from nst_core.gallery import Style

router = APIRouter(tags=["styles"])


class StyleUrls(BaseModel):
    """Where the parts of a style are, relative to the root of the API: without a leading slash."""

    self: str
    thumbnail: str


class GalleryStyle(BaseModel):
    """A style that `POST /jobs` takes as `style_id`."""

    id: str
    title: str
    artist: str = Field(description="Of the painting; empty when unknown.")
    year: str
    licence: str = Field(description="Of the painting.")
    keeps_color: bool = Field(description="Whether it keeps the photograph's colours.")
    style_sizes: list[int] = Field(description="Sizes of strokes it has learned, ascending; jobs name one between.")
    training: dict[str, Any] = Field(description="How it was trained: settings by name.")
    losses: dict[str, float] = Field(description="Measured after the training, by name.")
    weights_sha256: str = Field(description="Of the style's weights; empty when they were not recorded.")
    removable: bool = Field(
        description="Whether `DELETE` takes it away: a user added it, with the same key if there are keys."
    )
    urls: StyleUrls

    @classmethod
    def of(cls, style: Style, *, removable: bool) -> Self:
        """A style of the gallery as clients see it."""
        base = f"styles/{style.id}"
        urls = StyleUrls(self=base, thumbnail=f"{base}/thumbnail")
        return cls(**asdict(style), style_sizes=list(style.style_sizes), removable=removable, urls=urls)


class GalleryStyles(BaseModel):
    """All styles, in the gallery's own order."""

    items: list[GalleryStyle]


@router.get("/styles", responses=problems(503), summary="List the styles of the gallery")
def list_styles(backend: BackendDep, caller: CallerDep) -> GalleryStyles:
    """The styles that were trained; a job in one of them takes a single forward pass."""
    gallery = backend.gallery
    styles = gallery.all()
    removable = gallery.removable((style.id for style in styles), caller.sees)
    return GalleryStyles(items=[GalleryStyle.of(style, removable=style.id in removable) for style in styles])


@router.get("/styles/{style_id}", responses=problems(404, 503), summary="Read a style")
def get_style(style_id: str, backend: BackendDep, caller: CallerDep) -> GalleryStyle:
    """What is known about a style."""
    return GalleryStyle.of(
        backend.gallery[style_id], removable=bool(backend.gallery.removable([style_id], caller.sees))
    )


@router.get(
    "/styles/{style_id}/thumbnail",
    response_class=Response,
    responses=problems(404, 503) | JPEG_RESPONSES,
    summary="Fetch a sample of a style",
)
def get_thumbnail(style_id: str, backend: BackendDep, request: Request, take: AnswerRoomDep) -> Response:
    """A sample photograph in this style, small."""
    try:
        thumbnail = backend.gallery.thumbnail(style_id)
    except CorruptWeights as error:  # it is not needed to paint, so that a gallery may lack it
        raise Problem(404, "thumbnail_not_found", str(error)) from None
    take(len(thumbnail))
    return jpeg_response(request, thumbnail)


@router.delete(
    "/styles/{style_id}", status_code=204, responses=problems(403, 404, 503), summary="Take a style out of the gallery"
)
def delete_style(style_id: str, backend: BackendDep, caller: CallerDep) -> None:
    """Forget a style that a user added; those that came with the server stay.  Jobs that wait for it will fail.

    Where there are keys, only the key that sent it may.
    """
    backend.gallery.delete(style_id, caller.sees)
