"""Pictures side by side with captions."""

from PIL import Image, ImageChops

from nst_core.contact_sheet import contact_sheet


def test_a_sheet_holds_all_cells() -> None:
    picture = Image.new("RGB", (90, 30), "red")
    sheet = contact_sheet([[picture] * 3, [picture] * 2], [["a"] * 3, ["b"] * 2], cell=64)
    assert sheet.size == (192, 80)
    assert sheet.getpixel((10, 10)) == (255, 0, 0)


def test_every_line_of_a_caption_is_below_its_picture() -> None:
    picture = Image.new("RGB", (90, 30), "white")

    def written(caption: str) -> tuple[int, int, int, int]:
        sheet = contact_sheet([[picture]], [[caption]], cell=64)
        box = ImageChops.invert(sheet).getbbox()
        assert box is not None
        assert box[1] >= 2 + 20  # the picture is 60 x 20
        assert box[3] <= sheet.height
        return box

    top, bottom = written("one")[1::2]
    assert written("one\none")[1] - top <= 1
    assert written("one\none")[3] - bottom >= 10
