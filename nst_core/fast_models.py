"""The gallery's networks on a device, those used last."""

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from nst_core.errors import CorruptWeights
from nst_core.gallery import Gallery
from nst_core.transformer import FastStyle, TransformerNetwork


@dataclass(frozen=True)
class TrainedStyle:
    """A style's weights.

    Attributes:
        vectors: (S, 2, C), float32, one for each size of strokes.
        network: its own; None for a style of the trunk.
    """

    vectors: Tensor
    network: TransformerNetwork | None


def load_trunk(gallery: Gallery) -> TransformerNetwork:
    """The network that the styles without one of their own share, on the CPU.

    Raises:
        CorruptWeights: its file is missing or damaged.
    """
    return TransformerNetwork.from_file(gallery.trunk_file)


def read_style(gallery: Gallery, style_id: str) -> TrainedStyle:
    """A style of a gallery, on the CPU.

    Raises:
        UnknownStyle: the gallery has none of this id.
        CorruptWeights: its file is missing or damaged, or not the one that the manifest tells of.
    """
    name = f"{style_id}.safetensors"
    data, digest = gallery.weights(style_id), gallery[style_id].weights_sha256
    if digest and sha256(data).hexdigest() != digest:
        raise CorruptWeights(f"{name} is damaged or another style's: its SHA-256 is not the manifest's")
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise CorruptWeights(f"{name} cannot be read: {error}") from None
    vectors = tensors.pop("style", torch.empty(0))
    network = TransformerNetwork.from_state(tensors, name) if tensors else None
    if vectors.dim() == 2:  # of one size, as it was written before there could be several
        vectors = vectors[None]
    of_network = network is None or vectors.shape[1:] == (2, network.vector_size)
    if vectors.dim() != 3 or len(vectors) != len(gallery[style_id].style_sizes) or not of_network:
        raise CorruptWeights(f"{name} does not hold a style")
    if not all(bool(tensor.isfinite().all()) for tensor in (vectors, *tensors.values())):
        raise CorruptWeights(f"{name} holds values that are not finite")
    return TrainedStyle(vectors.float(), network)


class FastModels:
    """Styles kept ready on one device between pictures.

    Those used least recently make room when all together take more than ``max_bytes``; the one in use always stays, as
    does the trunk from its first use on.

    Attributes:
        hits, misses: how often a style was here already, and how often it had to be loaded.
    """

    def __init__(self, gallery: Gallery, device: torch.device, max_bytes: int = 2**29) -> None:
        self.gallery, self.device, self.max_bytes = gallery, device, max_bytes
        self.hits = self.misses = 0
        self._trunk: TransformerNetwork | None = None
        # A style that was trained anew under its old id has other weights.
        self._styles: OrderedDict[tuple[str, str], TrainedStyle] = OrderedDict()

    def get(self, style_id: str) -> FastStyle:
        """A style with its network, loaded when it is not here.

        Raises:
            UnknownStyle: the gallery has none of this id.
            CorruptWeights: a file is missing or damaged.
        """
        key = self._key(style_id)
        if key in self._styles:
            self.hits += 1
            self._styles.move_to_end(key)
        else:
            self.misses += 1
            self._styles[key] = self._load(style_id)
            while self.bytes > self.max_bytes and len(self._styles) > 1:
                self._styles.popitem(last=False)
        style = self._styles[key]
        network = style.network or self._trunk
        assert network is not None  # it was loaded with the first style that has none
        known = self.gallery[style_id]
        return FastStyle(network, style.vectors, known.style_sizes, known.grain)

    def _load(self, style_id: str) -> TrainedStyle:
        style = read_style(self.gallery, style_id)
        if style.network is None and self._trunk is None:
            self._trunk = self._placed(load_trunk(self.gallery))
        if style.network is None and self._trunk and style.vectors.shape[1:] != (2, self._trunk.vector_size):
            raise CorruptWeights(f"{style_id}.safetensors does not hold a style of this trunk")
        network = self._placed(style.network) if style.network else None
        return TrainedStyle(style.vectors.to(self.device), network)

    def _placed(self, network: TransformerNetwork) -> TransformerNetwork:
        frozen = network.eval().requires_grad_(False)
        return frozen.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    @property
    def loaded(self) -> list[str]:
        """The styles that are here, those used last at the end."""
        return [style_id for style_id, _ in list(self._styles)]

    @property
    def full(self) -> bool:
        """Whether another style of the size of those that are here would make one of them go."""
        return self.bytes * (1 + 1 / max(1, len(self._styles))) > self.max_bytes

    @property
    def bytes(self) -> int:
        """What the weights that are here take on the device."""
        styles = self._styles.values()
        networks = [self._trunk, *(style.network for style in styles)]
        weights = [weight for network in networks if network for weight in network.parameters()]
        return sum(tensor.nbytes for tensor in (*weights, *(style.vectors for style in styles)))

    def __contains__(self, style_id: str) -> bool:
        """Whether a style is here already; raises UnknownStyle for one that the gallery does not have."""
        return self._key(style_id) in self._styles

    def _key(self, style_id: str) -> tuple[str, str]:
        return style_id, self.gallery[style_id].weights_sha256
