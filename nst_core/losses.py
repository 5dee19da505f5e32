"""Losses of neural style transfer, as pure functions over feature maps and images.

Every loss is zero for identical inputs and is normalised by the size of its target, so that one set of weights works
for every encoder, layer and image size (the papers' raw sums differ by orders of magnitude between layers).
All accumulate in float32, whatever the precision of the features.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

#: Keeps the relative losses finite for a black or constant target.
EPSILON = 1e-8

#: Adds to a gradient, in place, that of a loss of an image, times a slope.
AddGradient = Callable[[Tensor, Tensor, Tensor | float], None]


class _GramMatrix(torch.autograd.Function):
    """F^T F / (H*W) per image, and its gradient F (G + G^T) / (H*W) in one product instead of autograd's two."""

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        n, c, h, w = features.shape
        # (H*W, C) is a view of a channels_last tensor, (C, H*W) would be a copy.
        flat = features.permute(0, 2, 3, 1).reshape(n, h * w, c)
        ctx.save_for_backward(flat)
        ctx.shape = (n, h, w, c)
        # One product per image: in bfloat16 on CPU a batched one takes five times as long.
        return torch.stack([image.T @ image for image in flat]).float() / (h * w)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (flat,) = ctx.saved_tensors
        n, h, w, c = ctx.shape
        symmetric = ((gradients[0] + gradients[0].transpose(1, 2)) / (h * w)).to(flat.dtype)
        # Not torch.stack: of one image it would be a copy of the largest tensors there are.
        back = flat[0] @ symmetric[0] if n == 1 else torch.cat([i @ s for i, s in zip(flat, symmetric, strict=True)])
        return back.view(n, h, w, c).permute(0, 3, 1, 2)


def gram_matrix(features: Tensor) -> Tensor:
    """Correlations between channels, averaged over positions (Gatys et al. 2016, eq. 3, divided by H*W).

    Args:
        features: (N, C, H, W), any float type.

    Returns:
        (N, C, C), float32; divided by H*W so that it does not depend on the image's size.
    """
    gram: Tensor = _GramMatrix.apply(features)
    return gram


def style_loss(gram: Tensor, target: Tensor, scale: Tensor | None = None) -> Tensor:
    """Relative squared distance of Gram matrices, ``||G - T||_F^2 / ||T||_F^2``.

    Args:
        gram, target: (N, C, C) or (C, C).
        scale: in the target's place below the fraction.

    Returns:
        A scalar, the mean over the batch.  Gatys et al. 2016, eq. 4, normalised by the target's energy.
    """
    error = (gram - target).pow(2).sum((-2, -1))
    scale = target if scale is None else scale
    return (error / scale.pow(2).sum((-2, -1)).clamp_min(EPSILON)).mean()


def content_loss(features: Tensor, target: Tensor) -> Tensor:
    """Relative squared distance of feature maps, ``mean((F - T)^2) / mean(T^2)`` (after Gatys et al. 2016, eq. 1).

    Args:
        features, target: (N, C, H, W).

    Returns:
        A scalar.
    """
    target = target.float()
    error = (features.float() - target).pow(2).mean((1, 2, 3))
    return (error / target.pow(2).mean((1, 2, 3)).clamp_min(EPSILON)).mean()


class _PixelLoss(torch.autograd.Function):
    """A loss of single pixels with its gradient by hand: autograd would keep several copies of an image."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, loss: Callable[[Tensor], Tensor], add_gradient: AddGradient) -> Tensor:
        ctx.save_for_backward(image)
        ctx.add_gradient = add_gradient
        return loss(image)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        (image,) = ctx.saved_tensors
        gradient = torch.zeros_like(image)
        ctx.add_gradient(gradient, image, slope)
        return gradient, None, None


def _mean_square(values: Tensor) -> Tensor:
    """0 for no values."""
    return values.square_().mean() if values.numel() else values.new_zeros(())


def total_variation(image: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels, in both directions (L2 total variation).

    Args:
        image: (N, C, H, W) in [0, 1].

    Returns:
        A scalar in [0, 2]; 0 for a constant image.
    """
    variation: Tensor = _PixelLoss.apply(image, _variation, add_total_variation_gradient)
    return variation


def _variation(image: Tensor) -> Tensor:
    return _mean_square(image.diff(dim=2)) + _mean_square(image.diff(dim=3))


def add_total_variation_gradient(gradient: Tensor, image: Tensor, slope: Tensor | float) -> None:
    """Adds the gradient of :func:`total_variation`, times ``slope``, to ``gradient`` (N, C, H, W) in place."""
    for dim in (2, 3):
        difference = image.diff(dim=dim)
        if difference.numel():
            difference.mul_(2 * slope / difference.numel())
            length = difference.shape[dim]
            gradient.narrow(dim, 1, length).add_(difference)
            gradient.narrow(dim, 0, length).sub_(difference)


def range_penalty(image: Tensor) -> Tensor:
    """Mean squared distance of pixels to [0, 1]: keeps an unbounded optimiser near what a file can hold."""
    penalty: Tensor = _PixelLoss.apply(image, _excess, add_range_penalty_gradient)
    return penalty


def _excess(image: Tensor) -> Tensor:
    return _mean_square(image - image.clamp(0, 1))


def add_range_penalty_gradient(gradient: Tensor, image: Tensor, slope: Tensor | float) -> None:
    """Adds the gradient of :func:`range_penalty`, times ``slope``, to ``gradient`` (N, C, H, W) in place."""
    gradient.add_((image - image.clamp(0, 1)).mul_(2 * slope / image.numel()))
