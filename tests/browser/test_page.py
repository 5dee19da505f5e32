"""The page as a whole: what it loads, what it may do, whom it keeps out."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import NARROW, WIDE, Visit
from tests.browser.watch import Watch


def test_it_is_there(page: Page) -> None:
    expect(page).to_have_title(re.compile("NST Server"))
    expect(page.get_by_role("heading", level=1)).to_be_visible()


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_it_is_accessible(visit: Visit, viewport: dict[str, int], colours: str) -> None:
    page = visit(viewport=viewport, color_scheme=colours)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize(
    ("does", "refused"),
    [
        ("document.createElement('script').src = 'https://a.example/'", "TrustedScriptURL"),
        ("document.body.innerHTML = '<b>'", "TrustedHTML"),
        ("document.body.append(Object.assign(new Image(), {src: 'https://a.example/'}))", "img-src"),
        ("fetch('https://a.example/').catch(() => {})", "connect-src"),
        ("document.body.setAttribute('style', 'color: red')", "style-src"),
    ],
)
def test_its_policy_holds(page: Page, watch: Watch, does: str, refused: str) -> None:
    page.evaluate(f"async () => {{ try {{ {does} }} catch {{}} }}")
    page.wait_for_timeout(100)
    assert any(refused in note for note in watch.unexpected())
    watch.expect("")
