"""Accessibility, by axe-core."""

from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

_SCRIPT = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"

#: WCAG 2.2 AA, and what is good practice besides.
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice")


@cache
def _script() -> str:
    assert _SCRIPT.exists(), "axe-core is not installed: npm ci"
    return _SCRIPT.read_text()


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong with a page as it is now: the rule, and where."""
    if not page.evaluate("'axe' in globalThis"):
        page.evaluate(_script())
    found: list[dict[str, Any]] = page.evaluate(
        "async (tags) => (await axe.run({ runOnly: tags, resultTypes: ['violations'] })).violations", list(TAGS)
    )
    return [
        f"{rule['id']}: {rule['help']}: {node['target']} {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]
