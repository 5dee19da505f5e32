"""Requests that take their time, or never end, over a real server."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import httpx
import pytest

#: Seconds within which something must come; it takes milliseconds.
PATIENCE = 60.0

MULTIPART = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="content"; filename="a"\r\n\r\n'

Serve = Callable[..., tuple[str, int]]


@pytest.fixture(autouse=True)
def soon_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.middleware._LINGER", 0.1)


def begin(address: tuple[str, int], path: str, kind: str, body: bytes, method: str = "POST") -> socket.socket:
    """A connection on which a request and the beginning of its body have been sent."""
    connection = socket.create_connection(address, timeout=PATIENCE)
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 100000\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def answer(connection: socket.socket) -> tuple[str, dict[str, Any]]:
    """The head and the document of an answer after which the server closes the connection."""
    received = b""
    while data := connection.recv(65_536):
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    return head.decode(), json.loads(body)


@pytest.mark.parametrize("path", ["/jobs", "/styles", "/masks"])
@pytest.mark.parametrize(("kind", "body"), [(MULTIPART, PART + b"\x89PNG"), ("application/json", b'{"size": ')])
def test_a_body_that_takes_too_long_is_refused(serve: Serve, path: str, kind: str, body: bytes) -> None:
    with begin(serve(body_timeout_seconds=0.2), path, kind, body) as connection:
        head, problem = answer(connection)
    assert head.startswith("HTTP/1.1 408 ")
    assert problem["code"] == "body_too_slow"
    assert "0.2 seconds (NST_BODY_TIMEOUT_SECONDS)" in problem["detail"]


def test_bytes_now_and_then_do_not_help(serve: Serve) -> None:
    with begin(serve(body_timeout_seconds=0.5), "/jobs", MULTIPART, PART) as connection:

        def dribble() -> None:
            try:
                while True:
                    connection.sendall(b".")
                    sleep(0.02)
            except OSError:  # the server has closed the connection
                pass

        sending = Thread(target=dribble)
        sending.start()
        received = b""
        try:
            while data := connection.recv(65_536):
                received += data
        except ConnectionResetError:  # by the byte that came after the end
            pass
        sending.join()
    assert received.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(("kind", "body"), [(MULTIPART, PART), ("application/json", b'{"metadata": "')])
def test_bodies_have_room_together(serve: Serve, kind: str, body: bytes) -> None:
    address = serve(max_request_bytes=150_000, max_bodies_bytes=150_000)
    with httpx.Client(base_url="http://{}:{}".format(*address), trust_env=False, timeout=PATIENCE) as client:

        def code(content: bytes | Iterator[bytes]) -> str:
            response = client.post("/masks", content=content, headers={"Content-Type": kind})
            if response.status_code == 503:
                assert "NST_MAX_BODIES_BYTES" in response.json()["detail"]
                assert int(response.headers["retry-after"]) > 0
            return str(response.json()["code"])

        def wait_for(expected: str) -> None:
            while code(b"." * 100_000) != expected:
                sleep(0.01)

        with begin(address, "/masks", kind, body + b"." * 60_000):
            wait_for("bodies_full")  # when the server has read as much
            assert code(iter([body + b"." * 100_000])) == "bodies_full"
            assert code(body) == "malformed_body"
        wait_for("malformed_body")


@pytest.mark.parametrize(
    ("method", "path", "kind", "status"),
    [
        ("POST", "/jobs", "text/plain", 415),
        ("POST", "/nothing", MULTIPART, 404),
        ("GET", "/livez", MULTIPART, 200),
        ("POST", "/jobs", MULTIPART, 401),
        ("POST", "/jobs", MULTIPART, 413),
    ],
)
def test_a_body_that_nobody_reads_closes_the_connection(
    serve: Serve, method: str, path: str, kind: str, status: int
) -> None:
    settings: dict[int, dict[str, Any]] = {401: {"api_keys": "ada:0123456789abcdef"}, 413: {"max_request_bytes": 1000}}
    with begin(serve(**settings.get(status, {})), path, kind, b"", method) as connection:
        head, _ = answer(connection)
        assert head.startswith(f"HTTP/1.1 {status} ")
        assert "connection: close" in head.lower()


def test_the_answer_to_a_body_that_nobody_reads_arrives(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.middleware._LINGER", PATIENCE)
    with begin(serve(), "/nothing", MULTIPART, b"") as connection:
        for _ in range(10):  # a connection that was closed at once would be reset by these
            connection.sendall(b"." * 10_000)
            sleep(0.01)
        head, problem = answer(connection)
    assert (head[:13], problem["code"]) == ("HTTP/1.1 404 ", "not_found")


def test_a_body_that_was_read_leaves_the_connection_open(serve: Serve, png: bytes) -> None:
    with httpx.Client(base_url="http://{}:{}".format(*serve()), trust_env=False, timeout=PATIENCE) as client:
        for response in (client.post("/jobs", files={"content": png, "style": png}), client.post("/jobs", json={})):
            assert "connection" not in response.headers
        assert "connection" not in client.post(f"/jobs/{client.get('/jobs').json()['items'][0]['id']}/cancel").headers


def test_others_are_served_meanwhile(serve: Serve, png: bytes) -> None:
    address = serve()
    with ExitStack() as slow, httpx.Client(base_url="http://{}:{}".format(*address), trust_env=False) as client:
        for k in range(100):
            kind, body = ((MULTIPART, PART + png), ("application/json", b'{"size": '))[k % 2]
            slow.enter_context(begin(address, "/jobs", kind, body))
        client.timeout = PATIENCE
        assert client.get("/livez").status_code == 200
        assert client.post("/jobs", files={"content": png, "style": png}).status_code == 202


def send_headers(connection: socket.socket, count: int) -> None:
    connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n")
    for k in range(count):
        connection.sendall(b"X-%d: %s\r\n" % (k, b"y" * 1000))


def test_headers_without_an_end_are_not_kept(serve: Serve) -> None:
    with socket.create_connection(serve(), timeout=PATIENCE) as connection, pytest.raises(ConnectionError):
        send_headers(connection, 100_000)


def test_a_head_that_is_too_large_is_refused(serve: Serve) -> None:
    with httpx.Client(base_url="http://{}:{}".format(*serve()), trust_env=False, timeout=PATIENCE) as client:
        for request in ({"headers": {"X-Long": "y" * 17_000}}, {"params": {"long": "y" * 17_000}}):
            response = client.get("/livez", **request)
            assert (response.status_code, response.json()["code"]) == (431, "head_too_large")
            assert {"x-request-id", "x-content-type-options"} <= set(response.headers)
        assert client.get("/livez", headers={"X-Long": "y" * 15_000}).status_code == 200


@pytest.mark.parametrize("path", ["cli/up.py", "Dockerfile.api"])
def test_the_parser_is_the_one_that_has_limits(path: str) -> None:
    assert '"--http", "h11"' in (Path(__file__).parents[2] / path).read_text()
