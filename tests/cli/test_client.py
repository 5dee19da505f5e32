"""The client of the HTTP contract, and the wait for a job."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from cli.client import Client, JobFailed
from cli.engine_options import Pictures
from cli.main import _submit_and_wait

JOB = {"id": "x", "progress": {"fraction": 0, "message": ""}, "error": None}


class FakeClient:
    """A service whose job has one status after the other."""

    def __init__(self, *statuses: str) -> None:
        self.statuses = statuses

    def submit(self, *_: object) -> dict[str, Any]:
        return {**JOB, "status": "queued"}

    def watch(self, _: str) -> Iterator[dict[str, Any]]:
        for status in self.statuses:
            yield {**JOB, "status": status}


def wait(client: FakeClient, **more: Any) -> None:
    pictures = Pictures(content=Path("c"), styles=[Path("s")], style_ids=[])
    _submit_and_wait(client, pictures, Path("o"), {}, **more)


def test_a_job_that_does_not_succeed() -> None:
    with pytest.raises(JobFailed, match="ended as canceled"):
        wait(FakeClient("processing", "canceled"))


def test_the_wait_ends_when_the_check_fails() -> None:
    def check() -> None:
        raise RuntimeError("the worker is gone")

    with pytest.raises(RuntimeError, match="the worker is gone"):
        wait(FakeClient("queued", "queued"), check=check)


def test_the_wait_for_a_worker_has_an_end() -> None:
    with pytest.raises(JobFailed, match="no worker has taken the job within 0 s"):
        wait(FakeClient("processing", "queued", "succeeded"), patience=0)


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server that answers with the key that it was sent, if it was."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent = self.headers.get("Authorization")
            body = json.dumps({"authorization": sent} if sent else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_reached_without_the_proxy(server: str, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with Client(server.replace("127.0.0.1", host)) as client:
        assert client.job("x") == {}


def test_a_key_is_sent(server: str) -> None:
    with Client(server, "a-key-0123456789") as client:
        assert client.job("x") == {"authorization": "Bearer a-key-0123456789"}
