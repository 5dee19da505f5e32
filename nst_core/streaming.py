"""Large pictures in little memory: the transformer network, strip by strip.

Strips that are painted one by one differ in brightness and colour, because instance normalisation takes its statistics
from each of them.  Here they come from the whole picture: each normalisation at the full and the half resolution, where
the memory goes, costs a pass of its own that only adds up means and variances.  The result is that of the whole
picture at once, up to rounding; the residual blocks, at a quarter of the resolution, see it whole.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst_core.transformer import EPSILON, STRIDE, TransformerNetwork

#: Rows of a strip at the full resolution; a multiple of STRIDE.
STRIP = 256

#: Rows that a strip borrows from its neighbours at the full resolution: more than the convolutions before or after the
#: residual blocks can see.  A multiple of STRIDE.
HALO = 32


@dataclass(frozen=True, kw_only=True)
class _Strip:
    """Rows ``top`` to ``bottom``, with those borrowed ``outer_top`` to ``outer_bottom``."""

    top: int
    bottom: int
    outer_top: int
    outer_bottom: int

    def outer(self, x: Tensor, stride: int) -> Tensor:
        """The strip with its borrowed rows, from a whole map with one row for ``stride`` of the picture's."""
        return x[:, :, self.outer_top // stride : self.outer_bottom // stride]

    def inner(self, x: Tensor, stride: int) -> Tensor:
        """Without them, from what was made of :meth:`outer`."""
        return x[:, :, (self.top - self.outer_top) // stride : (self.bottom - self.outer_top) // stride]


def _strips(height: int) -> Iterator[_Strip]:
    for top in range(0, height, STRIP):
        bottom = min(top + STRIP, height)
        yield _Strip(top=top, bottom=bottom, outer_top=max(0, top - HALO), outer_bottom=min(height, bottom + HALO))


#: Gain and offset of a normalisation whose statistics are known, (C, 1, 1) each.
_Affine = tuple[Tensor, Tensor]


class _Statistics:
    """Mean and variance of each channel over all strips."""

    def __init__(self) -> None:
        self.count = 0
        self.sum = self.squares = torch.zeros((), dtype=torch.float64)

    def add(self, x: Tensor) -> None:
        """Takes (1, C, H, W) in."""
        values = x.float()
        self.count += x.shape[2] * x.shape[3]
        # Added up on the CPU, because not every device has float64.
        self.sum = self.sum + values.sum((0, 2, 3)).cpu().double()
        self.squares = self.squares + values.square().sum((0, 2, 3)).cpu().double()

    def affine(self, part: Tensor) -> _Affine:
        """What normalises and then applies a (2, C) part of a style."""
        mean = self.sum / self.count
        variance = (self.squares / self.count - mean.square()).clamp_min(0)
        scale, shift = part.cpu().double()
        gain = scale * torch.rsqrt(variance + EPSILON)
        offset = shift - mean * gain
        return gain.to(part).view(-1, 1, 1), offset.to(part).view(-1, 1, 1)


def paint_in_strips(network: TransformerNetwork, image: Tensor, style: Tensor) -> Tensor:
    """What ``network(image, style)`` gives, with memory for strips instead of for the whole.

    Args:
        image: (1, 3, H, W) RGB in [0, 1], on the CPU.
        style: (2, vector_size), on the network's device.

    Returns:
        (1, 3, H, W) on the CPU, about [0, 1].
    """
    height, width = image.shape[2:]
    parts = network.split(style)
    prepared = network.prepare(image)
    strips = list(_strips(prepared.shape[2]))

    def from_image(strip: _Strip) -> Tensor:
        return strip.outer(prepared, 1).to(style.device)

    affines = _affines(network.down, parts[:3], strips, from_image, (1, 2, 4))
    quarter = torch.cat(
        [strip.inner(_apply(network.down, affines, from_image(strip)), STRIDE) for strip in strips], dim=2
    )
    quarter = network.transform(quarter, parts[3:-2])

    def from_quarter(strip: _Strip) -> Tensor:
        return strip.outer(quarter, STRIDE)

    affines = _affines(network.up, parts[-2:], strips, from_quarter, (2, 1))
    painted = torch.empty(1, 3, prepared.shape[2], prepared.shape[3])
    for strip in strips:
        x = network.finish(_apply(network.up, affines, from_quarter(strip)))
        painted[:, :, strip.top : strip.bottom] = strip.inner(x, 1).float().cpu()
    return painted[:, :, :height, :width]


def _affines(
    convolutions: nn.ModuleList,
    parts: Sequence[Tensor],
    strips: Sequence[_Strip],
    source: Callable[[_Strip], Tensor],
    strides: Sequence[int],
) -> list[_Affine]:
    """The normalisation after each convolution, whose outputs have one row for ``strides`` of the picture's."""
    affines: list[_Affine] = []
    for convolution, part, stride in zip(convolutions, parts, strides, strict=True):
        statistics = _Statistics()
        for strip in strips:
            statistics.add(strip.inner(convolution(_apply(convolutions, affines, source(strip))), stride))
        affines.append(statistics.affine(part))
    return affines


def _apply(convolutions: nn.ModuleList, affines: Sequence[_Affine], x: Tensor) -> Tensor:
    """The first convolutions, as many as there are normalisations."""
    for convolution, (gain, offset) in zip(convolutions, affines, strict=False):
        x = F.relu(convolution(x) * gain.to(x.dtype) + offset.to(x.dtype))
    return x
