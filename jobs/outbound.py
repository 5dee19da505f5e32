"""URLs that clients name and this service fetches or calls: only what the public internet offers everybody.

A name is resolved once, all its addresses are checked, and the connection goes to one of these.  So nobody can show one
address to the check and another to the connection.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable
from functools import cache
from ipaddress import ip_address
from typing import Any

import httpcore
import httpx

from jobs.addresses import is_public
from jobs.errors import ForbiddenURL, UnreachableURL, UnusableAnswer, URLTimeout, URLTooLarge
from jobs.settings import Settings

#: The IP addresses of a host, for connections to a port; raises OSError or UnicodeError when there are none.
Resolve = Callable[[str, int], list[str]]

_DEFAULT_PORTS = {"http": 80, "https": 443}

_HEADERS = {"User-Agent": "nst-server", "Accept": "*/*", "Accept-Encoding": "identity"}


def system_resolve(host: str, port: int) -> list[str]:
    """What the operating system says.  How long it asks is its own setting."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def check_url(url: str, settings: Settings, resolve: Resolve = system_resolve) -> None:
    """See that a URL may be fetched or called, as far as that can be told without doing it.

    Raises:
        ForbiddenURL: its scheme, port or an address of its host is not allowed, or it is no URL, or has a password.
        UnreachableURL: its host has no address.
    """
    parsed = _parsed(url, settings)
    try:
        _addresses(*_endpoint(parsed), settings, resolve)
    except httpcore.ConnectError:
        raise UnreachableURL(f"The host {parsed.host} cannot be found.") from None


def outbound_client(settings: Settings, resolve: Resolve = system_resolve) -> httpx.Client:
    """A client that reaches what is allowed only.

    It follows no redirects, looks for no proxy, makes a connection for each request, and gives up a request after the
    time of the settings, however it is spent.  Its requests raise what httpx raises, and besides ForbiddenURL, for
    URLs as in :func:`check_url`; a host that has no address is an ``httpx.ConnectError``, and an answer that leads to
    what is no URL an ``httpx.InvalidURL``, which is no ``httpx.HTTPError``.
    """
    return _client(settings, resolve, None)


def fetch(url: str, settings: Settings, *, max_bytes: int, resolve: Resolve = system_resolve) -> bytes:
    """The bytes at a URL.  Redirects are followed, each checked as the URL itself.

    Raises:
        ForbiddenURL: it, or a URL that it leads to, is not allowed.
        UnreachableURL: nobody answers there, or not as HTTP asks for.
        UnusableAnswer: the answer has another status than 200, is compressed, leads on and on, or to what is no URL.
        URLTimeout: it takes longer than the settings allow, redirects and all.
        URLTooLarge: there are more bytes than ``max_bytes``.
    """
    parsed = _parsed(url, settings)
    ends = time.monotonic() + settings.url_timeout_seconds
    try:
        with _client(settings, resolve, ends) as client:
            request: httpx.Request | None = client.build_request("GET", parsed)
            for _ in range(settings.url_max_redirects + 1):
                assert request is not None
                response = client.send(request, stream=True)
                try:
                    request = response.next_request
                    if request is None:
                        return _body(response, max_bytes)
                finally:
                    response.close()
    except httpx.TimeoutException:
        limit = f"{settings.url_timeout_seconds:g} seconds (NST_URL_TIMEOUT_SECONDS)"
        raise URLTimeout(f"It took longer than the limit of {limit}.") from None
    except (httpx.InvalidURL, UnicodeError):
        raise UnusableAnswer("It leads to what is no URL.") from None
    except httpx.ConnectError:
        raise UnreachableURL("The host cannot be found or does not answer, or its certificate is not valid.") from None
    except httpx.TransportError:
        raise UnreachableURL("The answer is broken off, or is not HTTP.") from None
    limit = f"{settings.url_max_redirects} redirects (NST_URL_MAX_REDIRECTS)"
    raise UnusableAnswer(f"It leads on after the limit of {limit}.")


def _body(response: httpx.Response, max_bytes: int) -> bytes:
    if response.status_code != 200:
        raise UnusableAnswer(f"The answer has the status {response.status_code}, not 200.")
    # What was not asked for is not unpacked either: a few bytes could become any number.
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnusableAnswer("The answer is compressed, which was not asked for.")
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > max_bytes:
            raise URLTooLarge(f"There are more bytes than the limit of {max_bytes}.")
    return bytes(body)


def _parsed(url: str, settings: Settings) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        raise ForbiddenURL("This is no URL.") from None
    _check_form(parsed, settings)
    return parsed


def _endpoint(url: httpx.URL) -> tuple[str, int]:
    port = _DEFAULT_PORTS[url.scheme] if url.port is None else url.port
    return url.raw_host.decode("ascii"), port


def _names(host: str, port: int) -> tuple[str, str]:
    """How the settings may name a host: for all allowed ports, for this one."""
    name = f"[{host}]" if ":" in host else host
    return name, f"{name}:{port}"


def _check_form(url: httpx.URL, settings: Settings) -> None:
    """Check what can be seen in a URL."""
    if url.scheme not in _DEFAULT_PORTS:
        raise ForbiddenURL("Only http and https URLs are allowed.")
    try:
        named = url.host
    except UnicodeError:  # an international name is decoded here
        raise ForbiddenURL("The URL's host is no name.") from None
    if not named:
        raise ForbiddenURL("The URL names no host.")
    if url.userinfo:
        raise ForbiddenURL("A URL with a user name or a password is not allowed.")
    host, port = _endpoint(url)
    if port not in settings.url_ports and _names(host, port)[1] not in settings.url_allowed_hosts:
        ports = ", ".join(map(str, settings.url_ports))
        raise ForbiddenURL(f"Port {port} is not allowed, only {ports} (NST_URL_PORTS, NST_URL_ALLOWED_HOSTS).")


def _addresses(host: str, port: int, settings: Settings, resolve: Resolve) -> list[str]:
    """The addresses of a host; all of them may be connected to.

    Raises:
        ForbiddenURL: one of them may not.
        httpcore.ConnectError: there are none.
    """
    try:
        addresses = resolve(host, port)
    except (OSError, UnicodeError):
        addresses = []
    if not addresses:
        raise httpcore.ConnectError("The host has no address.")
    named = not settings.url_allowed_hosts.isdisjoint(_names(host, port))
    if not named and not all(is_public(ip_address(address)) for address in addresses):
        raise ForbiddenURL(f"The host {host} has an address that is not public (NST_URL_ALLOWED_HOSTS).")
    return addresses


def _client(settings: Settings, resolve: Resolve, ends: float | None) -> httpx.Client:
    transport = _GuardedTransport(settings, _PinningBackend(settings, resolve, ends))
    timeout = settings.url_timeout_seconds
    return httpx.Client(transport=transport, timeout=timeout, trust_env=False, headers=_HEADERS)


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


class _GuardedTransport(httpx.HTTPTransport):
    """HTTPX's own, which looks at each URL first and leaves the connection to a backend."""

    def __init__(self, settings: Settings, backend: httpcore.NetworkBackend) -> None:
        # HTTPX has no argument for the backend.  Without idle connections each request is resolved, checked and timed.
        self._pool = httpcore.ConnectionPool(ssl_context=_tls(), max_keepalive_connections=0, network_backend=backend)
        self._settings = settings

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; raises ForbiddenURL besides HTTPX's errors."""
        _check_form(request.url, self._settings)
        return super().handle_request(request)


class _PinningBackend(httpcore.NetworkBackend):
    """Connects to an address of the host that was checked; TLS and HTTP still see the host's name.

    Args:
        ends: of all connections, by the monotonic clock; when it is None, each has the whole time of the settings.
    """

    def __init__(self, settings: Settings, resolve: Resolve, ends: float | None) -> None:
        self._settings = settings
        self._resolve = resolve
        self._ends = ends
        self._system = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Try the host's addresses one after the other."""
        ends = time.monotonic() + self._settings.url_timeout_seconds if self._ends is None else self._ends
        addresses = _addresses(host, port, self._settings, self._resolve)
        for others, address in zip(range(len(addresses) - 1, -1, -1), addresses, strict=True):
            # An address that swallows packets leaves the others their share of the time.
            share = _left(ends, timeout, httpcore.ConnectTimeout) / (1 + others)
            try:
                stream = self._system.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if not others:
                    raise
            else:
                return _TimedStream(stream, ends)
        raise AssertionError("there is at least one address")


class _TimedStream(httpcore.NetworkStream):
    """A connection that ends in time, also when each of its reads and writes is quick."""

    def __init__(self, stream: httpcore.NetworkStream, ends: float) -> None:
        self._stream = stream
        self._ends = ends

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """As the connection's own."""
        return self._stream.read(max_bytes, _left(self._ends, timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """As the connection's own."""
        self._stream.write(buffer, _left(self._ends, timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        """As the connection's own."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """As the connection's own."""
        left = _left(self._ends, timeout, httpcore.ConnectTimeout)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, left), self._ends)

    def get_extra_info(self, info: str) -> Any:
        """As the connection's own."""
        return self._stream.get_extra_info(info)


def _left(ends: float, timeout: float | None, error: type[httpcore.TimeoutException]) -> float:
    """The seconds for one step; raises the error when there are none left."""
    left = ends - time.monotonic()
    if left <= 0:
        raise error
    return left if timeout is None else min(left, timeout)
