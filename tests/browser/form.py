"""The form in which a picture is composed, and the pictures that go into it."""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import FilePayload, FloatRect, Locator, Page, expect

from tests.service import Service


def small(path: Path = Service.content, side: int = 128) -> FilePayload:
    """A picture, scaled down to be quick."""
    with Image.open(path) as picture:
        picture.thumbnail((side, side))
        return jpeg(picture, f"{path.stem}.jpg")


def jpeg(picture: Image.Image, name: str) -> FilePayload:
    file = BytesIO()
    picture.save(file, "JPEG", quality=95)
    return {"name": name, "mimeType": "image/jpeg", "buffer": file.getvalue()}


def choose_photograph(page: Page, file: FilePayload | Path) -> None:
    content = page.locator("[data-field=content]")
    content.locator("input[type=file]").first.set_input_files(file)
    expect(content.locator("img")).to_be_visible()


def choose_styles(page: Page, *styles: str) -> None:
    """Those of the gallery; several are blended."""
    if len(styles) > 1:
        page.get_by_label("Blend several styles").check()
    for style in styles:
        tile(page, style).check(force=True)


def choose_paintings(page: Page, *files: FilePayload | Path) -> None:
    """The user's own."""
    page.get_by_role("radio", name="Your paintings").check(force=True)
    for file in files:
        page.locator(".styles-choice input[type=file]").set_input_files(file)


def tile(page: Page, style: str) -> Locator:
    """What chooses a style of the gallery."""
    return page.locator(f"input[name=style_id][value={style}]")


def setting(page: Page, name: str) -> Locator:
    """The control of a field; of a slider the number beside it."""
    return page.locator(f"[data-field={name}] [name={name}]")


def unfold(page: Page) -> None:
    """Show all settings."""
    fold = page.locator("details.fold", has=page.get_by_text("All settings"))
    if fold.get_attribute("open") is None:
        fold.locator("summary").click()


def be_quick(page: Page, **settings: object) -> None:
    """A small picture, in few iterations where there are any; and these settings."""
    quick = {"size": 64, **({"iterations": 4} if setting(page, "iterations").count() else {}), **settings}
    unfold(page)
    for name, value in quick.items():
        setting(page, name).fill(str(value))


def paint(page: Page) -> str:
    """Send it; the id of the job that is shown then."""
    page.get_by_role("button", name="Paint", exact=True).click()
    page.wait_for_url("**/#/jobs/*")
    return job_of(page)


def job_of(page: Page) -> str:
    return page.url.rpartition("/")[2]


def box_of(place: Locator) -> FloatRect:
    """Where it is on the screen."""
    box = place.bounding_box()
    assert box, f"not to be seen: {place}"
    return box


def pixels_of(place: Locator) -> NDArray[np.int64]:
    """What is on the screen there, as it is, without scrolling."""
    with Image.open(BytesIO(place.page.screenshot(clip=box_of(place)))) as picture:
        return np.asarray(picture.convert("RGB"), dtype=np.int64)
