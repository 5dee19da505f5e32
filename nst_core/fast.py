"""The fast engine: a picture in one forward pass of a trained network (Johnson et al. 2016)."""

import logging
from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from nst_core.color import painted_colors, style_colors
from nst_core.deep import Picture
from nst_core.device import autocast, choose_precision, is_out_of_memory
from nst_core.errors import InvalidOptions
from nst_core.grain import with_grain
from nst_core.image import to_picture, to_tensor
from nst_core.options import SHORTEST_SIDE, Color, FastOptions, output_size
from nst_core.regions import region_maps
from nst_core.streaming import paint_in_strips
from nst_core.transformer import FastStyle, TransformerNetwork

logger = logging.getLogger(__name__)

#: Pictures of more pixels are painted strip by strip: a whole one takes about 300 bytes per pixel.
WHOLE_PIXELS = 2048 * 2048

#: A network, the style vector (2, C) it is to paint with, and the deviation of the grain that it expects.
Styled = tuple[TransformerNetwork, Tensor, float]


def paint_fast(
    content: Picture, styles: Sequence[FastStyle], options: FastOptions, *, masks: Sequence[Image.Image] = ()
) -> Image.Image:
    """The picture that :func:`paint_fast_image` paints, in RGB of 8 bits."""
    return to_picture(paint_fast_image(content, styles, options, masks=masks))


@torch.inference_mode()
def paint_fast_image(
    content: Picture, styles: Sequence[FastStyle], options: FastOptions, *, masks: Sequence[Image.Image] = ()
) -> Tensor:
    """Paints ``content`` in trained styles.

    Several blend by their weights: by interpolation of their vectors where they share a network (Dumoulin et al. 2017,
    section 3.1), else by mixing what their networks paint.  With masks, each is painted where its mask is white, and
    the rest stays as it is.

    ``strength`` mixes the photograph with the coloured result.

    Args:
        content: an RGB picture; gives the aspect ratio.
        styles: at least one.  Without a ``style_size``, each paints in strokes as in its painting at the result's size,
            or in the nearest that it has learned.
        masks: as many as styles, or none; any size.

    Returns:
        (1, 3, H, W) RGB float32 on the CPU, in [0, 1], of exactly the size asked for.

    Raises:
        InvalidOptions: the short side would be too small, or the options do not fit the styles and masks.
    """
    options.check_images(styles=len(styles), masks=len(masks))
    width, height = output_size(*content.size, options.size)
    if min(width, height) < SHORTEST_SIDE:
        raise InvalidOptions(
            f"the result would be {width} x {height}; the short side must be at least {SHORTEST_SIDE}", field="size"
        )
    for style in styles:
        options.check_strokes(style.sizes)
    image = to_tensor(content, (width, height))
    chosen = [(style.network, style.vector(options.style_size or options.size), style.grain) for style in styles]
    weights = torch.tensor(options.style_weights or (1.0,) * len(styles))
    if masks:
        shares = region_maps(masks, width, height) * (weights / weights.max()).view(-1, 1, 1, 1)
    else:
        shares = (weights / weights.sum()).view(-1, 1, 1, 1)
        if len(set(options.color)) == 1:  # else each is coloured on its own
            chosen, shares = _interpolated(chosen, shares)
    colors = options.color * len(chosen) if len(options.color) == 1 else options.color[: len(chosen)]
    result = image.clone()
    for styled, share, color in zip(chosen, shares, colors, strict=True):
        painted = _painted(image, styled, options).clamp_(0, 1)
        painted = _colored(painted, image, color)
        result += share * painted.sub_(image)
    return torch.lerp(image, result, options.strength)


def _interpolated(styles: list[Styled], shares: Tensor) -> tuple[list[Styled], Tensor]:
    """One style instead of several, where they share a network."""
    networks = {id(network) for network, _, _ in styles}
    if len(networks) > 1 or len(styles) == 1:
        return styles, shares
    vectors = torch.stack([vector for _, vector, _ in styles])
    vector = (vectors * shares.view(-1, 1, 1).to(vectors.device)).sum(0)
    grains = torch.tensor([deviation for _, _, deviation in styles])
    return [(styles[0][0], vector, float((grains * shares.flatten()).sum()))], torch.ones(1, 1, 1, 1)


def _painted(image: Tensor, styled: Styled, options: FastOptions) -> Tensor:
    """What the network paints, (1, 3, H, W) on the CPU."""
    network, vector, deviation = styled
    device = vector.device
    image = with_grain(image, deviation)
    with autocast(device, choose_precision(options.precision, device)):
        if image.shape[2] * image.shape[3] <= WHOLE_PIXELS:
            try:
                return network(image.to(device), vector).float().cpu()  # type: ignore[no-any-return]
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                logger.warning("out of memory with %d x %d pixels; again in strips", image.shape[3], image.shape[2])
        # Not within the "except": what had been computed so far is held by the error.
        return paint_in_strips(network, image, vector)


def _colored(painted: Tensor, content: Tensor, color: Color) -> Tensor:
    """A painting (1, 3, H, W) in the colours that it shall have, in [0, 1]; ``content`` has the same size.

    A network paints in its style's own colours.  So what an optimisation does to its style image beforehand is done to
    the painting: it is recoloured to the content or, for luminance, gets the content's mean and deviation.
    """
    return painted_colors(style_colors(painted, content, color), content, color).clamp(0, 1)
