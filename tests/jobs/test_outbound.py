"""URLs of clients, against resolvers of the tests' own and servers on the loopback interface."""

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from jobs.errors import ForbiddenURL, JobsError, OutboundError, UnreachableURL, UnusableAnswer, URLTimeout, URLTooLarge
from jobs.outbound import check_url, fetch, outbound_client, system_resolve
from jobs.settings import Settings

PUBLIC = "93.184.215.14"

#: Networks that are nobody's business, and some addresses of clouds' metadata services.
PRIVATE = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "169.254.169.254/32",
    "168.63.129.16/32",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
]
PRIVATE_V6 = [
    "::/128",
    "::1/128",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/32",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "4000::/3",
    "5f00::/16",
    "fc00::/7",
    "fd00:ec2::254/128",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]


class Resolver:
    """Answers with given addresses, the last of them for ever, and counts how often it is asked."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def resolving(*addresses: str) -> Callable[[str, int], list[str]]:
    return Resolver(list(addresses))


def unresolvable(host: str, port: int) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def members(networks: list[str]) -> st.SearchStrategy[Any]:
    return st.sampled_from(networks).flatmap(lambda network: st.ip_addresses(network=network))


@given(members(PRIVATE + PRIVATE_V6))
def test_no_private_address_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    with pytest.raises(ForbiddenURL):
        check_url("http://host/", Settings(), resolving(str(address)))
    with pytest.raises(ForbiddenURL):  # one among others is enough
        check_url("http://host/", Settings(), resolving(PUBLIC, str(address)))
    literal = f"[{address}]" if address.version == 6 else address
    with pytest.raises(ForbiddenURL):
        check_url(f"http://{literal}/", Settings())


@given(members(PRIVATE), st.integers(0, 2**64 - 1))
def test_nor_is_one_that_another_carries(address: ipaddress.IPv4Address, noise: int) -> None:
    number = int(address)
    for form in (
        0xFFFF << 32 | number,  # mapped
        number,  # compatible
        0x64FF9B << 96 | number,  # NAT64
        0x2002 << 112 | number << 80 | noise & 0xFFFF,  # 6to4
        0x20010000 << 96 | noise << 32 | number ^ 0xFFFFFFFF,  # Teredo
    ):
        with pytest.raises(ForbiddenURL):
            check_url("http://host/", Settings(), resolving(str(ipaddress.IPv6Address(form))))


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:21f::1", f"::ffff:{PUBLIC}", f"64:ff9b::{PUBLIC}"])
def test_public_addresses_are_allowed(address: str) -> None:
    check_url("https://host/picture.jpg?size=1", Settings(), resolving(address))


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "0x7f.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"],
)
def test_odd_spellings_of_an_address_are_seen_through(host: str) -> None:
    with pytest.raises(ForbiddenURL, match=r"not public|no URL"):
        check_url(f"http://{host}/", Settings(), system_resolve)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://host/a.jpg", "Only http and https"),
        ("file:///etc/passwd", "Only http and https"),
        ("gopher://host:80/", "Only http and https"),
        ("data:image/png;base64,AAAA", "Only http and https"),
        ("host/a.jpg", "Only http and https"),
        ("", "Only http and https"),
        ("//host/a.jpg", "Only http and https"),
        ("http://", "names no host"),
        ("http:///a.jpg", "names no host"),
        ("http://user@host/", "user name"),
        ("http://user:secret@host/", "user name"),
        ("http://:secret@host/", "user name"),
        ("http://host:22/", "Port 22 is not allowed, only 80, 443 .NST_URL_PORTS"),
        ("http://host:0/", "Port 0"),
        ("http://host:99999/", "Port 99999"),
        ("http://[::1/", "no URL"),
        ("http://a\x00b/", "no URL"),
        ("http://\ud800/", "no URL"),
        ("http://xn--/", "no name"),
        ("http://xn--a/", "no name"),
    ],
)
def test_what_is_no_plain_url_is_refused(url: str, told: str) -> None:
    resolver = Resolver([PUBLIC])
    with pytest.raises(ForbiddenURL, match=told) as refused:
        check_url(url, Settings(), resolver)
    assert "secret" not in str(refused.value)
    assert resolver.asked == []
    with pytest.raises(ForbiddenURL, match=told):
        fetch(url, Settings(), max_bytes=1, resolve=resolver)


@given(st.text() | st.text().map("http://{}".format) | st.text("a.:/@[]0x7f%n-", max_size=20).map("http://x{}".format))
def test_any_text_is_a_url_or_refused(url: str) -> None:
    for answer in (resolving("127.0.0.1"), unresolvable):
        with pytest.raises(OutboundError):
            check_url(url, Settings(), answer)


def test_a_host_without_an_address_is_unreachable() -> None:
    for answer in (unresolvable, resolving()):
        with pytest.raises(UnreachableURL):
            check_url("http://nowhere/", Settings(), answer)
        with pytest.raises(UnreachableURL):
            fetch("http://nowhere/", Settings(), max_bytes=1, resolve=answer)
    with pytest.raises(UnreachableURL):  # a label that is too long for DNS
        check_url(f"http://{'a' * 70}.example/", Settings(), system_resolve)


def test_the_ports_are_a_setting() -> None:
    settings = Settings(url_ports="8080, 443")
    check_url("http://host:8080/", settings, resolving(PUBLIC))
    check_url("https://host/", settings, resolving(PUBLIC))
    with pytest.raises(ForbiddenURL, match="Port 80 "):
        check_url("http://host/", settings, resolving(PUBLIC))


def test_hosts_of_one_s_own_are_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NST_URL_ALLOWED_HOSTS", "Files.lan, cam.lan:8080,[::1]:9000")
    settings = Settings()
    private = resolving("192.168.0.7")
    for url in ("http://files.lan/", "https://FILES.lan/", "http://cam.lan:8080/a", "http://[::1]:9000/"):
        check_url(url, settings, private)
    for url in (
        "http://files.lan:8080/",
        "http://cam.lan/",
        "http://cam.lan:8081/",
        "http://x.files.lan/",
        "http://files.lan.evil/",
        "http://[::1]/",
    ):
        with pytest.raises(ForbiddenURL):
            check_url(url, settings, private)


@pytest.mark.parametrize("value", ["http://files.lan", "a b", "user@host", "host:", "host:123456", "::1", "host/path"])
def test_hosts_that_cannot_be_are_no_setting(value: str) -> None:
    with pytest.raises(ValidationError):
        Settings(url_allowed_hosts=value)


# Fetching, from a server on the loopback interface that the settings allow by its name


class Server:
    """What it answers, by path, is the test's."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.seen.append((self.path, dict(self.headers)))
                outer.answers[self.path](self)

            do_POST = do_GET

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *args: None  # type: ignore[method-assign]  # clients go away
        self.port = self.http.server_address[1]
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def url(self, path: str) -> str:
        return f"http://files.lan:{self.port}{path}"

    def settings(self, **settings: Any) -> Settings:
        return Settings(url_allowed_hosts=f"files.lan:{self.port}", **settings)

    def close(self) -> None:
        self.released.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


LOCAL = resolving("127.0.0.1")


def answering(body: bytes, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def leading_to(url: str) -> Callable[[BaseHTTPRequestHandler], None]:
    return answering(b"", 302, Location=url)


def get(server: Server, path: str = "/", *, max_bytes: int = 1000, **settings: Any) -> bytes:
    return fetch(server.url(path), server.settings(**settings), max_bytes=max_bytes, resolve=LOCAL)


def test_a_file_is_fetched(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server.answers["/a%20b?c=d"] = answering(b"x" * 1000)
    assert get(server, "/a%20b?c=d") == b"x" * 1000
    ((_, headers),) = server.seen
    assert headers["Host"] == f"files.lan:{server.port}"
    assert headers["Accept-Encoding"] == "identity"


def test_a_name_is_resolved_once(server: Server) -> None:
    server.answers["/"] = answering(b"x")
    rebinding = Resolver(["127.0.0.1"], ["10.0.0.1"])
    assert fetch(server.url("/"), server.settings(), max_bytes=1, resolve=rebinding) == b"x"
    assert rebinding.asked == [("files.lan", server.port)]


def test_what_is_checked_is_what_is_connected_to(server: Server) -> None:
    rebinding = Resolver(["127.0.0.1"], [PUBLIC])
    with pytest.raises(ForbiddenURL):
        fetch(server.url("/"), Settings(url_ports=str(server.port)), max_bytes=1, resolve=rebinding)
    assert len(rebinding.asked) == 1
    assert server.seen == []


def test_a_host_s_other_address_is_tried(server: Server) -> None:
    server.answers["/"] = answering(b"x")
    # Nobody listens at the first, an address of the same loopback network.
    assert fetch(server.url("/"), server.settings(), max_bytes=1, resolve=resolving("127.1.2.3", "127.0.0.1")) == b"x"


def test_redirects_are_followed(server: Server) -> None:
    server.answers |= {"/": leading_to("/b"), "/b": leading_to(server.url("/c")), "/c": answering(b"x")}
    assert get(server) == b"x"
    assert get(server, url_max_redirects=2) == b"x"
    with pytest.raises(UnusableAnswer, match=r"1 redirects .NST_URL_MAX_REDIRECTS"):
        get(server, url_max_redirects=1)


@pytest.mark.parametrize(
    "target",
    ["http://10.0.0.1/", "http://metadata.lan/", "ftp://files.lan/", "http://u:p@files.lan/", "http://files.lan:1/"],
)
def test_each_redirect_is_checked(server: Server, target: str) -> None:
    server.answers["/"] = leading_to(target)

    def resolve(host: str, port: int) -> list[str]:
        return {"files.lan": ["127.0.0.1"], "metadata.lan": ["169.254.169.254"]}.get(host, [host])

    with pytest.raises(ForbiddenURL):
        fetch(server.url("/"), server.settings(), max_bytes=1, resolve=resolve)


@pytest.mark.parametrize(
    "target", ["http://[", "A:0", "http://", "http:", "//", "http://h:x/", "\x7f", "data:,x", "http://xn--a/"]
)
def test_a_redirect_to_nonsense_is_a_named_error(server: Server, target: str) -> None:
    server.answers["/"] = leading_to(target)
    with pytest.raises(OutboundError):
        get(server)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([100, 101, 103, 200, 204, 206, 302, 401, 500]),
    st.sampled_from(["Location", "Set-Cookie", "Content-Length", "Transfer-Encoding", "Content-Encoding", "Upgrade"]),
    st.binary(max_size=20) | st.text("/:.@[]?#%\\h0x-=;", max_size=15).map(str.encode),
)
def test_no_answer_is_a_fault_of_the_fetching(server: Server, status: int, name: str, value: bytes) -> None:
    answer = f"HTTP/1.1 {status} x\r\n{name}: ".encode() + value + b"\r\n\r\nabc"
    server.answers["/"] = lambda handler: handler.wfile.write(answer) and None
    with suppress(OutboundError):
        assert b"abc".startswith(get(server))


def test_the_size_is_limited_while_reading(server: Server) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not server.released.is_set():
            handler.wfile.write(b"x" * 1000)

    server.answers |= {"/": answering(b"x" * 1001), "/endless": endless}
    assert get(server, max_bytes=1001) == b"x" * 1001
    for path in server.answers:
        with pytest.raises(URLTooLarge, match="1000"):
            get(server, path, max_bytes=1000)


def test_nothing_is_unpacked(server: Server) -> None:
    server.answers["/"] = answering(b"x", Content_Encoding="gzip")
    with pytest.raises(UnusableAnswer, match="compressed"):
        get(server)


@pytest.mark.parametrize("status", [201, 204, 206, 304, 404, 500])
def test_other_statuses_are_told(server: Server, status: int) -> None:
    server.answers["/"] = answering(b"", status)
    with pytest.raises(UnusableAnswer, match=f"status {status}"):
        get(server)


def drip(line: bytes) -> Callable[[Server], Callable[[BaseHTTPRequestHandler], None]]:
    """An answer that begins, and then comes byte by byte, each in time."""

    def make(server: Server) -> Callable[[BaseHTTPRequestHandler], None]:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(line)
            while not server.released.wait(0.02):
                handler.wfile.write(b"x")

        return answer

    return make


@pytest.mark.parametrize("line", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Header: "])
def test_the_time_is_limited_in_all(server: Server, line: bytes) -> None:
    server.answers["/"] = drip(line)(server)
    with pytest.raises(URLTimeout, match=r"0\.3 seconds .NST_URL_TIMEOUT_SECONDS"):
        get(server, max_bytes=10**9, url_timeout_seconds=0.3)


def test_the_time_of_redirects_counts(server: Server) -> None:
    def slow(handler: BaseHTTPRequestHandler) -> None:
        server.released.wait(0.2)
        leading_to("/")(handler)

    server.answers["/"] = slow
    with pytest.raises(URLTimeout):
        get(server, url_timeout_seconds=0.5, url_max_redirects=20)


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"])
def test_a_broken_answer_is_a_named_error(server: Server, answer: bytes) -> None:
    server.answers["/"] = lambda handler: handler.wfile.write(answer) and None
    with pytest.raises(UnreachableURL):
        get(server)


def test_a_server_without_tls_is_a_named_error(server: Server) -> None:
    url = server.url("/").replace("http:", "https:")
    with pytest.raises(UnreachableURL):
        fetch(url, server.settings(), max_bytes=1, resolve=LOCAL)


def test_nobody_listens() -> None:
    with socket.socket() as bound:  # and so nobody else does
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        with pytest.raises(UnreachableURL):
            fetch(f"http://h:{port}/", Settings(url_allowed_hosts=f"h:{port}"), max_bytes=1, resolve=LOCAL)


def test_tls_is_asked_for_the_name_not_for_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hello: list[bytes] = []

        def take() -> None:
            connection, _ = listener.accept()
            with connection:
                hello.append(connection.recv(65536))

        thread = threading.Thread(target=take)
        thread.start()
        host = f"files.lan:{listener.getsockname()[1]}"
        with pytest.raises(UnreachableURL):
            fetch(f"https://{host}/", Settings(url_allowed_hosts=host), max_bytes=1, resolve=LOCAL)
        thread.join()
    assert b"files.lan" in hello[0]
    assert b"127.0.0.1" not in hello[0]


# The client of those who call


def test_a_client_checks_each_request_and_follows_nothing(server: Server) -> None:
    server.answers |= {"/": leading_to("http://10.0.0.1/")}
    resolver = Resolver(["127.0.0.1"])
    with outbound_client(server.settings(), resolver) as client:
        assert client.post(server.url("/"), content=b"hello").status_code == 302
        assert client.post(server.url("/"), content=b"hello").status_code == 302
        assert len(resolver.asked) == 2
        for url in ("http://10.0.0.1/", "ftp://files.lan/", server.url("/").replace("files", "other")):
            with pytest.raises(ForbiddenURL):
                client.post(url, content=b"hello")
    with outbound_client(server.settings(), unresolvable) as client, pytest.raises(httpx.ConnectError):
        client.post(server.url("/"))


def test_a_client_has_its_time_for_each_request(server: Server) -> None:
    server.answers |= {"/": answering(b"x"), "/slow": drip(b"HTTP/1.1 200 OK\r\n\r\n")(server)}
    with outbound_client(server.settings(url_timeout_seconds=0.3), LOCAL) as client:
        for _ in range(2):
            with pytest.raises(httpx.ReadTimeout):
                client.get(server.url("/slow"))
        assert client.get(server.url("/")).content == b"x"


def test_its_errors_are_those_of_the_contract() -> None:
    errors = (ForbiddenURL, UnreachableURL, UnusableAnswer, URLTimeout, URLTooLarge)
    assert all(issubclass(error, OutboundError) and issubclass(error, JobsError) for error in errors)
    assert len({error.code for error in errors}) == len(errors)
