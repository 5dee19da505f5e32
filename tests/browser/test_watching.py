"""A job while it waits and is painted, and what may become of it."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.watch import Watch
from tests.service import Service, wait_for

#: Surely not finished before the test.
LONG = {"size": 128, "iterations": 5000}

#: Of no job.
NOBODY = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def named(name: str) -> dict[str, str]:
    """The field by which a job is called so."""
    return {"metadata": f'{{"name": "{name}"}}'}


@pytest.fixture
def running(service: Service) -> Iterator[str]:
    """The id of a job that is being painted; the only worker for it is busy until it is canceled."""
    job_id = service.submit(**LONG, **named("first"))
    service.started(job_id)
    yield job_id
    service.http.post(f"/jobs/{job_id}/cancel")


@pytest.fixture
def page(visit: Visit, running: str) -> Page:
    """The one that is being painted."""
    page = visit(f"#/jobs/{running}")
    expect(page.get_by_role("heading", name="first")).to_be_visible()
    return page


def test_its_place_in_the_queue(visit: Visit, service: Service, running: str) -> None:
    second, third = (service.submit(**named(name)) for name in ("second", "third"))
    page = visit(f"#/jobs/{third}")
    expect(page.get_by_text("Number 2 in line")).to_be_visible()
    expect(page).to_have_title("Waiting \N{EN DASH} third · NST Server")
    expect(page.get_by_role("progressbar", name="Progress")).not_to_have_attribute("value", re.compile(""))
    service.http.delete(f"/jobs/{second}")
    expect(page.get_by_text("Next in line")).to_be_visible()
    service.http.post(f"/jobs/{running}/cancel")
    expect(page.get_by_role("link", name="Download")).to_be_visible()
    expect(page).to_have_title("Finished \N{EN DASH} third · NST Server")


def test_its_progress(page: Page) -> None:
    bar = page.get_by_role("progressbar", name="Progress")
    expect(page.get_by_text(re.compile(r"^\d+% done$"))).to_be_visible()
    expect(page.get_by_text(re.compile(r"^step [\d,]+ of 5,000"))).to_be_visible()
    expect(page).to_have_title(re.compile("^\\d+% \N{EN DASH} first · NST Server$"))
    before = bar.evaluate("bar => bar.value")
    wait_for(lambda: bar.evaluate("bar => bar.value") > before)


def test_the_picture_so_far(page: Page) -> None:
    picture = page.get_by_role("img", name="The picture so far")
    expect(picture).to_be_visible()
    for _ in range(2):
        before = picture.get_attribute("src")
        expect(picture).not_to_have_attribute("src", str(before))
        assert picture.evaluate("image => image.complete && image.naturalWidth") == 128


def test_it_is_canceled(page: Page, service: Service, running: str) -> None:
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Canceled")).to_be_visible()
    expect(page).to_have_title("Canceled \N{EN DASH} first · NST Server")
    assert service.job(running)["status"] == "canceled"
    expect(page.get_by_role("button", name="Again with changes")).to_be_visible()


def test_a_reload_finds_it_again(page: Page, service: Service, running: str) -> None:
    page.reload()
    expect(page.get_by_text(re.compile(r"^\d+% done$"))).to_be_visible()
    expect(page.get_by_role("img", name="The picture so far")).to_be_visible()
    page.get_by_role("link", name="Paint", exact=True).click()
    expect(page.get_by_role("heading", name="Paint a photograph")).to_be_attached()
    expect(page).to_have_title("Paint · NST Server")
    page.go_back()
    expect(page.get_by_text(re.compile(r"^\d+% done$"))).to_be_visible()
    service.http.post(f"/jobs/{running}/cancel")
    expect(page.get_by_role("heading", name="Canceled")).to_be_visible()


def test_it_fails_while_one_looks(visit: Visit, service: Service, running: str) -> None:
    failing = service.submit(encoder="vgg19", **named("second"))
    page = visit(f"#/jobs/{failing}")
    expect(page.get_by_text("Next in line")).to_be_visible()
    service.http.delete(f"/jobs/{running}")
    expect(page.get_by_role("heading", name="The network's weights are not on the server")).to_be_visible()
    expect(page.get_by_text("Choose another encoder or another style.")).to_be_visible()
    expect(page).to_have_title("Failed \N{EN DASH} second · NST Server")


def test_one_that_has_failed_is_sent_again_with_changes(visit: Visit, service: Service) -> None:
    failed = service.submit(encoder="vgg19")
    assert service.finished(failed)["status"] == "failed"
    page = visit(f"#/jobs/{failed}")
    page.get_by_role("button", name="Again with changes").click()
    page.wait_for_url("**/#/")
    page.locator("[data-field=encoder] select").select_option("compact")
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.get_by_role("link", name="Download")).to_be_visible()


def test_it_is_deleted_while_one_looks(page: Page, watch: Watch, service: Service, running: str) -> None:
    watch.expect_status(404)
    service.http.delete(f"/jobs/{running}")
    expect(page.get_by_role("heading", name="There is no such picture")).to_be_visible()
    expect(page).to_have_title("There is no such picture · NST Server")


def test_it_has_expired(visit: Visit, watch: Watch, service: Service) -> None:
    watch.expect_status(410)
    expired = service.accepted(service.post_fast(ttl_seconds=1))
    wait_for(lambda: service.http.get(f"/jobs/{expired}").status_code == 410)
    page = visit(f"#/jobs/{expired}")
    expect(page.get_by_role("heading", name="This picture has expired")).to_be_visible()
    page.get_by_role("link", name="Paint a picture").click()
    expect(page.get_by_text("Drop a photograph here")).to_be_visible()


def test_there_never_was_one(visit: Visit, watch: Watch) -> None:
    watch.expect_status(404)
    page = visit(f"#/jobs/{NOBODY}")
    expect(page.get_by_role("heading", name="There is no such picture")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="History").click()
    expect(page.get_by_role("heading", name="History")).to_be_visible()


def test_there_is_no_such_view(visit: Visit) -> None:
    page = visit("#/nowhere")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    page.get_by_role("link", name="Paint a picture").click()
    expect(page.get_by_text("Drop a photograph here")).to_be_visible()
