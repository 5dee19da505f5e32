"""Masks that are painted with a brush."""

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import Visit
from tests.browser.watch import Watch
from tests.service import Service


def jpeg(picture: Image.Image, **options: object) -> FilePayload:
    file = BytesIO()
    picture.save(file, "JPEG", **options)
    return {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}


def drawing() -> Image.Image:
    """A picture in which something stands out, wider than high."""
    picture = Image.new("RGB", (300, 200), "#7a8ca0")
    picture.paste("#d04020", (100, 60, 180, 150))
    return picture


def compose(page: Page, content: FilePayload, styles: int = 1) -> None:
    """Choose a photograph and so many styles of the gallery."""
    page.locator("[data-field=content] input[type=file]").first.set_input_files(content)
    if styles > 1:
        page.get_by_label("Blend several styles").check()
    for k in range(styles):
        page.locator("input[name=style_id]").nth(k).check(force=True)


def edit(page: Page) -> Locator:
    """The dialog in which masks are painted."""
    page.get_by_role("radio", name="By brush").check(force=True)
    dialog = page.get_by_role("dialog", name="Paint where each style goes")
    expect(dialog.get_by_role("application")).to_be_focused()
    return dialog


def stroke(
    page: Page, dialog: Locator, begin: tuple[float, float], end: tuple[float, float], button: str = "left"
) -> None:
    """Paint from one place of the picture to another; both in parts of it."""
    box = dialog.locator(".mask-sheet").bounding_box()
    assert box
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (begin, end)]
    page.mouse.move(*points[0])
    page.mouse.down(button=button)  # type: ignore[arg-type]
    page.mouse.move(*points[1], steps=8)
    page.mouse.up(button=button)  # type: ignore[arg-type]


def areas(dialog: Locator) -> list[str]:
    return dialog.locator(".mask-area").all_inner_texts()


def sent_masks(page: Page, service: Service) -> list[NDArray[np.uint8]]:
    """Send the job; the masks as the service has them."""
    page.get_by_role("button", name="Paint", exact=True).click()
    page.wait_for_url("**/#/jobs/*")
    job_id = page.url.rpartition("/")[2]
    masks = []
    for digest in service.job(job_id)["input"]["mask_sha256"]:
        file = service.http.get(f"/jobs/{job_id}/inputs/{digest}").content
        with Image.open(BytesIO(file)) as mask:
            assert (mask.format, mask.mode) == ("PNG", "L")
            masks.append(np.asarray(mask))
    assert service.succeeded(job_id)["method"] == "fast"
    return masks


def test_what_is_painted_is_sent(page: Page, service: Service) -> None:
    compose(page, jpeg(drawing()))
    dialog = edit(page)
    assert areas(dialog) == ["nothing yet"]

    stroke(page, dialog, (0.2, 0.5), (0.8, 0.5))
    expect(dialog.locator(".mask-area")).not_to_have_text("nothing yet")
    dialog.get_by_role("button", name="Use masks").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("radio", name="By brush")).to_be_checked()

    (mask,) = sent_masks(page, service)
    assert mask.shape == (200, 300)
    assert mask[100, 60:240].min() == 255
    assert mask[:60].max() == mask[140:].max() == 0


def test_it_is_painted_by_keyboard_alone(page: Page, service: Service) -> None:
    compose(page, jpeg(drawing()))
    dialog = edit(page)
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.down("Space")
    page.keyboard.press("ArrowUp")
    page.keyboard.up("Space")
    first = areas(dialog)
    assert first != ["nothing yet"]

    for key in ("Enter", "Shift+ArrowRight", "Shift+ArrowRight", "Enter", "ArrowDown"):
        page.keyboard.press(key)
    assert areas(dialog) != first
    expect(dialog.get_by_role("status")).to_contain_text("across")

    for _ in range(4):
        page.keyboard.press("]")
    dialog.get_by_role("button", name="Use masks").focus()
    page.keyboard.press("Enter")
    (mask,) = sent_masks(page, service)
    assert mask.max() == 255
    assert mask.min() == 0


def test_it_is_erased_undone_and_done_again(page: Page) -> None:
    compose(page, jpeg(drawing()))
    dialog = edit(page)
    dialog.get_by_role("button", name="Everything").click()
    assert areas(dialog) == ["100%"]
    expect(dialog.locator(".mask-bare")).to_contain_text("0% is not painted")

    stroke(page, dialog, (0.1, 0.5), (0.9, 0.5), button="right")
    erased = areas(dialog)
    assert erased != ["100%"]
    dialog.get_by_role("application").focus()
    page.keyboard.press("x")
    expect(dialog.get_by_role("radio", name="Erase")).to_be_checked()
    stroke(page, dialog, (0.5, 0.1), (0.5, 0.9))
    twice = areas(dialog)
    assert twice not in (erased, ["100%"])

    page.keyboard.press("Control+z")
    assert areas(dialog) == erased
    page.keyboard.press("Control+z")
    assert areas(dialog) == ["100%"]
    page.keyboard.press("Control+Shift+z")
    page.keyboard.press("Control+Shift+z")
    assert areas(dialog) == twice
    expect(dialog.get_by_role("button", name="Redo")).to_be_disabled()


def test_each_style_needs_a_place(page: Page, service: Service) -> None:
    compose(page, jpeg(drawing()), styles=2)
    dialog = edit(page)
    stroke(page, dialog, (0.2, 0.5), (0.8, 0.5))
    dialog.get_by_role("button", name="Use masks").click()
    expect(dialog.get_by_role("alert")).to_contain_text("has no place yet")
    expect(dialog.get_by_role("group", name="Paint with").get_by_role("radio").nth(1)).to_be_checked()

    dialog.get_by_role("button", name="The rest").click()
    expect(dialog.locator(".mask-bare")).to_contain_text("0% is not painted")
    dialog.get_by_role("button", name="Use masks").click()
    first, second = sent_masks(page, service)
    assert np.array_equal(second, 255 - first)
    assert 0 < first.mean() < 255


def test_the_service_finds_the_subject(page: Page) -> None:
    compose(page, jpeg(drawing()))
    dialog = edit(page)
    dialog.get_by_role("button", name="Subject").click()
    expect(dialog.get_by_role("status")).to_have_text("The subject is painted.", timeout=60_000)
    subject = int(areas(dialog)[0].rstrip("%"))
    assert 6 < subject < 20  # 12 % of the drawing

    dialog.get_by_role("button", name="Background").click()
    expect(dialog.get_by_role("status")).to_have_text("The background is painted.", timeout=60_000)
    assert abs(int(areas(dialog)[0].rstrip("%")) - (100 - subject)) <= 1


def test_it_is_said_when_nothing_stands_out(page: Page, watch: Watch) -> None:
    watch.expect_status(422)
    compose(page, jpeg(Image.new("RGB", (200, 200), "#808080")))
    dialog = edit(page)
    dialog.get_by_role("button", name="Subject").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Nothing stands out", timeout=60_000)


def test_leaving_asks_first(page: Page) -> None:
    compose(page, jpeg(drawing()))
    dialog = edit(page)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()

    dialog = edit(page)
    stroke(page, dialog, (0.2, 0.5), (0.8, 0.5))
    page.keyboard.press("Escape")
    expect(dialog.get_by_text("Leave without what you have painted?")).to_be_visible()
    dialog.get_by_role("button", name="Go on painting").click()
    expect(dialog.get_by_role("application")).to_be_focused()
    dialog.get_by_role("button", name="Cancel").click()
    dialog.get_by_role("button", name="Leave").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("radio", name="Everywhere")).to_be_checked()


def test_masks_are_there_again(page: Page) -> None:
    compose(page, jpeg(drawing()))
    dialog = edit(page)
    stroke(page, dialog, (0.2, 0.5), (0.8, 0.5))
    painted = areas(dialog)
    dialog.get_by_role("button", name="Use masks").click()
    page.get_by_role("button", name="Edit the masks").click()
    expect(dialog.locator(".mask-area")).to_have_text(painted)


def test_a_photograph_that_lies_on_its_side(page: Page, service: Service) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter: 200 wide, 300 high
    compose(page, jpeg(drawing(), exif=exif))
    dialog = edit(page)
    stroke(page, dialog, (0.5, 0.1), (0.5, 0.9))
    dialog.get_by_role("button", name="Use masks").click()
    (mask,) = sent_masks(page, service)
    assert mask.shape == (300, 200)
    assert mask[60:240, 100].min() == 255
    assert mask[:, :40].max() == 0


def test_two_fingers_zoom_and_do_not_paint(visit: Visit) -> None:
    page = visit(has_touch=True, viewport={"width": 390, "height": 800})
    compose(page, jpeg(drawing()))
    dialog = edit(page)
    before = dialog.locator(".mask-sheet").bounding_box()
    assert before
    x, y = before["x"] + before["width"] / 2, before["y"] + before["height"] / 2
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": px, "y": py, "id": k} for k, (px, py) in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", (x - 20, y))
    fingers("touchStart", (x - 20, y), (x + 20, y))
    fingers("touchMove", (x - 60, y), (x + 60, y))
    fingers("touchEnd")
    after = dialog.locator(".mask-sheet").bounding_box()
    assert after
    assert after["width"] == pytest.approx(3 * before["width"], rel=0.05)
    assert areas(dialog) == ["nothing yet"]

    fingers("touchStart", (x, y))
    fingers("touchMove", (x + 30, y))
    fingers("touchEnd")
    assert areas(dialog) != ["nothing yet"]
    dialog.get_by_role("button", name="Show the whole picture").click()
    assert dialog.locator(".mask-sheet").bounding_box() == before


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_is_accessible(visit: Visit, colours: str, width: int) -> None:
    page = visit(color_scheme=colours, viewport={"width": width, "height": 740})
    compose(page, jpeg(drawing()), styles=2)
    dialog = edit(page)
    stroke(page, dialog, (0.2, 0.5), (0.8, 0.5))
    dialog.get_by_role("button", name="Use masks").click()
    expect(dialog.get_by_role("alert")).not_to_be_empty()
    assert violations(page) == []
