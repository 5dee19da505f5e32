from pathlib import Path

import pytest
import torch
from PIL import Image

from nst_core.encoders import Encoder
from nst_core.evaluation import Painted, Summary, contact_sheet, evaluate, judge, structural_similarity
from nst_core.image import to_picture
from nst_core.normalization import calibration_images
from nst_core.options import GatysOptions
from nst_core.pretrained import load_encoder


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


def test_structural_similarity_of_flat_images_is_that_of_their_means() -> None:
    # Without any structure only the luminance term is left: (2ab + c) / (a^2 + b^2 + c), c = 0.01^2.
    a, b = 0.25, 0.75
    similarity = structural_similarity(torch.full((1, 3, 32, 32), a), torch.full((1, 3, 32, 32), b))
    assert similarity == pytest.approx((2 * a * b + 1e-4) / (a * a + b * b + 1e-4), abs=1e-3)


def test_an_evaluation_paints_what_is_not_there_yet(encoder: Encoder, tmp_path: Path) -> None:
    content, style = (to_picture(image[None]) for image in calibration_images(2, 64))
    contents, styles = {"lake": content, "tree": style}, {"waves": style}

    def run(**options: int) -> list[Painted]:
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


def test_contact_sheet_holds_all_cells() -> None:
    picture = Image.new("RGB", (90, 30), "red")
    sheet = contact_sheet([[picture] * 3, [picture] * 2], [["a"] * 3, ["b"] * 2], cell=64)
    assert sheet.size == (192, 160)
    assert sheet.getpixel((10, 10)) == (255, 0, 0)
