"""Regions of a picture, each to be painted in a style of its own (Gatys et al. 2017, "Controlling Perceptual Factors in
Neural Style Transfer", section 4.1).

Maps are (N, 1, H, W) in [0, 1], one per region: how much of each position belongs to it.  What belongs to none stays as
it is in the content.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from nst_core.errors import InvalidOptions
from nst_core.losses import EPSILON


def region_maps(masks: Sequence[Image.Image], width: int, height: int) -> Tensor:
    """Maps of this size from masks of any size, white where the region is; where they overlap, they share.

    Raises:
        InvalidOptions: a mask is black everywhere.
    """
    maps = torch.stack([_map(mask, width, height) for mask in masks])[:, None]
    for k, one in enumerate(maps):
        if not bool(one.any()):
            raise InvalidOptions(
                f"mask {k + 1} is black everywhere: nothing would be painted in its style", field="mask"
            )
    return maps / maps.sum(0, keepdim=True).clamp_min(1)


def _map(mask: Image.Image, width: int, height: int) -> Tensor:
    # Bilinear with Pillow's support for reduction never leaves [0, 255], as Lanczos would; in floating point, so that
    # what is faint or small does not vanish at a coarse scale.
    grey = mask.convert("L").convert("F").resize((width, height), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(grey)) / 255


def guidance(region: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
    """A region's map (1, 1, H, W) at the resolution of each layer, scaled so that its square has a mean of 1."""
    by_block: dict[int, Tensor] = {}
    found = {}
    for layer in layers:
        block = int(layer.removeprefix("conv").removeprefix("relu")[0])
        if block not in by_block:
            # Averaged over what each position stands for; rounding down, as the encoder's pooling.
            pooled = F.avg_pool2d(region, 2 ** (block - 1))
            by_block[block] = pooled / pooled.square().mean().sqrt().clamp_min(EPSILON)
        found[layer] = by_block[block]
    return found


def cover(maps: Tensor) -> Tensor:
    """How much of each position belongs to any region, (1, 1, H, W) in [0, 1]."""
    return maps.sum(0, keepdim=True).clamp(0, 1)
