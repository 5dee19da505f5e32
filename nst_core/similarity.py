"""Structural similarity of two images.

Wang, Bovik, Sheikh & Simoncelli 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity".
torchmetrics has it too, with the same values; but every worker would wait seconds for its import, to measure once for
a tenth of a second.
"""

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from nst_core.deep import Picture
from nst_core.image import to_tensor

#: Of the Gaussian window, in pixels.
_SIGMA, _RADIUS = 1.5, 5

#: Rows that are compared at a time, which bounds the memory.
_ROWS = 256

#: What keeps flat and dark windows from dividing by zero, for values in [0, 1].
_C1, _C2 = 0.01**2, 0.03**2


def picture_similarity(picture: Image.Image, content: Picture) -> float:
    """SSIM of an RGB picture to the content that it was made of, which is scaled to its size; -1 to 1."""
    return structural_similarity(to_tensor(picture), to_tensor(content, picture.size))


@torch.no_grad()
def structural_similarity(image: Tensor, other: Tensor) -> float:
    """SSIM of two RGB images (1, 3, H, W) in [0, 1], turned to grey: 1 for the same image, -1 at least.

    The mean over all windows; at the border they see the image mirrored.
    """
    positions = torch.arange(-_RADIUS, _RADIUS + 1, device=image.device)
    window = torch.softmax(-positions.square() / (2 * _SIGMA**2), 0)
    luma = image.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    a, b = (F.pad((x * luma).sum(1, keepdim=True), [_RADIUS] * 4, mode="reflect") for x in (image, other))
    height, width = image.shape[2:]
    total = 0.0
    for top in range(0, height, _ROWS):
        x, y = (grey[:, :, top : top + _ROWS + 2 * _RADIUS] for grey in (a, b))
        blurred = F.conv2d(torch.cat([x, y, x * x, y * y, x * y]), window.view(1, 1, -1, 1))
        mean_x, mean_y, square_x, square_y, product = F.conv2d(blurred, window.view(1, 1, 1, -1))
        covariance = product - mean_x * mean_y
        variances = (square_x - mean_x**2).clamp_min(0) + (square_y - mean_y**2).clamp_min(0)
        similarity = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
        similarity /= (mean_x**2 + mean_y**2 + _C1) * (variances + _C2)
        total += float(similarity.sum(dtype=torch.float64))
    return max(-1.0, min(1.0, total / (height * width)))
