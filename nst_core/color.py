"""Colour: a style in the content's colours, or the content's colours kept under the style's luminance.

Gatys, Bethge, Hertzmann & Shechtman 2016, "Preserving Color in Neural Artistic Style Transfer", has both: recolouring
the style image before the transfer, and transferring luminance only.  Images are RGB in [0, 1], float32, on any device.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nst_core.options import Color

Method = Literal["cholesky", "pca", "mkl"]

#: Added to variances and covariances, so that images of one colour can be matched too.
EPSILON = 1e-5

#: The Y of YIQ.
LUMINANCE = (0.299, 0.587, 0.114)


def style_colors(style: Tensor, content: Tensor, color: Color) -> Tensor:
    """A style image (1, 3, H', W') as an engine shall see it that paints ``content`` (1, 3, H, W), in [0, 1].

    For ``luminance`` it is grey, with mean and deviation of the content's luminance; for ``match-...`` recoloured to
    the content; else as it is.  What falls outside [0, 1] is cut off, although that moves the statistics a little: no
    picture can have such colours, and encoders have never seen them.
    """
    if color == "style":
        return style
    return _MATCHES[color](style, content).clamp(0, 1)


def content_colors(content: Tensor, color: Color) -> Tensor:
    """The content (1, 3, H, W) as an engine shall see it: grey, in three channels, for ``luminance``; else as it is."""
    return luminance(content).repeat(1, 3, 1, 1) if color == "luminance" else content


def painted_colors(painted: Tensor, content: Tensor, color: Color) -> Tensor:
    """What an engine painted (1, 3, H, W) in the colours that it shall have, of about [0, 1].

    For ``luminance`` these are the content's, an image of the same size: its I and Q under the painted Y; else as they
    are.  Not clamped: where that changes a value, it changes I and Q too.
    """
    if color != "luminance":
        return painted
    # In YIQ, grey has no I and Q: adding as much to all channels changes Y alone.
    return content + luminance(painted - content)


def luminance(image: Tensor) -> Tensor:
    """The Y of YIQ, (N, 1, H, W), of an image (N, 3, H, W)."""
    return torch.einsum("c,nchw->nhw", image.new_tensor(LUMINANCE), image)[:, None]


def match_luminance(image: Tensor, reference: Tensor) -> Tensor:
    """The luminance of an image (1, 3, H, W), in three channels, with mean and deviation of a reference's.

    Gatys et al. 2016, luminance-only transfer.  Not clamped: that would change the statistics.
    """
    grey, wanted = luminance(image), luminance(reference)
    gain = ((wanted.var(correction=0) + EPSILON) / (grey.var(correction=0) + EPSILON)).sqrt()
    return ((grey - grey.mean()) * gain + wanted.mean()).repeat(1, 3, 1, 1)


def color_statistics(image: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (3,) and covariance (3, 3) of the pixels' RGB values of an image (N, 3, H, W); float32."""
    pixels = image.detach().float().permute(1, 0, 2, 3).flatten(1)
    mean = pixels.mean(1)
    centred = pixels - mean[:, None]
    # Not as a matrix product, whose float32 sums are off by percents after millions of pixels.
    covariance = torch.stack([(centred * channel).mean(1) for channel in centred])
    return mean, covariance + EPSILON * torch.eye(3, device=image.device)


def match_color(image: Tensor, reference: Tensor, method: Method = "mkl") -> Tensor:
    """An image (N, 3, H, W) recoloured to the mean and covariance of a reference's colours, of any size.

    x' = A(x - mean_i) + mean_r with A S_i A' = S_r has many solutions A:

    - ``cholesky``: L_r L_i^-1 with S = L L'; it depends on the order of the channels.
    - ``pca``: S_r^1/2 S_i^-1/2.
    - ``mkl`` (Monge-Kantorovich linear): S_i^-1/2 (S_i^1/2 S_r S_i^1/2)^1/2 S_i^-1/2, which moves colours least.

    Gatys et al. 2016, colour histogram matching; ``mkl`` is of Pitie & Kokaram 2007, "The Linear Monge-Kantorovitch
    Linear Colour Mapping for Example-Based Colour Transfer".  Not clamped: that would change the statistics.

    Raises:
        KeyError: there is no such method.
    """
    mean, covariance = color_statistics(image)
    wanted_mean, wanted = color_statistics(reference)
    # On the CPU, because not every device has float64 and decompositions.
    transform = _TRANSFORMS[method](covariance.cpu().double(), wanted.cpu().double()).to(image)
    return torch.einsum("ij,njhw->nihw", transform, image - mean.view(1, 3, 1, 1)) + wanted_mean.view(1, 3, 1, 1)


def _cholesky(covariance: Tensor, wanted: Tensor) -> Tensor:
    lower, wanted_lower = torch.linalg.cholesky(covariance), torch.linalg.cholesky(wanted)
    transform: Tensor = torch.linalg.solve_triangular(lower, wanted_lower, upper=False, left=False)
    return transform


def _pca(covariance: Tensor, wanted: Tensor) -> Tensor:
    return _power(wanted, 0.5) @ _power(covariance, -0.5)


def _mkl(covariance: Tensor, wanted: Tensor) -> Tensor:
    root, inverse = _power(covariance, 0.5), _power(covariance, -0.5)
    return inverse @ _power(root @ wanted @ root, 0.5) @ inverse


def _power(matrix: Tensor, exponent: float) -> Tensor:
    """A power of a symmetric positive definite matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    power: Tensor = vectors @ torch.diag(values.clamp_min(1e-12).pow(exponent)) @ vectors.T
    return power


_TRANSFORMS: dict[Method, Callable[[Tensor, Tensor], Tensor]] = {"cholesky": _cholesky, "pca": _pca, "mkl": _mkl}


def match_histogram(image: Tensor, reference: Tensor) -> Tensor:
    """An image (N, 3, H, W) whose channels have the distributions (CDFs) of a reference's, of any size.

    Each channel by itself, so that their correlations are not the reference's.  Equal values stay equal: they share the
    mean of what they would become if they differed a little, and so the mean is always the reference's.
    """
    matched = torch.empty_like(image, dtype=torch.float32)
    for channel in range(3):
        matched[:, channel] = _match_distribution(image[:, channel].float(), reference[:, channel].float())
    return matched


def _match_distribution(values: Tensor, reference: Tensor) -> Tensor:
    """Values of any shape, in order those of the reference."""
    levels, level_of, counts = torch.unique(values, return_inverse=True, return_counts=True)
    wanted, wanted_counts = np.unique(reference.cpu().numpy(), return_counts=True)
    # The integral of the inverse CDF is linear between the shares of pixels that end a value of the reference; each
    # level gets the mean of the inverse CDF over its own share.
    shares = _cumulative(counts.cpu().numpy()) / values.numel()
    wanted_shares = _cumulative(wanted_counts) / reference.numel()
    integral = _cumulative(wanted.astype(np.float64) * wanted_counts) / reference.numel()
    means = np.diff(np.interp(shares, wanted_shares, integral)) / np.diff(shares)
    return torch.from_numpy(means).to(levels)[level_of]


def _cumulative(values: NDArray[Any]) -> NDArray[Any]:
    """The sums of the first 0, 1, 2, ... of the values."""
    return np.append(0, np.cumsum(values))


_MATCHES: dict[Color, Callable[[Tensor, Tensor], Tensor]] = {
    "luminance": match_luminance,
    "match-cholesky": partial(match_color, method="cholesky"),
    "match-pca": partial(match_color, method="pca"),
    "match-mkl": partial(match_color, method="mkl"),
    "match-histogram": match_histogram,
}
