"""The fast draft: the picture of a trained style, from which an optimisation with ``init="fast"`` starts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image

from nst_core.deep import Picture
from nst_core.device import choose_precision
from nst_core.encoders import Encoder
from nst_core.errors import CorruptWeights
from nst_core.fast import paint_fast
from nst_core.fast_models import FastModels
from nst_core.gatys import Canvas, Subject
from nst_core.memory import free_bytes, tile_for
from nst_core.objective import Objective
from nst_core.options import SMALLEST_SIDE, FastOptions, GatysOptions, output_size, style_long_side
from nst_core.pyramid import plan

#: Long side in pixels at which the trained styles are compared: enough to tell one painting from another.
SIDE = 256


@dataclass(frozen=True, kw_only=True)
class Draft:
    """Where to start.

    Attributes:
        picture: RGB.
        style_ids: the trained styles that painted it; empty for the content as it is.
    """

    picture: Picture
    style_ids: tuple[str, ...]


def draft(
    subject: Subject, options: GatysOptions, encoder: Encoder, models: FastModels, style_ids: Sequence[str] = ()
) -> Draft:
    """The subject's content, painted at the result's size.

    Args:
        subject: has a content.
        style_ids: one for all styles, or one for each; none leaves the choice to :func:`closest`.

    Raises:
        InvalidOptions: as :func:`paint_fast`, or the options do not fit the subject.
        TooLittleMemory: the optimisation that shall follow does not fit by any means.
        UnknownStyle: the gallery has none of an id.
        CorruptWeights: the file of one is damaged.
    """
    given = subject.content is not None
    options.check_images(content=given, styles=len(subject.styles), masks=len(subject.masks))
    options.check_draft(style_ids=len(style_ids), styles=len(subject.styles))
    assert subject.content is not None  # it is needed
    # Told before a draft is painted in vain.
    whole = output_size(*subject.content.size, options.size)
    tile_for(*whole, options, free_bytes(next(encoder.parameters()).device), masks=len(subject.masks))
    chosen = tuple(style_ids) or closest(subject, options, encoder, models)
    if not chosen:
        return Draft(picture=subject.content, style_ids=())
    fast = FastOptions(size=options.size, precision=options.precision, color=options.color[:1])
    masks: Sequence[Image.Image] = ()
    if len(chosen) > 1:
        fast, masks = replace(fast, color=options.color, style_weights=options.style_weights), subject.masks
    # In strokes for the style images' size, or in the nearest that were learned.
    styles = [models.get(style_id).of_size(options.style_size or options.size) for style_id in chosen]
    return Draft(picture=paint_fast(subject.content, styles, fast, masks=masks), style_ids=chosen)


def closest(subject: Subject, options: GatysOptions, encoder: Encoder, models: FastModels) -> tuple[str, ...]:
    """The style of the gallery whose picture has the smallest loss; none if the content itself has a smaller one.

    All are painted and measured at a long side of at most SIDE pixels.
    """
    assert subject.content is not None
    size = min(options.size, style_long_side(*subject.content.size, SIDE))
    style_size = max(SMALLEST_SIDE, round((options.style_size or options.size) * size / options.size))
    small = replace(options, size=size, style_size=style_size, scales=1, tile=None)
    scale = plan(*subject.content.size, small)[-1]
    device = next(encoder.parameters()).device
    encoder.pooling = options.pooling
    fast = FastOptions(size=size, precision=options.precision, color=options.color[:1])

    def loss(picture: Picture) -> float:
        canvas = Canvas(replace(subject, initial=picture), scale, size, small, device)
        objective = Objective(encoder, canvas.targets, small, choose_precision(small.precision, device))
        with torch.no_grad():
            return float(objective(canvas.start())["total"])

    losses: dict[tuple[str, ...], float] = {(): loss(subject.content)}
    for style_id in models.gallery.styles:
        try:
            losses[style_id,] = loss(paint_fast(subject.content, [models.get(style_id).of_size(style_size)], fast))
        except CorruptWeights:
            continue  # it cannot be what was meant
    return min(losses, key=lambda chosen: losses[chosen])
