"""Who may call, and how much: looked at before a request reaches its endpoint."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import Problem, as_problem
from api.keys import Caller, KeyRing, Limits
from api.quotas import Quotas, Standing
from jobs.errors import StoreFull, StoreUnavailable

#: Addresses for everybody, without a key and without limits: for health checks, to read how to call, and the page,
#: which asks for a key itself.
OPEN = frozenset({"/livez", "/readyz", "/docs", "/openapi.json", "/"})

#: What is below this one is for everybody, too.
_OPEN_FOLDER = "/page/"


class Guard:
    """Finds out who calls: ``request.state.caller``; turns away who has no key where there are keys.

    Args:
        keys: those that the server knows.
        limits: of callers without keys.
    """

    def __init__(self, app: ASGIApp, keys: KeyRing, limits: Limits) -> None:
        self.app, self.keys, self.limits = app, keys, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or _is_open(scope):
            await self.app(scope, receive, send)
            return
        try:
            caller = self._caller(scope)
        except Problem as problem:
            await problem.response(Request(scope))(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self.app(scope, receive, send)

    def _caller(self, scope: Scope) -> Caller:
        if not self.keys:
            return Caller(name=f"@{_address(scope)}", has_key=False, limits=self.limits)
        key = _key(Headers(scope=scope))
        caller = self.keys.caller(key) if key else None
        if caller is None:
            what = "This API key is not known." if key else "Send an API key: Authorization: Bearer KEY, or X-API-Key."
            challenge = 'Bearer realm="nst"' + (', error="invalid_token"' if key else "")
            raise Problem(401, "unauthorized", what, headers={"WWW-Authenticate": challenge})
        return caller


class RateLimits:
    """Holds callers to their limits of requests per minute and of bytes per day, and tells them how they stand."""

    def __init__(self, app: ASGIApp, quotas: Quotas, max_request_bytes: int) -> None:
        self.app, self.quotas, self.max_request_bytes = app, quotas, max_request_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        caller = scope.get("state", {}).get("caller")
        if scope["type"] != "http" or caller is None:
            await self.app(scope, receive, send)
            return
        told: list[tuple[_Demand, Standing]] = []

        async def send_with_standing(message: Message) -> None:
            if message["type"] == "http.response.start" and told:
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Policy"] = ", ".join(demand.policy for demand, _ in told)
                headers["RateLimit"] = ", ".join(
                    f'"{demand.name}";r={standing.remaining};t={standing.reset}' for demand, standing in told
                )
            await send(message)

        try:
            for demand in self._demands(scope, caller.limits):
                try:
                    standing = await self._take(demand, caller, demand.cost)
                except StoreFull:  # nothing can be counted; whoever only reads need not wait for that
                    if scope["method"] != "GET":
                        raise
                    continue
                if not standing.allowed:  # and so takes nothing at all
                    told[:] = [(had, await self._take(had, caller, -had.cost)) for had, _ in told]
                told.append((demand, standing))
                if not standing.allowed:
                    raise Problem(429, demand.code, demand.refusal, headers={"Retry-After": str(standing.retry_after)})
        except StoreUnavailable as error:
            await as_problem(error).response(Request(scope))(scope, receive, send_with_standing)
        except Problem as problem:
            await problem.response(Request(scope))(scope, receive, send_with_standing)
        else:
            await self.app(scope, receive, send_with_standing)

    async def _take(self, demand: "_Demand", caller: Caller, cost: int) -> Standing:
        """Count so much of it; what is negative is given back."""
        return await run_in_threadpool(self.quotas.take, demand.item, caller.name, cost)

    def _demands(self, scope: Scope, limits: Limits) -> Iterator["_Demand"]:
        """What a request takes of its caller's limits.

        Raises:
            Problem: 411 when it does not say how much.
        """
        if most := limits.requests_per_minute:
            yield _Demand(
                "requests",
                RateLimitItemPerMinute(most, namespace="requests"),
                1,
                "too_many_requests",
                f"The limit is {most} requests a minute (requests_per_minute of the key, NST_RATE_LIMIT_PER_MINUTE).",
            )
        if (most := limits.bytes_per_day) and (size := _body_bytes(scope)) and size <= self.max_request_bytes:
            yield _Demand(
                "bytes",
                RateLimitItemPerDay(most, namespace="bytes"),
                size,
                "too_many_bytes",
                f"The limit is {most} bytes sent in a day (bytes_per_day of the key, NST_MAX_BYTES_PER_DAY).",
            )


@dataclass(frozen=True)
class _Demand:
    """Something that is limited, and how much of it a request takes."""

    name: str
    item: RateLimitItem
    cost: int
    code: str
    refusal: str

    @property
    def policy(self) -> str:
        unit = ';qu="content-bytes"' if self.name == "bytes" else ""
        return f'"{self.name}";q={self.item.amount};w={self.item.get_expiry()}{unit}'


def _is_open(scope: Scope) -> bool:
    path = str(scope["path"]).removeprefix(scope.get("root_path", ""))
    return path in OPEN or path.startswith(_OPEN_FOLDER)


def _key(headers: Headers) -> str | None:
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else headers.get("x-api-key")


def _address(scope: Scope) -> str:
    """Who calls, by address; of IPv6 the network, of which one caller usually has all addresses."""
    host: str = (scope.get("client") or ("unknown",))[0]
    try:
        address = ip_address(host)
    except ValueError:  # of a unix socket, or as a proxy says
        return host
    if not isinstance(address, IPv6Address):
        return host
    return str(address.ipv4_mapped or IPv6Network((address.packed, 64), strict=False))


def _body_bytes(scope: Scope) -> int:
    headers = Headers(scope=scope)
    if "transfer-encoding" in headers:
        raise Problem(411, "length_required", "The limit of bytes needs a Content-Length (NST_MAX_BYTES_PER_DAY).")
    length = headers.get("content-length", "0")
    return int(length) if length.isascii() and length.isdecimal() else 0
