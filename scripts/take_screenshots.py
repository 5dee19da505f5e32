"""Takes the README's pictures of the web page, in an installed Chromium: docs/images/page_*.jpg.

    pip install --constraint constraints.txt --editable '.[dev,browser]'
    python -m scripts.take_screenshots

Starts a service of its own on a free port, which ends with it, and paints sample pictures in it.
"""

import argparse
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from cli.console import SAMPLES
from cli.up import Stack
from tests.browser.chromium import ARGUMENTS, find_chromium

IMAGES = Path(__file__).parents[1] / "docs" / "images"

#: Milliseconds that a picture may take.
PATIENCE = 300_000

LAPTOP = {"width": 1280, "height": 800}


def opened(browser: Browser, url: str, viewport: dict[str, int], scheme: str) -> Page:
    """The page, for a new visitor."""
    context = browser.new_context(viewport=viewport, color_scheme=scheme, locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(url)
    return page


def choose(page: Page, *style_ids: str) -> None:
    """The sample photograph and styles of the gallery."""
    page.locator("[data-field=content] input[type=file]").first.set_input_files(
        {"name": "Harbour.jpg", "mimeType": "image/jpeg", "buffer": (SAMPLES / "content_harbour.jpg").read_bytes()}
    )
    if len(style_ids) > 1:
        page.get_by_label("Blend several styles").check()
    for style_id in style_ids:
        page.locator(f"input[name=style_id][value={style_id}]").check(force=True)


def brush(page: Page, *places: tuple[float, float]) -> None:
    """A stroke on the photograph from place to place, both in parts of it."""
    box = page.locator(".mask-sheet").bounding_box()
    assert box
    for k, (x, y) in enumerate(places):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=10)
        if k == 0:
            page.mouse.down()
    page.mouse.up()


def save(page: Page, name: str) -> None:
    """What is seen of it, as a JPEG in the colours of the screen."""
    page.wait_for_timeout(1000)  # until what fades has faded
    path = IMAGES / f"page_{name}.jpg"
    with Image.open(BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").save(path, quality=85, optimize=True)
    print(f"{path} {path.stat().st_size} bytes")


def main() -> None:
    """Compose, the result, masks."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack("127.0.0.1", 0, Path(folder), quiet=True, own_redis=True) as stack,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS) as browser,
    ):
        page = opened(browser, stack.url, LAPTOP, "light")
        choose(page, "wheat_field")
        save(page, "compose")

        page.get_by_role("button", name="Paint", exact=True).click()
        page.locator(".viewer").wait_for()
        page.locator(".compare-range input").fill("45")
        save(page, "result")

        page = opened(browser, stack.url, LAPTOP, "dark")
        choose(page, "starry_night", "wheat_field")
        page.get_by_role("radio", name="By brush").check(force=True)
        dialog = page.get_by_role("dialog", name="Paint where each style goes")
        dialog.get_by_role("slider", name="Brush").fill("85")
        brush(page, *((x, 0.06 + 0.09 * y) for y in range(5) for x in ((0.02, 0.98), (0.98, 0.02))[y % 2]))
        dialog.get_by_role("group", name="Paint with").get_by_role("radio").nth(1).check(force=True)
        brush(page, (0.05, 0.97), (0.05, 0.8), (0.2, 0.87), (0.1, 0.95), (0.35, 0.97))
        save(page, "masks")


if __name__ == "__main__":
    main()
