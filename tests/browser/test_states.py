"""When the server is away, refuses, or has nothing; and what is kept meanwhile."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from cli.up import Stack
from tests.browser.conftest import Visit
from tests.browser.form import (
    be_quick,
    choose_paintings,
    choose_photograph,
    choose_styles,
    job_of,
    jpeg,
    paint,
    setting,
    small,
    tile,
)
from tests.browser.watch import Watch
from tests.service import FrontEnd, Service, System, wait_for

AWAY = "The server does not answer. It may be restarting; this page goes on by itself."

#: Bytes of a file that the server here takes.
MOST = 100_000


@pytest.fixture(scope="module")
def front_end(system: System, stack: Stack) -> Iterator[FrontEnd]:
    with system.front_end(stack, "states", NST_MAX_UPLOAD_BYTES=str(MOST), NST_ROOT_PATH="/nst") as front_end:
        yield front_end


@pytest.fixture
def running(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """The server, which a test may stop."""
    yield front_end
    front_end.stop()
    front_end.start()


@pytest.fixture
def root(front_end: FrontEnd) -> str:
    return f"{front_end.url}/"


def draft_of(page: Page) -> str:
    """What the browser keeps of what is composed."""
    return json.dumps(
        page.evaluate("""() => new Promise((resolve) => {
        const opening = indexedDB.open("nst");
        opening.onsuccess = () => {
            const request = opening.result.transaction("draft").objectStore("draft").get("rest");
            request.onsuccess = () => resolve(request.result ?? null);
        };
    })""")
    )


def test_it_lives_below_a_path(page: Page, root: str, service: Service) -> None:
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    page.reload()
    choose_photograph(page, small())
    choose_styles(page, "waves")
    expect(page.locator(".tile-picture[data-picture=there]")).to_have_count(2)
    be_quick(page)
    job_id = paint(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert Path(download.value.path()).read_bytes() == service.result(job_id)
    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("link", name="content_harbour").first).to_be_visible()
    assert root.endswith("/nst/")
    assert [url for url in addresses if not url.startswith((root, f"blob:{root.removesuffix('/nst/')}"))] == []


def test_the_server_restarts_while_one_composes(page: Page, running: FrontEnd, watch: Watch, service: Service) -> None:
    watch.expect_status(0)
    choose_photograph(page, small())
    choose_styles(page, "waves")
    be_quick(page)
    running.stop()
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.get_by_text(AWAY)).to_be_visible()
    expect(page.get_by_role("alert").filter(has_text="Nothing that you entered is lost; try again.")).to_be_visible()
    running.start()
    expect(page.get_by_text(AWAY)).to_be_hidden()
    expect(page.get_by_role("status").filter(has_text="The server is back.")).to_be_attached()
    expect(page.get_by_role("img", name="Your photograph content_harbour.jpg")).to_be_visible()
    expect(tile(page, "waves")).to_be_checked()
    expect(setting(page, "size")).to_have_value("64")
    service.succeeded(paint(page))


def test_the_server_restarts_while_a_job_is_painted(
    visit: Visit, running: FrontEnd, watch: Watch, service: Service
) -> None:
    watch.expect_status(0)
    job_id = service.submit(size=128, iterations=5000)
    service.started(job_id)
    page = visit(f"#/jobs/{job_id}")
    expect(page.get_by_text(re.compile(r"^\d+% done$"))).to_be_visible()
    running.stop()
    expect(page.get_by_text(AWAY)).to_be_visible()
    expect(page.get_by_role("progressbar", name="Progress")).to_be_visible()
    running.start()
    expect(page.get_by_text(AWAY)).to_be_hidden()
    service.http.post(f"/jobs/{job_id}/cancel")
    expect(page.get_by_role("heading", name="Canceled")).to_be_visible()


def test_the_server_is_away_when_the_gallery_is_wanted(page: Page, running: FrontEnd, watch: Watch) -> None:
    watch.expect_status(0)
    expect(page.locator("input[name=style_id]")).to_have_count(2)
    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    running.stop()
    page.get_by_role("link", name="Paint", exact=True).click()
    refusal = page.get_by_role("alert").filter(has_text="The server does not answer")
    expect(refusal).to_be_visible()
    running.start()
    expect(page.locator("input[name=style_id]")).to_have_count(2)
    expect(refusal).to_be_hidden()


def test_the_server_is_away_when_a_view_is_wanted(visit: Visit, running: FrontEnd, watch: Watch) -> None:
    watch.expect_status(0)
    page = visit()
    # As if it had not been fetched yet.
    page.route("**/views/history.js", lambda route: route.abort())
    page.reload()
    expect(page.locator("input[name=style_id]")).to_have_count(2)
    running.stop()
    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("heading", name="The server does not answer")).to_be_visible()
    page.unroute("**/views/history.js")
    running.start()
    expect(page.get_by_role("heading", name="History")).to_be_visible()


def test_the_browser_is_offline(page: Page, watch: Watch) -> None:
    watch.expect_status(0)
    choose_photograph(page, small())
    page.context.set_offline(True)
    message = page.get_by_text("You are offline. Everything goes on as soon as there is a connection.")
    expect(message).to_be_visible()
    expect(page.get_by_role("img", name="Your photograph content_harbour.jpg")).to_be_visible()
    page.context.set_offline(False)
    expect(message).to_be_hidden()


@pytest.mark.parametrize(
    ("file", "status", "title"),
    [
        (
            {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"No picture." * 99},
            415,
            "A file is not a picture",
        ),
        ({"name": "half.jpg", "mimeType": "image/jpeg", "buffer": small()["buffer"][:700]}, 400, "A picture cannot"),
        (jpeg(Image.effect_noise((700, 700), 90).convert("RGB"), "noise.jpg"), 413, "A file is too large"),
    ],
    ids=["no picture", "damaged", "too large"],
)
def test_a_file_is_refused(page: Page, watch: Watch, file: FilePayload, status: int, title: str) -> None:
    watch.expect_status(status)
    page.locator("[data-field=content] input[type=file]").first.set_input_files(file)
    expect(page.locator(".content-caption")).to_contain_text(file["name"])
    choose_styles(page, "waves")
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text=title)).to_be_visible()
    expect(page.get_by_role("button", name="Paint", exact=True)).to_be_enabled()
    choose_photograph(page, small())
    be_quick(page)
    paint(page)
    expect(page.get_by_role("link", name="Download")).to_be_visible()


def test_what_is_composed_outlives_a_reload(page: Page, service: Service) -> None:
    choose_photograph(page, small())
    choose_paintings(page, small(Service.style), small(Service.style.with_name("style_ink.jpg")))
    page.get_by_role("slider", name="How much of style_ink.jpg").focus()
    page.keyboard.press("End")
    page.get_by_label("Preset").select_option("Quick look")
    page.get_by_label("Colours", exact=True).select_option("luminance")
    be_quick(page, seed=11)
    wait_for(lambda: '"seed": "11"' in draft_of(page))

    page.reload()
    expect(page.get_by_role("img", name="Your photograph content_harbour.jpg")).to_be_visible()
    chosen = page.get_by_role("list", name="Chosen styles")
    expect(chosen.locator(".row-name")).to_have_text(["style_flow.jpg", "style_ink.jpg"])
    expect(chosen.locator(".field-value")).to_have_text(["33%", "67%"])
    expect(page.get_by_label("Preset")).to_have_value("quick")
    expect(setting(page, "seed")).to_have_value("11")
    page.get_by_role("link", name="History").click()
    page.get_by_role("link", name="Paint", exact=True).click()
    paint(page)
    params = service.job(job_of(page))["input"]["params"]
    expected = {"style_weights": [1, 2], "preset": "quick", "color": ["luminance"], "seed": 11, "size": 64}
    assert {name: params[name] for name in expected} == expected
    expect(page.get_by_role("link", name="Download")).to_be_visible()


def test_a_gallery_without_styles(visit: Visit, system: System, stack: Stack, watch: Watch) -> None:
    folder = system.folder / "no-styles"
    folder.mkdir()
    (folder / "manifest.json").write_text('{"styles": []}')
    with system.front_end(stack, "bare", NST_STYLES_DIR=str(folder)) as bare:
        watch.origin = bare.url
        page = visit(f"{bare.url}/")
        expect(page.get_by_text("The gallery is empty.")).to_be_visible()
        page.get_by_role("radio", name="Your paintings").check(force=True)
        expect(page.get_by_text("Drop paintings here")).to_be_visible()
