"""How soon the web page is there, in an installed Chromium on this machine.

    python -m benchmarks.page --visits 10

Starts a Redis and an API of its own on a free port, which end with it.  Each visit is one of a new visitor, whose
browser has nothing of the page yet; another one follows, which has it.  Printed are the medians, as the browser
measures them: the first text or picture (first contentful paint), the largest one, the last file, and what was sent.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, sync_playwright
from typing_extensions import override

from api.routes.page import FILES
from cli.up import Stack
from tests.browser.chromium import ARGUMENTS, find_chromium

#: Of milliseconds since the start of the navigation, and of bytes.
_MEASURE = """
() => new Promise((resolve) => new PerformanceObserver((list) => {
  const [navigation] = performance.getEntriesByType("navigation");
  const files = [navigation, ...performance.getEntriesByType("resource")];
  resolve({
    "first contentful paint, ms": performance.getEntriesByName("first-contentful-paint")[0].startTime,
    "largest contentful paint, ms": list.getEntries().at(-1).startTime,
    "last file, ms": Math.max(...files.map((file) => file.responseEnd)),
    "files": files.length,
    "bytes sent": files.reduce((sum, file) => sum + file.transferSize, 0),
  });
}).observe({ type: "largest-contentful-paint", buffered: true }))
"""


class FrontStack(Stack):
    """The service without workers."""

    @override
    def _workers(self) -> list[tuple[str, str, str | None]]:
        return []


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=10)
    visits: int = parser.parse_args().visits
    size = sum(path.stat().st_size for path in FILES.values())
    print(f"code, styles and drawings of the page: {len(FILES)} files, {size} bytes")
    with (
        tempfile.TemporaryDirectory() as folder,
        FrontStack("127.0.0.1", 0, Path(folder), quiet=True, own_redis=True) as stack,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS) as browser,
    ):
        first, again = [], []
        for _ in range(visits):
            with browser.new_context() as context:
                page = context.new_page()
                first.append(_visited(page, stack.url))
                page.goto("about:blank")
                again.append(_visited(page, stack.url))
    for kind, found in (("first visit", first), ("another visit", again)):
        print(f"\n{kind}, median of {visits}")
        for name in found[0]:
            print(f"  {name:30} {median(visit[name] for visit in found):10.0f}")


def _visited(page: Page, url: str) -> dict[str, float]:
    page.goto(f"{url}/", wait_until="networkidle")
    measured: dict[str, float] = page.evaluate(_MEASURE)
    return measured


if __name__ == "__main__":
    main()
