"""The names by which the service may be asked for.

A page can point its own name to the address of this service, and is then of the same site for a browser (DNS
rebinding).  But what the browser asks for still has the page's name in it (``Host``).
"""

import re
from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import Problem

#: What a browser shows instead of the page: nothing of it may be run or loaded under a name that is not known.
_TOLD = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>NST Server</title>
<h1>This server does not know the name by which you have asked for it</h1>
<p>Ask for it by its address (such as <code>http://192.168.1.5:8000</code>) or by its name in your own network.
<p>If it is yours and shall have this name, set <code>NST_ALLOWED_HOSTS</code>.
"""

_NAME = re.compile(r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")

#: Names that nobody can have on the internet: RFC 6761, 6762, 8375, and what ICANN keeps for networks of one's own.
_PRIVATE_NAMES = (".localhost", ".local", ".lan", ".internal", ".home.arpa")


def _split(value: object) -> object:
    return [name.strip().lower() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


def _checked(names: list[str]) -> list[str]:
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError("must be *, or names such as nst.example.org or *.example.org, without ports")
    return names


#: Of a setting: ``*``, or names separated by commas.
HostNames = Annotated[list[str], NoDecode, BeforeValidator(_split), AfterValidator(_checked)]


class Hosts:
    """Refuses requests for other names than these, and than those that no page of the internet can have.

    Args:
        names: of the setting; ``*`` is any name, ``*.example.org`` all below that one.
    """

    def __init__(self, app: ASGIApp, names: list[str]) -> None:
        self.app, self.names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and not self._is_known(Headers(scope=scope).get("host", "")):
            await _refusal(Request(scope))(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _is_known(self, host: str) -> bool:
        name = re.sub(r":[0-9]*$", "", host.lower()).removesuffix(".")
        if "." not in name or name.endswith(_PRIVATE_NAMES) or _is_address(name):
            return True
        return any(known in ("*", name) or (known[0] == "*" and name.endswith(known[1:])) for known in self.names)


def _refusal(request: Request) -> Response:
    if "text/html" in request.headers.get("accept", ""):  # somebody looks at it
        return HTMLResponse(_TOLD, 403)
    problem = Problem(403, "other_host", "The server is not asked for by this name (NST_ALLOWED_HOSTS).")
    return problem.response(request)


def _is_address(name: str) -> bool:
    try:
        ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
