"""The gallery: trained fast styles, what is known about them, and how they get onto a device."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nst_core.encoders import read_safetensors
from nst_core.errors import CorruptWeights, UnknownStyle
from nst_core.transformer import TransformerNetwork

#: The manifest's name in a gallery's folder, beside ``trunk.safetensors``, ``ID.safetensors`` and ``ID.jpg``.
MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Style:
    """A style of the gallery, as its manifest tells of it.

    Attributes:
        id: lower-case letters, digits, ``_`` and ``-``.
        title, artist, year, licence: of the painting it was trained on.
        keeps_color: whether it keeps the photograph's colours.
        training: settings of its training by name.
        losses: measured after the training, by name.
    """

    id: str
    title: str
    artist: str = ""
    year: str = ""
    licence: str = ""
    keeps_color: bool = False
    training: Mapping[str, Any]
    losses: Mapping[str, float]


class Gallery:
    """The styles in a folder; by default those that come with the program.

    Raises:
        CorruptWeights: the manifest cannot be read.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or Path(str(resources.files("nst_core") / "styles"))
        try:
            entries = json.loads((self.folder / MANIFEST).read_text())["styles"]
            self.styles = {entry["id"]: Style(**entry) for entry in entries}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CorruptWeights(f"the gallery's {MANIFEST} cannot be read: {error}") from None

    def __getitem__(self, style_id: str) -> Style:
        """Raises UnknownStyle when there is none of this id."""
        if style_id not in self.styles:
            raise UnknownStyle(f"there is no style {style_id!r}; there are {', '.join(self.styles)}")
        return self.styles[style_id]

    def thumbnail(self, style_id: str) -> bytes:
        """A small JPEG: our own sample photograph in this style.

        Raises:
            UnknownStyle: there is none of this id.
        """
        return (self.folder / f"{self[style_id].id}.jpg").read_bytes()

    def trunk(self, device: torch.device) -> TransformerNetwork:
        """The network that all styles share.

        Raises:
            CorruptWeights: its file is damaged.
        """
        network = TransformerNetwork.from_file(self.folder / "trunk.safetensors").eval().requires_grad_(False)
        return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def vector(self, style_id: str, device: torch.device) -> Tensor:
        """The style vector (2, C), float32.

        Raises:
            UnknownStyle: there is none of this id.
            CorruptWeights: its file is damaged.
        """
        name = f"{self[style_id].id}.safetensors"
        state = read_safetensors(self.folder / name)
        if "style" not in state or state["style"].ndim != 2:
            raise CorruptWeights(f"{name} does not hold a style")
        return state["style"].float().to(device)
