"""The pictures of a caller."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from cli.up import Stack
from tests.browser.axe import violations
from tests.browser.conftest import Visit
from tests.browser.watch import Watch
from tests.service import FrontEnd, Service, System

#: Whose histories the tests look at: each test has one of its own.
CALLERS = tuple(f"caller{k}" for k in range(12))


def key_of(caller: str) -> str:
    return f"the-key-of-{caller}"


@pytest.fixture(scope="module")
def front_end(system: System, stack: Stack) -> Iterator[FrontEnd]:
    keys = ",".join(f"{caller}:{key_of(caller)}" for caller in CALLERS)
    with system.front_end(stack, "history", NST_API_KEYS=keys) as front_end:
        yield front_end


@pytest.fixture(scope="module")
def callers() -> Iterator[str]:
    return iter(CALLERS)


@pytest.fixture
def caller(callers: Iterator[str]) -> str:
    """Somebody who has painted nothing yet."""
    return next(callers)


@pytest.fixture
def mine(front_end: FrontEnd, caller: str) -> Iterator[Service]:
    """The service, spoken to with the caller's key."""
    with Service(front_end.url) as service:
        service.http.headers["X-API-Key"] = key_of(caller)
        yield service


@pytest.fixture
def root(front_end: FrontEnd) -> str:
    return f"{front_end.url}/"


def open_history(visit: Visit, caller: str, **options: Any) -> Page:
    page = visit("livez", **options)
    page.evaluate("(key) => localStorage.setItem('nst.key', key)", key_of(caller))
    page.goto("#/history")
    page.reload()
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    return page


def named(name: str, **fields: Any) -> dict[str, Any]:
    """Fields of a job of this name."""
    return {"metadata": json.dumps({"name": name}), **fields}


def item(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_role("link", name=name))


def test_it_leads_on_while_it_is_empty(visit: Visit, caller: str) -> None:
    page = open_history(visit, caller)
    expect(page.get_by_role("heading", name="No pictures yet")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("link", name="Paint a picture").click()
    page.wait_for_url("**/#/")


def test_pictures_are_seen_and_opened(visit: Visit, caller: str, mine: Service) -> None:
    job_id = mine.accepted(mine.post_fast(**named("harbour")))
    mine.succeeded(job_id)
    page = open_history(visit, caller)
    picture = item(page, "harbour").locator("img")
    expect(picture).to_have_attribute("data-picture", "there")
    assert picture.evaluate("image => image.naturalWidth") == 64
    assert violations(page) == []
    page.get_by_role("link", name="harbour").click()
    page.wait_for_url(f"**/#/jobs/{job_id}")


def test_it_goes_on_as_one_reads(visit: Visit, caller: str, mine: Service) -> None:
    jobs = [mine.accepted(mine.post_fast(**named(f"picture {k}"))) for k in range(42)]
    mine.succeeded(jobs[-1])
    page = open_history(visit, caller)
    links = page.locator(".history-link")
    expect(links.first).to_contain_text("picture 41")
    links.last.scroll_into_view_if_needed()
    expect(links).to_have_count(42)
    expect(links.last).to_contain_text("picture 0")


def test_it_is_filtered(visit: Visit, caller: str, mine: Service) -> None:
    mine.succeeded(mine.accepted(mine.post_fast(**named("fast one"))))
    failed = mine.submit(**named("slow one", size=128, iterations=5000))
    mine.http.post(f"/jobs/{failed}/cancel")
    assert mine.finished(failed)["status"] == "canceled"
    page = open_history(visit, caller)
    expect(item(page, "slow one")).to_contain_text("Canceled")

    page.get_by_role("radio", name="Gallery").check(force=True)
    expect(item(page, "slow one")).to_be_hidden()
    expect(item(page, "fast one")).to_be_visible()
    page.get_by_role("combobox", name="Status").select_option(label="Canceled")
    expect(page.get_by_role("heading", name="Nothing of this kind")).to_be_visible()
    page.get_by_role("radio", name="All", exact=True).check(force=True)
    expect(item(page, "slow one")).to_be_visible()
    expect(item(page, "fast one")).to_be_hidden()


def test_a_page_without_jobs_is_not_the_end(visit: Visit, caller: str, mine: Service) -> None:
    mine.succeeded(mine.accepted(mine.post_fast(**named("fast one"))))
    page = open_history(visit, caller)
    expect(item(page, "fast one")).to_be_visible()
    held: list[Route] = []

    def answer(route: Route) -> None:
        """As if so many newer jobs were of another method."""
        if "cursor=" in route.request.url:
            held.append(route)
        else:
            route.fulfill(json={"items": [], "next_cursor": "7" + 25 * "Z"})

    page.route(lambda url: "/jobs?" in url and "method=fast" in url, answer)
    with page.expect_request(lambda request: "cursor=" in request.url):
        page.get_by_role("radio", name="Gallery").check(force=True)
    assert page.get_by_role("heading", name="Nothing of this kind").count() == 0
    held[0].continue_()
    expect(item(page, "fast one")).to_be_visible()


def test_what_is_being_painted_goes_on(visit: Visit, caller: str, mine: Service) -> None:
    job_id = mine.submit(**named("harbour", size=128, iterations=5000))
    mine.started(job_id)
    page = open_history(visit, caller)
    expect(item(page, "harbour")).to_contain_text("% painted")
    expect(item(page, "harbour").get_by_role("progressbar")).to_be_visible()
    expect(item(page, "harbour").locator("img")).to_be_visible(timeout=30_000)
    mine.http.post(f"/jobs/{job_id}/cancel")
    expect(item(page, "harbour")).to_contain_text("Canceled", timeout=30_000)


def test_one_is_deleted_after_a_question(visit: Visit, caller: str, mine: Service) -> None:
    kept, deleted = (mine.accepted(mine.post_fast(**named(name))) for name in ("kept", "deleted"))
    mine.succeeded(deleted)
    page = open_history(visit, caller)
    page.get_by_role("button", name="Delete deleted").click()
    dialog = page.get_by_role("dialog", name="Delete this picture?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(item(page, "deleted")).to_be_visible()

    page.get_by_role("button", name="Delete deleted").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(item(page, "deleted")).to_be_hidden()
    expect(page.get_by_role("link", name="kept")).to_be_focused()
    assert mine.http.get(f"/jobs/{deleted}").status_code in (404, 410)
    assert mine.http.get(f"/jobs/{kept}").status_code == 200


def test_several_are_deleted(visit: Visit, caller: str, mine: Service) -> None:
    jobs = [mine.accepted(mine.post_fast(**named(name))) for name in ("one", "two", "three")]
    mine.succeeded(jobs[-1])
    page = open_history(visit, caller)
    page.get_by_role("button", name="Select", exact=True).click()
    expect(page.get_by_role("button", name="Delete", exact=True)).to_be_disabled()
    for name in ("one", "three"):
        page.get_by_role("checkbox", name=f"Select {name}").check()
    assert violations(page) == []
    page.get_by_role("button", name="Delete 2").click()
    page.get_by_role("dialog", name="Delete 2 pictures?").get_by_role("button", name="Delete").click()
    expect(page.locator(".history-link")).to_have_count(1)
    expect(item(page, "two")).to_be_visible()
    assert [mine.http.get(f"/jobs/{job_id}").status_code == 200 for job_id in jobs] == [False, True, False]


def test_one_is_painted_again(visit: Visit, caller: str, mine: Service) -> None:
    mine.succeeded(mine.accepted(mine.post_fast(**named("harbour", strength=0.5))))
    page = open_history(visit, caller)
    page.get_by_role("button", name="Paint harbour again, with changes").click()
    page.wait_for_url("**/#/")
    expect(page.get_by_role("img", name="Your photograph harbour")).to_be_visible()
    expect(page.locator("input[name=style_id][value=waves]")).to_be_checked()
    expect(page.locator("input[name=strength]")).to_have_value("0.5")


def test_what_is_gone_vanishes(visit: Visit, caller: str, mine: Service, watch: Watch) -> None:
    watch.expect_status(404, 410)
    job_id = mine.submit(**named("harbour", size=128, iterations=5000))
    page = open_history(visit, caller)
    expect(item(page, "harbour")).to_be_visible()
    mine.http.delete(f"/jobs/{job_id}")
    expect(page.get_by_role("heading", name="No pictures yet")).to_be_visible(timeout=30_000)
