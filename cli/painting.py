"""Painting on this machine, without the service."""

from pathlib import Path
from typing import Any

from cli.console import progress_bar


def paint_like(
    content: Any, style: Any, initial: Any, engine: dict[str, Any], device: Any, weights_dir: Path | None
) -> tuple[Any, str]:
    """A picture in the style of another, by optimisation; and the name of the encoder.

    Raises:
        NSTError: it cannot be painted.
    """
    from nst_core.gatys import paint
    from nst_core.options import GatysOptions
    from nst_core.pretrained import EncoderCache

    if initial and "init" not in engine:
        engine["init"] = "image"
    options = GatysOptions.from_mapping(engine)
    encoder = EncoderCache(device, weights_dir).get(options.encoder, normalized=options.normalize_weights)
    with progress_bar("painting") as bar:
        for last in paint(content, style, options, encoder, initial=initial):
            note = f"{last.step}/{last.total_steps}, {last.width} x {last.height}, loss {last.losses['total']:.4f}"
            bar.update(bar.task_ids[0], completed=last.fraction, note=note)
    return last.picture(), options.encoder


def paint_in_style(
    content: Any, style_id: str, engine: dict[str, Any], device: Any, styles_dir: Path | None
) -> tuple[Any, str]:
    """A picture in a trained style; and the style's id.

    Raises:
        NSTError: it cannot be painted.
    """
    from nst_core.fast import paint_fast
    from nst_core.fast_models import FastModels
    from nst_core.gallery import Gallery
    from nst_core.options import FastOptions

    options = FastOptions.from_mapping(engine)
    network, style = FastModels(Gallery(styles_dir), device).get(style_id)
    return paint_fast(content, network, style, options), style_id
