"""What goes wrong in a page while a test uses it."""

import re
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request

#: Collects what the page's policy has refused, also in what is refused without an error.
_REPORT = """
globalThis.refusedByPolicy = [];
addEventListener("securitypolicyviolation", (event) => {
  globalThis.refusedByPolicy.push(`${event.effectiveDirective} refused ${event.blockedURI} ${event.sample}`);
});
"""


class Watch:
    """Notes errors in the console and in scripts, what the policy refused, and requests to elsewhere.

    Args:
        root: where the page is; nobody else may be asked.
    """

    def __init__(self, root: str) -> None:
        self.origin = _origin(root)
        self.notes: list[str] = []
        self._contexts: list[BrowserContext] = []
        self._expected: list[re.Pattern[str]] = []

    def follow(self, context: BrowserContext) -> None:
        """Watch all pages of this context from now on."""
        context.add_init_script(_REPORT)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.notes.append(f"script: {error.error}"))
        context.on("request", self._request)
        self._contexts.append(context)

    def expect(self, pattern: str) -> None:
        """What is noted like this is what the test is about."""
        self._expected.append(re.compile(pattern))

    def expect_status(self, *statuses: int) -> None:
        """Answers of these statuses are what the test is about; 0 for none at all."""
        for status in statuses:
            self.expect(rf"status of {status}\b" if status else r"net::ERR_(?!BLOCKED)")

    def unexpected(self) -> list[str]:
        """All that went wrong and was not expected; the pages must still be open."""
        for page in (page for context in self._contexts for page in context.pages):
            if _origin(page.url) == self.origin:
                self.notes += page.evaluate("globalThis.refusedByPolicy.splice(0)")
        return [note for note in self.notes if not any(pattern.search(note) for pattern in self._expected)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            where = message.location.get("url", "")
            self.notes.append(f"console: {message.text} ({where})")

    def _request(self, request: Request) -> None:
        if not request.url.startswith(("blob:", "data:")) and _origin(request.url) != self.origin:
            self.notes.append(f"asked elsewhere: {request.url}")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
