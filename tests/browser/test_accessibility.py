"""Every view in every state: nothing that axe-core finds wrong, and nothing that sticks out."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import NARROW, Visit
from tests.browser.form import be_quick, choose_paintings, choose_photograph, choose_styles, small, unfold
from tests.browser.watch import Watch
from tests.service import Service

#: Small phones, tablets on their side, and screens.
WIDTHS = (320, 1024, 1920)

#: So high that nothing is behind what stays at the top or the bottom of the window.
HEIGHT = 5000

#: The elements that are too wide for the window.
STICK_OUT = """() => [...document.querySelectorAll("body *")]
    .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5)
    .map((element) => `${element.localName}.${element.className}`)
"""

LONG = {"size": 128, "iterations": 5000}


def resize(page: Page, width: int) -> None:
    """Give the window a width, into which everything must fit."""
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.evaluate("scrollTo(0, 0)")
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        pytest.fail(f"too wide at {width} px: {page.evaluate(STICK_OUT)}")


def check(page: Page) -> None:
    """The view as it is now: at all widths, light and dark, and with large letters on a phone (WCAG 1.4.4)."""
    found = []
    settings = page.context.new_cdp_session(page)
    settings.send("Page.setFontSizes", {"fontSizes": {"standard": 32}})
    resize(page, NARROW["width"])
    settings.send("Page.setFontSizes", {"fontSizes": {"standard": 16}})
    for width in WIDTHS:
        resize(page, width)
        for colours in ("light", "dark"):
            page.emulate_media(color_scheme=colours)
            found += [f"{width} px, {colours}: {violation}" for violation in violations(page)]
    assert found == []


@pytest.fixture
def running(service: Service) -> Iterator[str]:
    """The id of a job that is being painted until it is canceled."""
    job_id = service.submit(**LONG)
    service.started(job_id)
    yield job_id
    service.http.post(f"/jobs/{job_id}/cancel")


def test_nothing_chosen_yet(page: Page) -> None:
    expect(page.locator(".tile-picture[data-picture=there]")).to_have_count(2)
    check(page)


def test_composed_of_the_gallery(page: Page) -> None:
    choose_photograph(page, small())
    choose_styles(page, "waves", "waves_color")
    expect(page.get_by_role("list", name="Chosen styles")).to_be_visible()
    check(page)


def test_composed_of_paintings_with_all_settings(page: Page) -> None:
    choose_photograph(page, small())
    choose_paintings(page, small(Service.style), small(Service.style.with_name("style_ink.jpg")))
    unfold(page)
    expect(page.locator("[name=seed]")).to_be_visible()
    check(page)


def test_settings_that_are_refused(page: Page, watch: Watch) -> None:
    watch.expect_status(422)
    choose_photograph(page, small())
    choose_paintings(page, small(Service.style))
    be_quick(page, style_layers="relu9_9")
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="Some settings do not fit")).to_be_visible()
    check(page)


def test_a_job_that_waits(visit: Visit, service: Service, running: str) -> None:
    waiting = service.submit()
    page = visit(f"#/jobs/{waiting}")
    expect(page.get_by_text("Next in line")).to_be_visible()
    check(page)
    service.http.post(f"/jobs/{waiting}/cancel")


def test_a_job_that_is_painted(visit: Visit, running: str) -> None:
    page = visit(f"#/jobs/{running}")
    expect(page.get_by_role("img", name="The picture so far")).to_be_visible()
    check(page)


def test_a_picture(visit: Visit, service: Service) -> None:
    job_id = service.submit(snapshot_every=1)
    service.succeeded(job_id)
    page = visit(f"#/jobs/{job_id}")
    page.get_by_text("All parameters").click()
    page.get_by_text("Figures").click()
    expect(page.locator(".evolution-picture")).to_have_attribute("alt", "Iteration 1")
    expect(page.locator(".viewer-before")).to_be_visible()
    page.get_by_role("slider", name="How much of the photograph is shown").fill("50")
    check(page)


def test_a_job_that_has_failed(visit: Visit, service: Service) -> None:
    job_id = service.submit(encoder="vgg19")
    service.finished(job_id)
    page = visit(f"#/jobs/{job_id}")
    expect(page.get_by_role("heading", name="The network's weights are not on the server")).to_be_visible()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    check(page)


@pytest.mark.parametrize("hash", ["#/jobs/01ARZ3NDEKTSV4RRFFQ69G5FAV", "#/nowhere"], ids=["job", "view"])
def test_what_is_not_there(visit: Visit, watch: Watch, hash: str) -> None:
    watch.expect_status(404)
    page = visit(hash)
    expect(page.get_by_role("heading", name="There is no such")).to_be_visible()
    check(page)


def test_the_key(page: Page) -> None:
    page.get_by_role("button", name="API key").click()
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_role("alert").filter(has_text="Enter the key")).to_be_visible()
    check(page)


def test_without_a_connection(page: Page, watch: Watch) -> None:
    watch.expect_status(0)
    expect(page.locator(".tile-picture[data-picture=there]")).to_have_count(2)
    page.context.set_offline(True)
    expect(page.get_by_text("You are offline.")).to_be_visible()
    check(page)


#: Whether anything moves that a reader of the page can see.
MOVES = """() => document.getAnimations().some((animation) => {
    const { duration, iterations } = animation.effect.getComputedTiming();
    return animation.playState === "running" && (duration > 10 || iterations > 1);
})"""


@pytest.mark.parametrize(("motion", "moves"), [("reduce", False), ("no-preference", True)])
def test_nothing_moves_for_those_who_ask_for_it(
    visit: Visit, service: Service, running: str, motion: str, moves: bool
) -> None:
    waiting = service.submit()
    page = visit(f"#/jobs/{waiting}", reduced_motion=motion)
    expect(page.get_by_text("Next in line")).to_be_visible()
    assert page.evaluate(MOVES) is moves
    service.http.post(f"/jobs/{waiting}/cancel")
