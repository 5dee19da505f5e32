"""A Chromium that visits the page of a real service; what goes wrong in it fails the test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from cli.up import Stack
from tests.browser.chromium import ARGUMENTS, NoChromium, find_chromium
from tests.browser.watch import Watch

#: Opens the page, or another address; options are those of a context of Playwright.
Visit = Callable[..., Page]

#: Milliseconds to wait for what should happen at once.
PATIENCE = 30_000

#: Of a laptop, and of a phone.
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 360, "height": 740}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    try:
        program = find_chromium()
    except NoChromium as error:
        pytest.exit(str(error), returncode=1)
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def root(stack: Stack) -> str:
    """Where the page is; tests of another server override it."""
    return f"{stack.url}/"


@pytest.fixture
def watch(root: str) -> Watch:
    """Told what may go wrong in this test."""
    return Watch(root)


@pytest.fixture
def visit(browser: Browser, root: str, watch: Watch) -> Iterator[Visit]:
    """Opens pages, each in a context of its own: nothing is kept from one to the next."""
    contexts = []

    def visit(path: str = "", **options: Any) -> Page:
        settings = {"viewport": WIDE, "locale": "en-GB", "reduced_motion": "reduce", **options}
        context = browser.new_context(base_url=root, **settings)
        contexts.append(context)
        watch.follow(context)
        page = context.new_page()
        page.goto(path)
        return page

    yield visit
    unexpected = watch.unexpected()
    for context in contexts:
        context.close()
    assert unexpected == []


@pytest.fixture
def page(visit: Visit) -> Page:
    """The page as it is at first."""
    return visit()
