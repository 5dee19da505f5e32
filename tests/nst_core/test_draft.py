"""Starts painted by trained styles; those of the test gallery have random weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from nst_core.draft import Draft, closest, draft
from nst_core.encoders import Encoder
from nst_core.errors import InvalidOptions, TooLittleMemory, UnknownStyle
from nst_core.fast import paint_fast
from nst_core.fast_models import FastModels
from nst_core.gallery import Gallery
from nst_core.gatys import Iterate, Subject, paint
from nst_core.image import to_picture
from nst_core.normalization import calibration_images
from nst_core.options import FastOptions, GatysOptions
from nst_core.pretrained import load_encoder

CONTENT, STYLE = (to_picture(image[None]) for image in calibration_images(2, 96))


@pytest.fixture(scope="module")
def compact() -> Encoder:
    return load_encoder("compact")


@pytest.fixture
def models(styles_dir: Path) -> FastModels:
    return FastModels(Gallery(styles_dir), torch.device("cpu"))


def options(**changes: Any) -> GatysOptions:
    values = {"size": 96, "iterations": 3, "init": "fast", "precision": "float32", **changes}
    return GatysOptions(**values)


def painted(models: FastModels, style_id: str, **changes: Any) -> Image.Image:
    return paint_fast(CONTENT, [models.get(style_id)], FastOptions(size=96, precision="float32", **changes))


def test_the_style_that_is_named_makes_the_start(compact: Encoder, models: FastModels) -> None:
    subject = Subject(content=CONTENT, styles=[STYLE])
    made = draft(subject, options(), compact, models, ["waves_color"])
    assert made == Draft(picture=painted(models, "waves_color"), style_ids=("waves_color",))
    with pytest.raises(UnknownStyle):
        draft(subject, options(), compact, models, ["nothing"])


@pytest.mark.parametrize("style_id", ["waves", "waves_color"])
def test_the_style_that_comes_closest_is_found(compact: Encoder, models: FastModels, style_id: str) -> None:
    # The style image is what that network paints: its style loss is zero.
    subject = Subject(content=CONTENT, styles=[painted(models, style_id)])
    assert closest(subject, options(content_weight=0.0), compact, models) == (style_id,)


def test_no_style_is_better_than_a_content_that_is_the_style(compact: Encoder, models: FastModels) -> None:
    made = draft(Subject(content=CONTENT, styles=[CONTENT]), options(), compact, models)
    assert made.style_ids == ()
    assert made.picture is CONTENT


def test_two_styles_each_have_their_region(compact: Encoder, models: FastModels) -> None:
    left, right = Image.new("L", (96, 96)), Image.new("L", (96, 96))
    left.paste(255, (0, 0, 48, 96))
    right.paste(255, (48, 0, 96, 96))
    subject = Subject(content=CONTENT, styles=[STYLE, STYLE], masks=[left, right])
    made = draft(subject, options(), compact, models, ["waves", "waves_color"]).picture
    halves = [painted(models, style_id) for style_id in ("waves", "waves_color")]
    for half, box in zip(halves, ((0, 0, 40, 96), (56, 0, 96, 96)), strict=True):
        assert made.crop(box).tobytes() == half.crop(box).tobytes()


def test_the_optimisation_starts_from_it_at_the_full_size(compact: Encoder, models: FastModels) -> None:
    style = painted(models, "waves")
    subject = Subject(content=CONTENT, styles=[style])

    def first(subject: Subject, options: GatysOptions) -> Iterate:
        return next(iter(paint(subject, options, compact)))

    start = draft(subject, options(), compact, models)
    drafted = first(replace(subject, initial=start.picture), options(size=96))
    assert (drafted.scale, drafted.scales, drafted.width) == (1, 1, 96)
    assert drafted.losses["style"] < 0.01 * first(subject, options(init="content")).losses["style"]
    with pytest.raises(InvalidOptions, match="initial image"):
        first(subject, options())


def test_a_panorama_has_a_closest_style_too(compact: Encoder, models: FastModels) -> None:
    subject = Subject(content=CONTENT.resize((960, 90)), styles=[STYLE])
    made = draft(subject, options(size=400), compact, models)
    assert made.picture.size == ((400, 38) if made.style_ids else (960, 90))


def test_the_strokes_of_the_start_are_those_asked_for(compact: Encoder, models: FastModels) -> None:
    subject = Subject(content=CONTENT, styles=[STYLE])
    # Not one that was learned: the nearest is taken, as the optimisation has strokes of any size.
    made = draft(subject, options(style_size=300), compact, models, ["waves"])
    assert made.picture == painted(models, "waves")


@pytest.mark.parametrize(
    ("changes", "styles", "masks", "field"),
    [({}, 2, 1, "mask"), ({"style_weights": (1.0, 2.0)}, 1, 0, "style_weights"), ({}, 0, 0, "style")],
)
def test_what_cannot_be_painted_has_no_start(
    compact: Encoder, models: FastModels, changes: dict[str, Any], styles: int, masks: int, field: str
) -> None:
    subject = Subject(content=CONTENT, styles=[STYLE] * styles, masks=[Image.new("L", (96, 96), 255)] * masks)
    with pytest.raises(InvalidOptions) as caught:
        draft(subject, options(**changes), compact, models)
    assert caught.value.field == field


def test_nothing_is_drafted_for_a_picture_that_does_not_fit(
    compact: Encoder, models: FastModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nst_core.draft.free_bytes", lambda _: 1000)
    before = models.misses + models.hits
    with pytest.raises(TooLittleMemory):
        draft(Subject(content=CONTENT, styles=[STYLE]), options(), compact, models, ["waves"])
    assert models.misses + models.hits == before


@pytest.mark.parametrize(
    ("changes", "style_ids", "styles", "field"),
    [({"init": "content"}, 1, 1, "style_id"), ({}, 2, 1, "style_id"), ({}, 2, 3, "style_id")],
)
def test_what_cannot_be_a_start_is_refused(changes: dict[str, Any], style_ids: int, styles: int, field: str) -> None:
    with pytest.raises(InvalidOptions) as caught:
        options(**changes).check_draft(style_ids=style_ids, styles=styles)
    assert caught.value.field == field
    options().check_draft(style_ids=0, styles=2)
    options().check_draft(style_ids=1, styles=2)
    options().check_draft(style_ids=2, styles=2)
