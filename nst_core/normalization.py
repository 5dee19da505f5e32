"""Weight normalisation: every channel's mean activation becomes 1 (Gatys et al. 2016, section 2).

The network computes the same functions up to a factor per channel, because ReLU and pooling commute with positive
factors; without it, a few loud channels of VGG dominate the Gram matrices.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst_core.encoders import Encoder

#: Channels that are quiet on the calibration images may speak up on others, on edges and flat areas for instance.  None
#: counts as quieter than this share of its layer's mean, or a few of them would make up all of a Gram matrix.
_QUIETEST = 0.3


def calibration_images(count: int = 4, side: int = 192, seed: int = 0) -> Tensor:
    """(count, 3, side, side) in [0, 1]: coloured 1/f noise, which has the spectrum of natural images.

    Gatys et al. measured on ImageNet; these images need no data, and all that is asked of them is each channel's
    order of magnitude.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.fft.fftfreq(side)[:, None]
    columns = torch.fft.rfftfreq(side)[None]
    amplitude = 1 / (rows.square() + columns.square()).sqrt().clamp_min(1 / side)
    white = torch.randn(count, 3, side, side, generator=generator)
    pink = torch.fft.irfft2(torch.fft.rfft2(white) * amplitude, s=(side, side))
    # Natural colours are mostly grey: mix a common luminance with a little of each channel's own.
    pink = 0.8 * pink.mean(1, keepdim=True) * 3**0.5 + 0.2 * pink
    images: Tensor = 0.5 + 0.22 * pink / pink.std((1, 2, 3), keepdim=True)
    return images.clamp(0, 1)


@torch.no_grad()
def normalize_activations(encoder: Encoder) -> Encoder:
    """Rescales the encoder's convolutions in place and returns it."""
    images = calibration_images().to(next(encoder.parameters()).device)
    x = encoder.preprocess(images)
    scale: Tensor | None = None
    for name, convolution in encoder.convolutions.items():
        assert isinstance(convolution, nn.Conv2d)
        if name != "1_1" and name.endswith("_1"):
            x = F.max_pool2d(x, 2) if encoder.pooling == "max" else F.avg_pool2d(x, 2)
        scale, x = _normalize(convolution, x, scale)
        if name in encoder.heads:
            head = encoder.heads[name]
            assert isinstance(head, nn.Conv2d)
            _normalize(head, x, scale)
    return encoder


def _normalize(convolution: nn.Conv2d, x: Tensor, incoming: Tensor | None) -> tuple[Tensor, Tensor]:
    """Undoes the factor of the channels that come in, gives the outgoing ones a mean of 1.

    Returns:
        The factor (C,) by which the outgoing channels were divided, and their activations (N, C, H, W).
    """
    if incoming is not None:
        convolution.weight.mul_(incoming.view(1, -1, 1, 1))
    activation = F.relu(convolution(x))
    mean = activation.mean((0, 2, 3))
    factor = mean.clamp_min(_QUIETEST * float(mean.mean()))
    convolution.weight.div_(factor.view(-1, 1, 1, 1))
    assert convolution.bias is not None
    convolution.bias.div_(factor)
    return factor, activation / factor.view(1, -1, 1, 1)
