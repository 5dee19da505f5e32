from PIL import Image

from nst_core.evaluation import contact_sheet, judge, summarize
from nst_core.image import to_picture
from nst_core.normalization import calibration_images
from nst_core.pretrained import load_encoder


def test_a_perfect_copy_has_no_error() -> None:
    picture = to_picture(calibration_images(1, 64))
    verdict = judge(picture, picture, picture, load_encoder("compact"))
    assert verdict.style_error < 1e-6
    assert verdict.content_error < 1e-6
    assert "style error 0.0000" in summarize([verdict])


def test_another_picture_has() -> None:
    picture, other = to_picture(calibration_images(1, 64)), Image.new("RGB", (64, 64), (200, 10, 10))
    verdict = judge(other, picture, picture, load_encoder("compact"))
    assert verdict.style_error > 0.1
    assert verdict.content_error > 0.1


def test_contact_sheet_holds_all_cells() -> None:
    picture = Image.new("RGB", (90, 30), "red")
    sheet = contact_sheet([[picture] * 3, [picture] * 2], [["a"] * 3, ["b"] * 2], cell=64)
    assert sheet.size == (192, 160)
    assert sheet.getpixel((10, 10)) == (255, 0, 0)
