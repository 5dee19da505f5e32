"""The transformer network: one forward pass turns a photograph into a painting.

Johnson, Alahi & Fei-Fei 2016, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", with conditional
instance normalisation (Dumoulin, Shlens & Kudlur 2017, "A Learned Representation for Artistic Style"): the
convolutions, the *trunk*, may be shared by many styles, and a style is one scale and one shift per channel.  Departures
from Johnson et al.: resize-convolutions instead of transposed ones (no checkerboards), reflection padding everywhere
(no borders), a narrower network with a smaller last kernel, and a linear output.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst_core.encoders import read_safetensors
from nst_core.errors import CorruptWeights

#: Channels at the full, half and quarter resolution.
WIDTHS = (16, 32, 72)

#: Residual blocks at the quarter resolution.
BLOCKS = 5

#: Keeps instance normalisation finite for constant channels.
EPSILON = 1e-5

#: Both sides of what the network sees are multiples of this; other images are padded by reflection and cut.
STRIDE = 4

#: Which taps of a 3-tap kernel at the large resolution fall on which of 3 pixels at the small one: (phase, pixel, tap).
_MERGE = torch.tensor([[[1, 0, 0], [0, 1, 1], [0, 0, 0]], [[0, 0, 0], [1, 1, 0], [0, 0, 1]]]).float()


class ResizeConvolution(nn.Conv2d):
    """Nearest-neighbour upsampling by two, reflection padding and a 3x3 convolution, in one step.

    Each of the four phases of the result is a convolution of its own at the low resolution, with those taps added up
    that fall on the same pixel: on CPU a third of the time.  Reflection in the large image is repetition of the
    outermost pixel in the small one.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(channels, width, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, I, H, W) to (N, O, 2H, 2W)."""
        merge = _MERGE.to(x.device)
        merged = torch.einsum("pay,qbx,oiyx->opqiab", merge, merge, self.weight).flatten(0, 2)
        return F.pixel_shuffle(F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), merged), 2)


class TransformerNetwork(nn.Module):
    """Images in, images out, in the style that a style vector describes.

    Args:
        widths: channels at the full, half and quarter resolution.
        blocks: residual blocks.
    """

    def __init__(self, widths: tuple[int, int, int] = WIDTHS, blocks: int = BLOCKS) -> None:
        super().__init__()
        full, half, quarter = widths
        self.down = nn.ModuleList(
            [_convolution(3, full, 9), _convolution(full, half, 3, stride=2), _convolution(half, quarter, 3, stride=2)]
        )
        self.blocks = nn.ModuleList([_convolution(quarter, quarter, 3) for _ in range(2 * blocks)])
        self.up = nn.ModuleList([ResizeConvolution(quarter, half), ResizeConvolution(half, full)])
        self.last = nn.Conv2d(full, 3, 5, padding=2, padding_mode="reflect")
        #: Channels of each normalisation, in the order in which a style vector lists them.
        self.channels = (full, half, quarter, *[quarter] * (2 * blocks), half, full)

    @property
    def vector_size(self) -> int:
        """Channels in all: a style vector is (2, vector_size), scales and shifts."""
        return sum(self.channels)

    def neutral_style(self) -> Tensor:
        """The style vector (2, vector_size) with which the normalisation changes nothing."""
        return torch.stack([torch.ones(self.vector_size), torch.zeros(self.vector_size)])

    def forward(self, image: Tensor, style: Tensor) -> Tensor:
        """Paints images.

        Args:
            image: (N, 3, H, W), RGB in [0, 1], any size of at least 16 x 16.
            style: (2, vector_size); vectors may be mixed, which blends their styles.

        Returns:
            (N, 3, H, W), about [0, 1], not clamped.
        """
        height, width = image.shape[2:]
        parts = self.split(style)
        x = self.prepare(image)
        for convolution, part in zip(self.down, parts[:3], strict=True):
            x = F.relu(normalize(convolution(x), part))
        x = self.transform(x, parts[3:-2])
        for convolution, part in zip(self.up, parts[-2:], strict=True):
            x = F.relu(normalize(convolution(x), part))
        return self.finish(x)[:, :, :height, :width]

    def split(self, style: Tensor) -> tuple[Tensor, ...]:
        """The part of a style vector (2, vector_size) that belongs to each normalisation, (2, C) each."""
        return torch.split(style, list(self.channels), dim=1)

    def prepare(self, image: Tensor) -> Tensor:
        """From [0, 1] to [-1, 1], and to sides that are multiples of STRIDE."""
        height, width = image.shape[2:]
        x = F.pad(image * 2 - 1, (0, -width % STRIDE, 0, -height % STRIDE), mode="reflect")
        # The kernels of the forward pass are fastest with the channels last; on CPU those of the weights' gradients are
        # slowest, and a training step takes a tenth longer.
        return x if self.training else x.contiguous(memory_format=torch.channels_last)

    def transform(self, x: Tensor, parts: Sequence[Tensor]) -> Tensor:
        """The residual blocks, (N, C, H / 4, W / 4) to the same."""
        for k, (first, second) in enumerate(zip(self.blocks[::2], self.blocks[1::2], strict=True)):
            residual = F.relu(normalize(first(x), parts[2 * k]))
            x = x + normalize(second(residual), parts[2 * k + 1])
        return x

    def finish(self, x: Tensor) -> Tensor:
        """The last convolution, back to about [0, 1]."""
        painted: Tensor = self.last(x) * 0.5 + 0.5
        return painted

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], name: str) -> "TransformerNetwork":
        """From weights as the training writes them, of any precision; ``name`` is that of their file.

        Raises:
            CorruptWeights: they belong to another network.
        """
        try:
            full, half, quarter = (state[f"down.{k}.weight"].shape[0] for k in range(3))
            network = cls((full, half, quarter), sum(key.startswith("blocks.") for key in state) // 2)
            network.load_state_dict({key: value.float() for key, value in state.items()})
        except (KeyError, RuntimeError) as error:
            raise CorruptWeights(f"{name} does not hold a transformer network: {error}") from None
        return network

    @classmethod
    def from_file(cls, path: Path) -> "TransformerNetwork":
        """As :meth:`from_state`, from safetensors.

        Raises:
            CorruptWeights: as :meth:`from_state`, or the file cannot be read.
        """
        return cls.from_state(read_safetensors(path), path.name)


@dataclass(frozen=True)
class FastStyle:
    """A network and the style vectors with which it paints one style, each in strokes of another size.

    Attributes:
        vectors: (S, 2, C).
        sizes: ascending, one for each vector: the long side in pixels of the painting from which it learned.
        grain: deviation of the noise that it expects on a photograph.
    """

    network: TransformerNetwork
    vectors: Tensor
    sizes: tuple[int, ...]
    grain: float = 0.0

    def vector(self, size: int) -> Tensor:
        """The vector (2, C) for strokes of a size: see :func:`vector_of`."""
        return vector_of(self.vectors, self.sizes, size)

    def of_size(self, size: int) -> "FastStyle":
        """The same in strokes of one size alone, or of the nearest that it has learned."""
        return replace(self, vectors=self.vector(size)[None], sizes=(size,))


def vector_of(vectors: Tensor, sizes: Sequence[int], size: int) -> Tensor:
    """The style vector for strokes as in the painting at a long side in pixels.

    Between two sizes their vectors are mixed in the proportion of the logarithms, as those of two styles may be
    (Dumoulin et al. 2017, section 3.1); beyond the outermost it is that one's.

    Args:
        vectors: (S, 2, C).
        sizes: S, ascending; those for which the vectors were trained.

    Returns:
        (2, C).
    """
    if size <= sizes[0]:
        return vectors[0]
    for (smaller, larger), (low, high) in zip(pairwise(sizes), pairwise(vectors), strict=True):
        if size <= larger:
            return torch.lerp(low, high, math.log(size / smaller) / math.log(larger / smaller))
    return vectors[-1]


def _convolution(channels: int, width: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """Without a bias, which the normalisation that follows would take away."""
    return nn.Conv2d(channels, width, kernel, stride=stride, padding=kernel // 2, padding_mode="reflect", bias=False)


def normalize(x: Tensor, style: Tensor) -> Tensor:
    """Conditional instance normalisation (Dumoulin et al. 2017, eq. 5) of (N, C, H, W) with a (2, C) style."""
    scale, shift = style.unbind()
    # Over one image it is batch normalisation, for which PyTorch has a kernel that keeps the layout.
    images = [F.batch_norm(image, None, None, scale, shift, training=True, eps=EPSILON) for image in torch.split(x, 1)]
    return images[0] if len(images) == 1 else torch.cat(images)
