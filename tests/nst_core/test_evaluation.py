from pathlib import Path

import pytest
import torch
from PIL import Image

from nst_core.color import color_statistics
from nst_core.encoders import Encoder
from nst_core.evaluation import (
    Judged,
    Summary,
    evaluate,
    judge,
    judged,
    paint_again,
    paint_styles,
    style_error_ratio,
    style_target,
)
from nst_core.fast_models import FastModels
from nst_core.gallery import Gallery
from nst_core.image import to_picture, to_tensor
from nst_core.normalization import calibration_images
from nst_core.options import FastOptions, GatysOptions
from nst_core.pretrained import load_encoder
from nst_core.style_training import Painting


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder("compact")


def test_a_perfect_copy_has_no_error(encoder: Encoder) -> None:
    picture = to_picture(calibration_images(1, 64))
    verdict = judge(picture, picture, picture, encoder)
    assert verdict.style_error < 1e-6
    assert verdict.content_error < 1e-6
    assert verdict.similarity > 0.999


def test_another_picture_has(encoder: Encoder) -> None:
    picture, other = to_picture(calibration_images(1, 64)), Image.new("RGB", (64, 64), (200, 10, 10))
    verdict = judge(other, picture, picture, encoder)
    assert verdict.style_error > 0.1
    assert verdict.content_error > 0.1
    assert verdict.similarity < 0.5


def test_an_evaluation_paints_what_is_not_there_yet(encoder: Encoder, tmp_path: Path) -> None:
    content, style = (to_picture(image[None]) for image in calibration_images(2, 64))
    contents, styles = {"lake": content, "tree": style}, {"waves": style}

    def run(**options: int) -> list[Judged]:
        chosen = GatysOptions(size=64, scales=1, seed=3, **({"iterations": 2} | options))
        return list(evaluate(encoder, encoder, contents, styles, chosen, tmp_path))

    first = run()
    assert [(p.content, p.style) for p in first] == [("lake", "waves"), ("tree", "waves")]
    kept, lost = tmp_path / "waves--lake.png", tmp_path / "waves--tree.png"
    written = kept.stat().st_mtime_ns
    lost.write_bytes(lost.read_bytes()[:200])
    second = run()
    assert kept.stat().st_mtime_ns == written
    assert [p.verdict for p in second] == [p.verdict for p in first]
    assert second[0].seconds == pytest.approx(first[0].seconds, abs=0.01)
    assert f"2 pictures: style error {Summary.of(first).style_error:.4f}" in str(Summary.of(second))
    # Other options make another picture.
    run(iterations=3)
    assert kept.stat().st_mtime_ns != written


@pytest.fixture
def models(styles_dir: Path) -> FastModels:
    return FastModels(Gallery(styles_dir), torch.device("cpu"))


@pytest.fixture(scope="module")
def contents() -> dict[str, Image.Image]:
    lake, tree = (to_picture(image[None]) for image in calibration_images(2, 64))
    return {"lake": lake, "tree": tree}


def test_a_fast_picture_that_is_photograph_and_painting_at_once_has_no_error(
    encoder: Encoder, models: FastModels, contents: dict[str, Image.Image], tmp_path: Path
) -> None:
    photograph = contents["lake"]
    painting = Painting(picture=photograph, keep_color=True)  # in its own colours it stays as it is
    options = FastOptions(size=64, strength=0)
    (one,) = paint_styles(models, ["waves_color"], {"lake": photograph}, options, tmp_path)
    verdict = judged(one, photograph, style_target(painting, photograph), encoder).verdict
    assert verdict.style_error < 1e-4  # one grey level of rounding
    assert verdict.content_error < 1e-6
    assert verdict.similarity > 0.999


def test_trained_styles_are_painted_when_they_are_not_there_yet(
    models: FastModels, contents: dict[str, Image.Image], tmp_path: Path
) -> None:
    def run(**options: float) -> list[tuple[str, str]]:
        painted = paint_styles(models, ["waves", "waves_color"], contents, FastOptions(size=64, **options), tmp_path)  # type: ignore[arg-type]
        return [(p.style, p.content) for p in painted]

    def written() -> list[int]:
        return [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())]

    pairs = [("waves", "lake"), ("waves", "tree"), ("waves_color", "lake"), ("waves_color", "tree")]
    assert run() == pairs
    first = written()
    assert run() == pairs
    assert written() == first
    run(strength=0.5)
    assert not set(first) & set(written())


def test_a_style_that_keeps_colours_aims_at_the_painting_in_those_of_the_photograph(
    contents: dict[str, Image.Image],
) -> None:
    photograph, painting = contents.values()
    assert style_target(Painting(picture=painting), photograph) is painting
    target = style_target(Painting(picture=painting, keep_color=True), photograph)
    for found, wanted in zip(color_statistics(to_tensor(target)), color_statistics(to_tensor(photograph)), strict=True):
        assert torch.allclose(found, wanted, atol=0.02)  # rounded to grey levels and cut off at black and white


def test_the_iterative_engine_paints_the_same_pairs_for_comparison(
    encoder: Encoder, models: FastModels, contents: dict[str, Image.Image], tmp_path: Path
) -> None:
    paintings = {
        name: Painting(picture=contents["tree"], keep_color=name.endswith("_color"))
        for name in ("waves", "waves_color")
    }
    fast = [
        judged(one, contents[one.content], style_target(paintings[one.style], contents[one.content]), encoder)
        for one in paint_styles(models, paintings, contents, FastOptions(size=64), tmp_path / "fast")
    ]
    options = GatysOptions(size=64, scales=1, iterations=2)
    again = list(paint_again(fast, encoder, encoder, contents, paintings, options, tmp_path / "iterative"))
    assert [(p.style, p.content) for p in again] == [(p.style, p.content) for p in fast]
    by_pair = {(p.style, p.content): p for p in again}
    assert by_pair["waves", "lake"].picture.tobytes() != by_pair["waves_color", "lake"].picture.tobytes()
    assert style_error_ratio(again, again) == pytest.approx(1)
    ratio = style_error_ratio(fast, again)
    assert style_error_ratio(again, fast) == pytest.approx(1 / ratio)
