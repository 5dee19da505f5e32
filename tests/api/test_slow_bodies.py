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
import uvicorn

#: Seconds within which something must come; it takes milliseconds.
PATIENCE = 60.0

MULTIPART = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="content"; filename="a"\r\n\r\n'

Serve = Callable[..., tuple[str, int]]


@pytest.fixture
def serve(make_client) -> Iterator[Serve]:
    """Serves applications with given settings; gives their addresses."""
    with ExitStack() as running:

        def start(**settings: Any) -> tuple[str, int]:
            listener = socket.create_server(("127.0.0.1", 0))
            server = uvicorn.Server(uvicorn.Config(make_client(**settings).app, http="h11", log_level="warning"))
            thread = Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            running.callback(thread.join)
            running.callback(setattr, server, "should_exit", True)
            return listener.getsockname()

        yield start


def begin(address: tuple[str, int], path: str, kind: str, body: bytes) -> socket.socket:
    """A connection on which a request and the beginning of its body have been sent."""
    connection = socket.create_connection(address, timeout=PATIENCE)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 100000\r\n\r\n"
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


@pytest.mark.parametrize("path", ["cli/up.py", "Dockerfile.api"])
def test_the_parser_is_the_one_that_has_limits(path: str) -> None:
    assert '"--http", "h11"' in (Path(__file__).parents[2] / path).read_text()
