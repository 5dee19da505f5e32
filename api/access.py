"""A line in the log for every request, and a name for it."""

import logging
import re
from time import perf_counter
from urllib.parse import quote
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import Metrics
from jobs.logs import job_in_hand, request_in_hand

logger = logging.getLogger(__name__)

REQUEST_ID = "X-Request-ID"

#: What a client may call its request; anything else is given another name.
_SANE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,100}")

_JOB = re.compile(r"/jobs/([0-7][0-9A-HJKMNP-TV-Z]{25})(?:/|$)")

#: Characters of a path that are logged, at most.
_LONGEST_PATH = 300


class AccessLog:
    """Logs and counts each request when it has been answered, and answers with its ``X-Request-ID``.

    What is logged on the way carries that id too, and the job's, if the request is about one.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = perf_counter()
        status = 500  # what is answered to an exception, outside of here
        answered: float | None = None
        job = _JOB.search(scope["path"])
        # Never taken back: the server's own line about an exception shall carry them too.
        job_in_hand.set(job[1] if job else None)
        request_in_hand.set(_request_id(Headers(scope=scope)))

        async def send_with_id(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], perf_counter()
                MutableHeaders(scope=message)[REQUEST_ID] = str(request_in_hand.get())
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            ended = perf_counter()
            milliseconds = round((ended - began) * 1000, 1)
            method, path = scope["method"][:20], quote(scope["path"])[:_LONGEST_PATH]
            logger.info(
                "%s %s %d %.1f ms",
                method,
                path,
                status,
                milliseconds,
                extra={"method": method, "path": path, "status": status, "milliseconds": milliseconds},
            )
            route = getattr(scope.get("route"), "path", "none")
            self.metrics.answered(scope["method"], route, status, (answered or ended) - began)


def _request_id(headers: Headers) -> str:
    given = headers.get(REQUEST_ID, "")
    return given if _SANE.fullmatch(given) else uuid4().hex
