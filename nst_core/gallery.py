"""The gallery: trained fast styles and what is known about them.  Free of torch; ``fast_models`` reads the weights."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from nst_core.errors import CorruptWeights, UnknownStyle
from nst_core.options import DEFAULT_STYLE_SIZE

#: The files of a gallery's folder, beside ``ID.safetensors`` and ``ID.jpg``.
MANIFEST = "manifest.json"
TRUNK = "trunk.safetensors"

#: The photograph that the thumbnails show in each style.
SAMPLE = "sample.jpeg"

#: What ids of styles look like: they are names of files and parts of addresses.
STYLE_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class Style:
    """A style of the gallery, as its manifest tells of it.

    Attributes:
        id: see STYLE_ID.
        title, artist, year, licence: of the painting it was trained on.
        keeps_color: whether it keeps the photograph's colours.
        training: settings of its training by name.
        losses: measured after the training, by name.
        weights_sha256: of the file of its weights.
    """

    id: str
    title: str
    artist: str = ""
    year: str = ""
    licence: str = ""
    keeps_color: bool = False
    training: Mapping[str, Any]
    losses: Mapping[str, float]
    weights_sha256: str = ""

    @property
    def style_sizes(self) -> tuple[int, ...]:
        """Long sides in pixels of the painting that it learned from, ascending: the smallest and largest strokes."""
        sizes = self.training.get("style_size", DEFAULT_STYLE_SIZE)
        return (sizes,) if isinstance(sizes, int) else tuple(sizes)

    @property
    def grain(self) -> float:
        """Deviation of the noise that it expects on a photograph: see :mod:`nst_core.grain`."""
        return float(self.training.get("grain", 0.0))


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

    def all(self) -> list[Style]:
        """Every style, in the gallery's own order."""
        return list(self.styles.values())

    def __getitem__(self, style_id: str) -> Style:
        """Raises UnknownStyle when there is none of this id."""
        if style_id not in self.styles:
            raise UnknownStyle(f"there is no style {style_id!r} in the gallery")
        return self.styles[style_id]

    def digests(self, style_ids: Iterable[str]) -> list[str]:
        """SHA-256 of the weights of styles.

        Raises:
            UnknownStyle: there is none of an id.
        """
        return [self[style_id].weights_sha256 for style_id in style_ids]

    @property
    def trunk_file(self) -> Path:
        """The weights of the network that styles without one of their own share; there may be none."""
        return self.folder / TRUNK

    def weights(self, style_id: str) -> bytes:
        """The style's weights, as safetensors: its vector, and its network unless that is the shared trunk.

        Raises:
            UnknownStyle: there is none of this id.
            CorruptWeights: its file cannot be read.
        """
        return _read(self.folder / f"{self[style_id].id}.safetensors")

    def thumbnail(self, style_id: str) -> bytes:
        """A small JPEG: our own sample photograph in this style.

        Raises:
            UnknownStyle: there is none of this id.
            CorruptWeights: its file cannot be read.
        """
        return _read(self.folder / f"{self[style_id].id}.jpg")

    def sample(self) -> bytes:
        """The photograph that the thumbnails show, as JPEG.

        Raises:
            CorruptWeights: its file cannot be read.
        """
        return _read(self.folder / SAMPLE)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CorruptWeights(f"{file.name} cannot be read: {error.strerror}") from None
