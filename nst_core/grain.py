"""Grain: faint irregular noise that the fast engine lays on a photograph before it is painted.

A network turns a plain area, where every pixel looks like the next, into one stroke repeated like the weave of cloth.
Noise gives it something to start different strokes from; texture networks draw theirs from nothing else (Ulyanov et
al. 2016, "Texture Networks").  Ours is a function of the place alone: the same everywhere, in whole pictures and parts.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

#: Side in pixels of the cells of each octave, coarse to fine, each half of the one before; and after how many cells
#: they repeat: without a common divisor, so that all together do not within any picture.
OCTAVES = ((16, 103), (8, 107), (4, 109), (2, 113))

#: Cells of the coarsest octave around a part, so that its borders, too, are interpolated from both sides.
MARGIN = 2

#: Random values (3, N, N) of each octave.  Made once, here: within an export or an inference they would be part of it.
_CELLS = tuple(
    0.87 * torch.randn(3, count, count, generator=torch.Generator().manual_seed(octave))
    for octave, (_, count) in enumerate(OCTAVES)
)


def grain(height: int, width: int, *, top: int = 0, left: int = 0, device: torch.device | None = None) -> Tensor:
    """A part of the one endless field of noise, (1, 3, height, width), of mean 0 and a deviation of about 1.

    Args:
        top, left: where the part begins, in pixels; at least 0.
    """
    side = OCTAVES[0][0]
    # In cells of the octave at hand: where it begins, and how many there are.
    y, x = top // side - MARGIN, left // side - MARGIN
    tall, wide = (top % side + height) // side + 2 * MARGIN + 1, (left % side + width) // side + 2 * MARGIN + 1
    field = torch.zeros(1, 3, tall, wide, device=device)
    for octave, (_, count) in enumerate(OCTAVES):
        rows = torch.arange(y, y + tall, device=device).remainder(count)
        columns = torch.arange(x, x + wide, device=device).remainder(count)
        field = field + _CELLS[octave].to(device).index_select(1, rows).index_select(2, columns)
        field = F.interpolate(field, scale_factor=2.0, mode="bilinear", align_corners=False)
        y, x, tall, wide = 2 * y, 2 * x, 2 * tall, 2 * wide
    return field[:, :, top - y : top - y + height, left - x : left - x + width]


def with_grain(image: Tensor, deviation: float, *, top: int = 0, left: int = 0) -> Tensor:
    """Images (N, 3, H, W) with the grain of a place; as they are for a deviation of 0."""
    if not deviation:
        return image
    height, width = image.shape[2:]
    return grain(height, width, top=top, left=left, device=image.device).mul_(deviation) + image
