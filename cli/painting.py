"""Painting on this machine, without the service."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cli.console import out, progress_bar, read_mask, read_picture
from cli.engine_options import Pictures
from cli.snapshots import SnapshotFolder


@dataclass(frozen=True, kw_only=True)
class Painted:
    """A picture, and the figures of it.

    Attributes:
        image: (1, 3, H, W), RGB in [0, 1].
        by: the encoder, or the trained styles.
        options: the engine's, with the precision and the tiles in force.
        style_ids: the trained styles that took part.
        losses, similarity, stages, weights_sha256: see ``nst_core.record``.
    """

    image: Any
    by: str
    options: dict[str, Any]
    style_ids: Sequence[str] = ()
    losses: dict[str, float] = field(default_factory=dict)
    similarity: float | None = None
    stages: list[Any] = field(default_factory=list)
    weights_sha256: list[str] = field(default_factory=list)


def paint_like(
    content: Any,
    pictures: Pictures,
    engine: dict[str, Any],
    device: Any,
    weights_dir: Path | None,
    styles_dir: Path | None,
    snapshots: SnapshotFolder,
) -> Painted:
    """A picture in the style of others, by optimisation.

    Args:
        content: None where the options need none.
        snapshots: where they go, if the options ask for some.

    Raises:
        NSTError: it cannot be painted.
    """
    from nst_core.draft import draft
    from nst_core.evolution import SNAPSHOT_QUALITY
    from nst_core.fast_models import FastModels
    from nst_core.gallery import Gallery
    from nst_core.gatys import Subject, paint
    from nst_core.options import GatysOptions
    from nst_core.picture import encode
    from nst_core.pretrained import EncoderCache
    from nst_core.record import ScaleClock
    from nst_core.similarity import picture_similarity

    options = GatysOptions.from_mapping(engine)
    subject = Subject(
        content=content,
        styles=[read_picture(path) for path in pictures.styles],
        masks=_masks(content, pictures),
        initial=read_picture(pictures.initial) if pictures.initial else None,
    )
    encoder = EncoderCache(device, weights_dir).get(options.encoder, normalized=options.normalize_weights)
    drafted: Sequence[str] = ()
    weights: list[str] = []
    if options.init == "fast":
        models = FastModels(Gallery(styles_dir), device)
        made = draft(subject, options, encoder, models, pictures.style_ids)
        subject = replace(subject, initial=made.picture)
        drafted, weights = made.style_ids, models.gallery.digests(made.style_ids)
        out.print(f"the start is painted in {', '.join(made.style_ids) or 'nothing: no trained style comes closer'}")
    clock = ScaleClock()
    with progress_bar("painting") as bar:
        for last in clock.watch(paint(subject, options, encoder)):
            if options.has_snapshot(last.step):
                snapshots.add(last.step, encode(last.picture(), "jpeg", quality=SNAPSHOT_QUALITY))
            note = f"{last.step}/{last.total_steps}, {last.width} x {last.height}, loss {last.losses['total']:.4f}"
            bar.update(bar.task_ids[0], completed=last.fraction, note=note)
    snapshots.conclude()
    return Painted(
        image=last.image,
        by=options.encoder,
        options=_in_force(options, device) | ({"tile": last.tile} if last.tile else {}),
        style_ids=drafted,
        losses=last.losses,
        similarity=picture_similarity(last.picture(), content) if content else None,
        stages=clock.scales,
        weights_sha256=weights,
    )


def paint_in_styles(
    content: Any, pictures: Pictures, engine: dict[str, Any], device: Any, styles_dir: Path | None
) -> Painted:
    """A picture in trained styles.

    Raises:
        NSTError: it cannot be painted.
    """
    from nst_core.fast import paint_fast_image
    from nst_core.fast_models import FastModels
    from nst_core.gallery import Gallery
    from nst_core.image import to_picture
    from nst_core.options import FastOptions
    from nst_core.similarity import picture_similarity

    options = FastOptions.from_mapping(engine)
    models = FastModels(Gallery(styles_dir), device)
    styles = [models.get(style_id) for style_id in pictures.style_ids]
    image = paint_fast_image(content, styles, options, masks=_masks(content, pictures))
    return Painted(
        image=image,
        by=", ".join(pictures.style_ids),
        options=_in_force(options, device),
        style_ids=pictures.style_ids,
        similarity=picture_similarity(to_picture(image), content),
        weights_sha256=models.gallery.digests(pictures.style_ids),
    )


def _in_force(options: Any, device: Any) -> dict[str, Any]:
    from nst_core.device import precision_in_force

    return asdict(options) | {"precision": precision_in_force(options.precision, device)}


def _masks(content: Any, pictures: Pictures) -> list[Any]:
    if pictures.auto_mask:
        from nst_core.deep import eight_bits
        from nst_core.segmentation import auto_mask

        return [auto_mask(eight_bits(content), pictures.auto_mask)]
    return [read_mask(path) for path in pictures.masks]
