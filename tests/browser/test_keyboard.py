"""The whole way without a mouse."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NARROW, WIDE, Visit
from tests.browser.form import small
from tests.service import Service

#: Marks what has the focus, and tells what it is: of a file input, which is not seen, its label is.
_FOCUSED = """() => {
    const element = document.activeElement;
    if (element === document.body) return null;
    for (const other of document.querySelectorAll("[data-focused]")) other.removeAttribute("data-focused");
    const seen = element.getBoundingClientRect().width > 1 ? element : element.closest("label");
    seen.dataset.focused = "";
    const label = element.labels?.[0]?.innerText || element.getAttribute("aria-label") || element.innerText;
    return (label || element.tagName).trim();
}"""

#: More than there is to reach.
ENOUGH = 60


def focused(page: Page) -> str | None:
    """What has the focus is called so; nothing at the end of the page."""
    name = page.evaluate(_FOCUSED)
    return None if name is None else str(name)


def look(page: Page) -> bytes:
    """What is where the focus is, and a little around it."""
    box = page.locator("[data-focused]").bounding_box()
    assert box
    x, y = max(0, box["x"] - 6), max(0, box["y"] - 6)
    return page.screenshot(clip={"x": x, "y": y, "width": box["width"] + 12, "height": box["height"] + 12})


def tab_to(page: Page, place: Locator) -> None:
    """Press Tab until it has the focus."""
    for _ in range(ENOUGH):
        page.keyboard.press("Tab")
        if place.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"Tab does not lead to {place}")


def test_from_a_photograph_to_a_file(page: Page, service: Service) -> None:
    expect(page.locator("input[name=style_id]")).to_have_count(2)
    tab_to(page, page.locator("[data-field=content] input[type=file]").first)
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(small())
    expect(page.get_by_role("img", name="Your photograph content_harbour.jpg")).to_be_visible()
    expect(page.locator("[data-field=content] input[type=file]")).to_be_focused()

    tab_to(page, page.locator("input[name=style_id]").first)
    page.keyboard.press("Space")
    expect(page.locator("input[name=style_id]").first).to_be_checked()
    page.keyboard.press("ArrowRight")
    expect(page.locator("input[name=style_id]").last).to_be_checked()
    expect(page.locator("input[name=style_id]").last).to_be_focused()
    tab_to(page, page.locator("input[type=number][name=size]"))
    page.keyboard.type("64")
    tab_to(page, page.get_by_role("button", name="Paint", exact=True))
    page.keyboard.press("Enter")

    # Who sent it is led to what it is called, and stays there when it is finished.
    download = page.get_by_role("link", name="Download")
    expect(download).to_be_visible()
    expect(page.get_by_role("heading", name="content_harbour")).to_be_focused()
    expect(page.get_by_role("slider", name="How much of the photograph is shown")).to_be_visible()
    tab_to(page, page.get_by_role("slider", name="How much of the photograph is shown"))
    page.keyboard.press("End")
    tab_to(page, download)
    with page.expect_download() as file:
        page.keyboard.press("Enter")
    job_id = page.url.rpartition("/")[2]
    assert Path(file.value.path()).read_bytes() == service.result(job_id)
    assert service.job(job_id)["input"]["params"]["style_id"] == "waves_color"


def test_the_content_is_skipped_to(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_be_attached()
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).not_to_be_in_viewport()
    page.keyboard.press("Tab")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport(ratio=1)
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("[data-field=content] input").first).to_be_focused()


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_focus_is_seen_and_in_order(visit: Visit, viewport: dict[str, int]) -> None:
    page = visit(viewport=viewport)
    expect(page.locator("input[name=style_id]")).to_have_count(2)
    order = []
    for _ in range(ENOUGH):
        page.keyboard.press("Tab")
        name = focused(page)
        if name is None:
            break
        order.append(name)
        place = page.locator("[data-focused]")
        expect(place).to_be_in_viewport()
        with_focus = look(page)
        page.evaluate("document.activeElement.blur()")
        assert look(page) != with_focus, f"one cannot see that {name} has the focus"
    assert order == [
        "Skip to the content", "NST Server", "Paint", "History", "Train a style", "API key",
        "Choose a photograph", "Gallery", "Waves [at night]", "Blend several styles",
        "Size", "Size", "Strength", "Strength", "Colours", "All settings", "Paint", "HTTP API", "OpenAPI",
    ]  # fmt: skip


def test_a_view_that_is_opened_has_the_focus(page: Page) -> None:
    expect(page.locator("input[name=style_id]")).to_have_count(2)
    tab_to(page, page.get_by_role("link", name="History"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="History")).to_be_focused()


def test_a_dialog_keeps_the_focus_and_gives_it_back(page: Page) -> None:
    expect(page.locator("input[name=style_id]")).to_have_count(2)
    button = page.get_by_role("button", name="API key")
    tab_to(page, button)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="API key")
    expect(dialog.get_by_label("Key", exact=True)).to_be_focused()
    for _ in range(6):
        page.keyboard.press("Tab")
        assert not page.get_by_role("main").evaluate("main => main.contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
