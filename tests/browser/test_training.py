"""Styles that are trained on the page."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import Visit
from tests.browser.watch import Watch
from tests.service import Service


@pytest.fixture
def form(visit: Visit) -> Page:
    page = visit("#/train")
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_enabled()
    return page


@pytest.fixture
def added(service: Service) -> Iterator[str]:
    """A style that a user has added."""
    style_id = "added_before"
    service.succeeded(service.accepted(service.post_style(style_id, title="Added before")))
    yield style_id
    service.http.delete(f"/styles/{style_id}")


def test_a_painting_becomes_a_style(form: Page, service: Service) -> None:
    form.locator("[data-field=style] input[type=file]").set_input_files(Service.style)
    expect(form.get_by_label("Title")).to_have_value("Style flow")
    expect(form.get_by_label("Short name")).to_have_value("style_flow")
    form.get_by_label("Title").fill("Flüsse & Wälder")
    expect(form.get_by_label("Short name")).to_have_value("flusse_walder")
    form.locator("[data-field=photograph] input[type=file]").set_input_files(Service.content)
    form.get_by_text("All settings").click()
    for name, value in {"steps": 5, "crop": 64, "style_size": 64}.items():
        form.locator(f"[name={name}]").fill(str(value))
    form.get_by_role("button", name="Train", exact=True).click()

    form.wait_for_url("**/#/jobs/*")
    job_id = form.url.rpartition("/")[2]
    job = service.succeeded(job_id)
    assert job["method"] == "train"
    assert job["input"]["params"]["title"] == "Flüsse & Wälder"
    assert job["input"]["params"]["steps"] == 5
    style = service.http.get("/styles/flusse_walder").json()
    assert style["removable"]
    service.http.delete("/styles/flusse_walder")


def test_it_says_what_is_missing(form: Page) -> None:
    form.get_by_role("button", name="Train", exact=True).click()
    expect(form.get_by_text("Choose the painting to learn.")).to_be_visible()
    expect(form.locator("[data-field=style] input[type=file]")).to_be_focused()
    form.locator("[data-field=style] input[type=file]").set_input_files(Service.style)
    form.get_by_label("Short name").fill("")
    form.get_by_role("button", name="Train", exact=True).click()
    expect(form.get_by_label("Short name")).to_be_focused()
    assert violations(form) == []


def test_it_asks_for_photographs_where_the_server_has_none(form: Page, watch: Watch) -> None:
    watch.expect_status(403)
    form.locator("[data-field=style] input[type=file]").set_input_files(Service.style)
    form.get_by_role("button", name="Train", exact=True).click()
    expect(form.get_by_text("There are no photographs to learn on")).to_be_visible()
    expect(form.locator("[data-field=photograph] input[type=file]")).to_be_focused()
    assert violations(form) == []


def test_a_name_that_is_taken(form: Page, watch: Watch) -> None:
    watch.expect_status(409)
    form.locator("[data-field=style] input[type=file]").set_input_files(Service.style)
    form.locator("[data-field=photograph] input[type=file]").set_input_files(Service.content)
    form.get_by_label("Short name").fill("waves")
    form.get_by_role("button", name="Train", exact=True).click()
    expect(form.get_by_text("There is a style of this name")).to_be_visible()
    expect(form.get_by_label("Short name")).to_be_focused()


def test_what_was_added_is_removed_after_a_question(added: str, visit: Visit, service: Service) -> None:
    page = visit("#/train")
    page.get_by_role("button", name="Remove Added before from the gallery").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("button", name="Remove Added before from the gallery")).to_be_hidden()
    assert service.http.get(f"/styles/{added}").status_code == 404


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_is_accessible(visit: Visit, colours: str, width: int) -> None:
    page = visit("#/train", color_scheme=colours, viewport={"width": width, "height": 740})
    page.locator("[data-field=style] input[type=file]").set_input_files(Service.style)
    page.locator("[data-field=photograph] input[type=file]").set_input_files([Service.content, Service.style])
    page.get_by_text("All settings").click()
    assert violations(page) == []
