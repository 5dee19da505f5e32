"""What happens to every request and every answer."""

import asyncio
import logging
from collections.abc import Iterator

from anyio import CancelScope, move_on_after
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import Problem

logger = logging.getLogger(__name__)

#: An answer that a browser shows loads nothing, runs nothing and is in nobody's frame.
CONTENT_SECURITY_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


#: Bytes of the address and the headers of a request at most.  The server takes more when they come at one go.
_LARGEST_HEAD = 16_384

#: Seconds for which what is left of a body is taken and dropped after the answer: a connection that is closed while
#: bytes come may lose the answer on its way.
_LINGER = 2.0

#: Bytes of an answer that the server is given at a time.  It takes the next ones when it is rid of most of them.
_PIECE = 65_536


class DefaultHeaders:
    """Adds headers that an answer does not set itself.

    Files that clients sent are never taken for something else by a browser, nor do they or their addresses reach other
    sites; and what changes is not kept by a cache.

    Args:
        shared: whether pages of other origins may show what is here: some of them may read it (CORS).
    """

    def __init__(self, app: ASGIApp, shared: bool = False) -> None:
        self.app = app
        self.headers = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "X-Frame-Options": "DENY",
            "Cross-Origin-Resource-Policy": "cross-origin" if shared else "same-origin",
            "Cache-Control": "no-store",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""

        async def send_with_defaults(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_defaults)


class Faults:
    """Answers with a problem what nobody foresaw, inside of what gives every answer its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; the fault is raised again, so that the server logs it with its trace."""
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except Exception:
            if scope["type"] == "http" and not started:
                problem = Problem(500, "internal", "Something went wrong here; it was logged.")
                await problem.response(Request(scope))(scope, receive, send)
            raise


class HeadSize:
    """Refuses a request whose address and headers are too large."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and _head_bytes(scope) > _LARGEST_HEAD:
            detail = f"The address and the headers have more than the limit of {_LARGEST_HEAD} bytes."
            await Problem(431, "head_too_large", detail).response(Request(scope))(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _head_bytes(scope: Scope) -> int:
    address = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    return address + sum(len(name) + len(value) + len(b": \r\n") for name, value in scope["headers"])


class UnreadBodies:
    """Closes the connection after an answer that did not wait for the end of the request's body.

    Otherwise the rest could be sent for ever.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        more, closes, answered = True, False, False

        async def noted() -> Message:
            nonlocal more
            message = await receive()
            more = message["type"] == "http.request" and message.get("more_body", False)
            return message

        async def send_and_linger(message: Message) -> None:
            nonlocal closes, answered
            if message["type"] == "http.response.start" and more:
                MutableHeaders(scope=message)["Connection"] = "close"
                closes = True
            if closes and message["type"] == "http.response.body" and not message.get("more_body", False):
                answered = True
                message = {**message, "more_body": True}  # its end closes the connection
            await send(message)

        await self.app(scope, noted, send_and_linger)
        if answered:
            with move_on_after(_LINGER):
                while more:
                    await noted()
            await send({"type": "http.response.body", "body": b""})


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


class UnreadAnswers:
    """Gives up an answer that its client does not read.

    Otherwise it would be kept for ever.  Who reads slowly gets all of it: the time begins anew with each piece.

    Args:
        seconds: within which a client must have taken a piece.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; the server closes one whose answer has no end."""

        async def send_pieces(message: Message) -> None:
            try:
                for piece in _pieces(message):
                    async with asyncio.timeout(self.seconds):
                        await send(piece)
            except TimeoutError:
                raise _Unread from None

        try:
            await self.app(scope, receive, send_pieces)
        except _Unread:
            logger.warning("a client read nothing for %g s (NST_ANSWER_TIMEOUT_SECONDS)", self.seconds)


class _Unread(Exception):
    """No OSError, which would be taken for a client that is gone."""


def _pieces(message: Message) -> Iterator[Message]:
    """A message in parts that are no larger than a piece, of which the last one waits for those before it."""
    body = message.get("body", b"")
    if len(body) <= _PIECE:
        yield message
        return
    for start in range(0, len(body), _PIECE):
        yield {**message, "body": body[start : start + _PIECE], "more_body": True}
    yield {**message, "body": b""}


class HeadAsGet:
    """Answers HEAD as GET, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        with CancelScope() as rest:

            async def send_head(message: Message) -> None:
                if message["type"] != "http.response.body":
                    await send(message)
                else:
                    await send({"type": "http.response.body", "body": b""})
                    if message.get("more_body"):  # a stream would go on for nobody
                        rest.cancel()

            asked = {**scope, "method": "GET"}
            try:
                await self.app(asked, receive, send_head)
            finally:  # what was found on the way, such as the route, is for those outside too
                scope.update({**asked, "method": "HEAD"})


class SubPath:
    """Tells the application under which path a proxy serves it, whether or not the proxy takes the path away."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self.app = app
        self.root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] in ("http", "websocket"):
            path = scope["path"]
            if not f"{path}/".startswith(f"{self.root_path}/"):
                path = self.root_path + path
            scope = {**scope, "root_path": self.root_path, "path": path}
        await self.app(scope, receive, send)


class Slash:
    """Leads from the sub-path to its slash: addresses that are relative to the page are right only there."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and scope["path"] == scope.get("root_path"):
            query = f"?{text}" if (text := scope["query_string"].decode("latin-1")) else ""
            await RedirectResponse(f"{scope['path']}/{query}", 308)(scope, receive, send)
        else:
            await self.app(scope, receive, send)
