"""The fast engine: a picture in one forward pass of a trained network (Johnson et al. 2016)."""

import torch
from PIL import Image
from torch import Tensor

from nst_core.device import autocast, choose_precision
from nst_core.errors import InvalidOptions
from nst_core.image import to_picture, to_tensor
from nst_core.options import SHORTEST_SIDE, FastOptions, output_size
from nst_core.streaming import paint_in_strips
from nst_core.transformer import TransformerNetwork

#: Pictures of more pixels are painted strip by strip: a whole one takes about 300 bytes per pixel.
WHOLE_PIXELS = 2048 * 2048


@torch.inference_mode()
def paint_fast(content: Image.Image, network: TransformerNetwork, style: Tensor, options: FastOptions) -> Image.Image:
    """Paints ``content`` in a trained style.

    Args:
        content: an RGB picture; gives the aspect ratio.
        network: on the device where to compute.
        style: the style vector (2, C), on the same device.

    Returns:
        An RGB picture of exactly the size asked for.

    Raises:
        InvalidOptions: the short side would be too small.
    """
    width, height = output_size(*content.size, options.size)
    if min(width, height) < SHORTEST_SIDE:
        raise InvalidOptions(
            f"the result would be {width} x {height}; the short side must be at least {SHORTEST_SIDE}", field="size"
        )
    device = style.device
    image = to_tensor(content, (width, height))
    with autocast(device, choose_precision(options.precision, device)):
        if width * height > WHOLE_PIXELS:
            painted = paint_in_strips(network, image, style)
        else:
            painted = network(image.to(device), style).float().cpu()
    return to_picture(torch.lerp(image, painted.clamp(0, 1), options.strength))
