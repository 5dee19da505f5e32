"""The gallery's weights on a device: the trunk that all styles share, and the style vectors used last."""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor

from nst_core.encoders import read_safetensors
from nst_core.errors import CorruptWeights
from nst_core.gallery import Gallery
from nst_core.transformer import TransformerNetwork


def load_trunk(gallery: Gallery, device: torch.device) -> TransformerNetwork:
    """The network that all styles share, frozen.

    Raises:
        CorruptWeights: its file is missing or damaged.
    """
    network = TransformerNetwork.from_file(gallery.trunk_file).eval().requires_grad_(False)
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def read_style(file: Path, trunk: TransformerNetwork) -> Tensor:
    """A style vector (2, C) for this trunk, float32, on the CPU.

    Raises:
        CorruptWeights: the file is missing, damaged, or belongs to another trunk.
    """
    style = read_safetensors(file).get("style")
    if style is None or style.shape != (2, trunk.style_size):
        raise CorruptWeights(f"{file.name} does not hold a style of this network")
    return style.float()


class FastModels:
    """Styles kept ready on one device between pictures.

    The trunk stays from its first use on.  Of the style vectors those used least recently make room when all together,
    with the trunk, take more than ``max_bytes``; the one in use always stays.

    Attributes:
        hits, misses: how often a style was here already, and how often something had to be loaded.
    """

    def __init__(self, gallery: Gallery, device: torch.device, max_bytes: int = 2**29) -> None:
        self.gallery, self.device, self.max_bytes = gallery, device, max_bytes
        self.hits = self.misses = 0
        self._trunk: TransformerNetwork | None = None
        self._styles: OrderedDict[str, Tensor] = OrderedDict()

    def trunk(self) -> TransformerNetwork:
        """The network that all styles share, loaded at the first call.

        Raises:
            CorruptWeights: its file is missing or damaged.
        """
        if self._trunk is None:
            self._trunk = load_trunk(self.gallery, self.device)
        return self._trunk

    def get(self, style_id: str) -> tuple[TransformerNetwork, Tensor]:
        """The network and the style vector (2, C), loaded when they are not here.

        Raises:
            UnknownStyle: the gallery has none of this id.
            CorruptWeights: a file is missing or damaged.
        """
        if style_id in self:
            self.hits += 1
            self._styles.move_to_end(style_id)
        else:
            self.misses += 1
            file = self.gallery.style_file(style_id)  # an unknown style is told before a trunk is loaded for nothing
            self._styles[style_id] = read_style(file, self.trunk()).to(self.device)
            while self.bytes > self.max_bytes and len(self._styles) > 1:
                self._styles.popitem(last=False)
        return self.trunk(), self._styles[style_id]

    @property
    def bytes(self) -> int:
        """What the weights that are here take on the device."""
        weights = [*self._trunk.parameters()] if self._trunk else []
        return sum(tensor.nbytes for tensor in (*weights, *self._styles.values()))

    def __contains__(self, style_id: str) -> bool:
        return style_id in self._styles
