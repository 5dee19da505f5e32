"""Colour statistics: giving one image the colours of another.

Gatys, Bethge, Hertzmann & Shechtman 2016, "Preserving Color in Neural Artistic Style Transfer", section 3.
"""

import torch
from torch import Tensor

#: Added to covariances, so that images of one colour can be matched too.
EPSILON = 1e-5


def color_statistics(image: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (3,) and covariance (3, 3) of the pixels' RGB values of an image (N, 3, H, W); float32."""
    pixels = image.detach().float().permute(1, 0, 2, 3).flatten(1)
    mean = pixels.mean(1)
    centred = pixels - mean[:, None]
    return mean, centred @ centred.T / pixels.shape[1] + EPSILON * torch.eye(3, device=image.device)


def match_color(image: Tensor, reference: Tensor) -> Tensor:
    """An image (N, 3, H, W) recoloured to the mean and covariance of a reference's colours.

    Of all linear maps x' = A(x - mean_i) + mean_r that do this, the one that moves colours least (Monge-Kantorovich):
    A = S_i^-1/2 (S_i^1/2 S_r S_i^1/2)^1/2 S_i^-1/2.  Not clamped: that would change the statistics.
    """
    mean, covariance = color_statistics(image)
    wanted_mean, wanted = color_statistics(reference)
    root, inverse = _power(covariance, 0.5), _power(covariance, -0.5)
    transform = inverse @ _power(root @ wanted @ root, 0.5) @ inverse
    return torch.einsum("ij,njhw->nihw", transform, image - mean.view(1, 3, 1, 1)) + wanted_mean.view(1, 3, 1, 1)


def _power(matrix: Tensor, exponent: float) -> Tensor:
    """A power of a symmetric positive definite matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    power: Tensor = vectors @ torch.diag(values.clamp_min(1e-12).pow(exponent)) @ vectors.T
    return power
