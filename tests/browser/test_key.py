"""A server that asks for a key."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from cli.up import Stack
from tests.browser.conftest import Visit
from tests.browser.form import be_quick, choose_photograph, choose_styles, paint, small
from tests.browser.watch import Watch
from tests.service import FrontEnd, Service, System

ADA, BOB = "the-key-of-ada-lovelace", "the-key-of-bob-the-builder"


@pytest.fixture(scope="module")
def front_end(system: System, stack: Stack) -> Iterator[FrontEnd]:
    with system.front_end(stack, "keys", NST_API_KEYS=f"ada:{ADA},bob:{BOB}") as front_end:
        yield front_end


@pytest.fixture
def root(front_end: FrontEnd) -> str:
    return f"{front_end.url}/"


@pytest.fixture
def asked(visit: Visit, watch: Watch) -> Page:
    """The page, which asks for a key."""
    watch.expect_status(401)
    page = visit()
    expect(dialog_of(page)).to_be_visible()
    return page


def dialog_of(page: Page) -> Locator:
    return page.get_by_role("dialog", name="A key is needed")


def enter(page: Page, key: str) -> None:
    dialog_of(page).get_by_label("Key", exact=True).fill(key)
    dialog_of(page).get_by_role("button", name="Use this key").click()


def test_a_wrong_key_is_not_taken(asked: Page) -> None:
    field = dialog_of(asked).get_by_label("Key", exact=True)
    expect(field).to_be_focused()
    enter(asked, "")
    expect(dialog_of(asked).get_by_role("alert")).to_have_text("Enter the key that you were given.")
    enter(asked, "nobody's")
    expect(dialog_of(asked).get_by_role("alert")).to_have_text("The server does not know this key.")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    asked.keyboard.press("Escape")
    expect(dialog_of(asked)).to_be_hidden()
    asked.reload()
    expect(dialog_of(asked)).to_be_visible()


def test_the_right_key_is_kept(asked: Page) -> None:
    enter(asked, ADA)
    expect(dialog_of(asked)).to_be_hidden()
    expect(asked.locator("input[name=style_id]")).to_have_count(2)
    asked.reload()
    expect(asked.locator("input[name=style_id]")).to_have_count(2)
    expect(dialog_of(asked)).to_be_hidden()


def test_it_is_forgotten(asked: Page) -> None:
    enter(asked, ADA)
    expect(asked.locator("input[name=style_id]")).to_have_count(2)
    asked.get_by_role("button", name="API key").click()
    asked.get_by_role("button", name="Forget the key").click()
    expect(dialog_of(asked)).to_be_visible()
    assert asked.evaluate("localStorage.length") == 0


def test_everything_is_asked_for_with_the_key(asked: Page) -> None:
    enter(asked, ADA)
    expect(asked.locator("input[name=style_id]")).to_have_count(2)
    requests: list[Request] = []
    asked.on("request", lambda request: requests.append(request))
    asked.reload()
    choose_photograph(asked, small())
    choose_styles(asked, "waves")
    expect(asked.locator(".tile-picture[data-picture=there]")).to_have_count(2)
    be_quick(asked)
    job_id = paint(asked)
    expect(asked.locator(".viewer-before")).to_be_visible()
    expect(asked.locator(".style-picture[data-picture=there]")).to_be_visible()
    with asked.expect_download():
        asked.get_by_role("link", name="Download").click()

    sent = {urlsplit(request.url): request.all_headers().get("authorization") for request in requests}
    assert not [url for url in sent if ADA in url.geturl()]
    ours = {url.path: key for url, key in sent.items() if url.path.startswith(("/jobs", "/styles", "/system"))}
    assert {f"/jobs/{job_id}/result", "/styles/waves/thumbnail"} <= ours.keys()
    assert set(ours.values()) == {f"Bearer {ADA}"}


def test_the_jobs_of_others_are_not_shown(asked: Page, front_end: FrontEnd, watch: Watch) -> None:
    with Service(front_end.url) as ada:
        ada.http.headers["X-API-Key"] = ADA
        job_id = ada.accepted(ada.post_fast(metadata='{"name": "of ada"}'))
        ada.succeeded(job_id)
    watch.expect_status(404)
    enter(asked, BOB)
    asked.goto(f"#/jobs/{job_id}")
    expect(asked.get_by_role("heading", name="There is no such picture")).to_be_visible()
    asked.goto("#/history")
    expect(asked.get_by_role("heading", name="No pictures yet")).to_be_visible()

    asked.get_by_role("button", name="API key").click()
    asked.get_by_label("Key", exact=True).fill(ADA)
    asked.get_by_role("button", name="Use this key").click()
    asked.get_by_role("link", name="of ada").click()
    expect(asked.get_by_role("heading", name="of ada")).to_be_visible()
    expect(asked.get_by_role("link", name="Download")).to_be_visible()
