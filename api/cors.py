"""Pages of other origins: which may send jobs from a browser and read the answers."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import Problem

_METHODS = ("GET", "HEAD", "POST", "DELETE")

#: What a page may send besides what it always may.
_SENT = (
    *("Authorization", "X-API-Key", "Cache-Control", "If-None-Match", "Idempotency-Key", "Last-Event-ID", "Prefer"),
    "X-Request-ID",
)

#: What a page may read besides what it always may.
_READ = (
    *("Allow", "Content-Disposition", "ETag", "Idempotency-Replayed", "Location", "Preference-Applied", "RateLimit"),
    *("RateLimit-Policy", "Retry-After", "WWW-Authenticate", "X-Request-ID"),
)

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9._\[\]:-]+")


def _split(value: object) -> object:
    return [origin.strip() for origin in value.split(",") if origin.strip()] if isinstance(value, str) else value


def _checked(origins: list[str]) -> list[str]:
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError("must be * or scheme://host:port in lower case, without a path, separated by commas")
    if "*" in origins and len(origins) > 1:
        raise ValueError("* stands alone")
    return origins


#: Of a setting: ``*``, or origins separated by commas.
Origins = Annotated[list[str], NoDecode, BeforeValidator(_split), AfterValidator(_checked)]


class Cors(CORSMiddleware):
    """Lets pages of these origins in, without cookies: there are none here."""

    def __init__(self, app: ASGIApp, origins: list[str]) -> None:
        super().__init__(app, allow_origins=origins, allow_methods=_METHODS, allow_headers=_SENT, expose_headers=_READ)

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to a browser that asks before it lets a page send something."""
        response = super().preflight_response(request_headers)
        return response if response.status_code == 200 else _Refusal(response)


class OtherSites:
    """Refuses what a page of another site sends, unless its origin may.

    Browsers keep the answer from such a page, but send a form of it wherever it likes, and say so.
    """

    def __init__(self, app: ASGIApp, origins: list[str]) -> None:
        self.app, self.origins = app, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and scope["method"] != "GET" and self._is_strange(Headers(scope=scope)):
            problem = Problem(403, "other_site", "Pages of other sites may not send anything here (NST_CORS_ORIGINS).")
            await problem.response(Request(scope))(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _is_strange(self, headers: Headers) -> bool:
        may = "*" in self.origins or headers.get("origin") in self.origins
        return headers.get("sec-fetch-site") == "cross-site" and not may


class _Refusal(Response):
    """A refused preflight as a problem."""

    def __init__(self, refused: Response) -> None:
        super().__init__()
        kept = {name: value for name, value in refused.headers.items() if not name.startswith("content-")}
        detail = f"{bytes(refused.body).decode()} (NST_CORS_ORIGINS)."
        self.problem = Problem(400, "cors_refused", detail, headers=kept)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self.problem.response(Request(scope))(scope, receive, send)
