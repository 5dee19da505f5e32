"""The client, against a server that answers as it is told; test_with_the_application.py has the real one."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from client import NSTClient, RequestRefused, Unreachable, nst_client

#: Status, headers and body of an answer.
Answer = tuple[int, dict[str, str], bytes]


#: Closes the connection instead of an answer.
BREAKS_OFF = 0


class Script:
    """A server that gives one answer after the other, and the last one again and again."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.url = ""

    def will(self, status: int, document: Any = None, **headers: str) -> "Script":
        """Answer so next."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.answers.append((status, {name.replace("_", "-"): value for name, value in headers.items()}, body))
        return self


def event(name: str, data: Any, event_id: str = "") -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\nid: {event_id}\n\n".encode()


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.asked.append((self.command, self.path, dict(self.headers), body))
            status, headers, answer = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
            if status == BREAKS_OFF:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_port}"
    yield script
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(script: Script, monkeypatch: pytest.MonkeyPatch) -> Iterator[NSTClient]:
    monkeypatch.setattr(nst_client, "RECONNECT_AFTER", 0.01)
    monkeypatch.setattr(nst_client, "POLL_EVERY", 0.01)
    with NSTClient(script.url, "secret") as client:
        yield client


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_reached_without_the_proxy(script: Script, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    script.will(200, {})
    with NSTClient(script.url.replace("127.0.0.1", host)) as client:
        assert client.get("x") == {}


def test_a_job_is_sent_with_the_key_and_without_what_is_none(script: Script, client: NSTClient) -> None:
    script.will(202, {"id": "x"})
    assert client.submit(b"a photograph", b"a painting", tile=None) == {"id": "x"}
    method, path, headers, body = script.asked[0]
    assert (method, path, headers["Authorization"]) == ("POST", "/jobs", "Bearer secret")
    assert headers["Idempotency-Key"]
    assert b"tile" not in body
    assert b"style_id" not in body


def test_what_cannot_be_served_at_the_moment_is_asked_for_again(script: Script, client: NSTClient) -> None:
    script.will(503, {}, Retry_After="0").will(503, {}, Retry_After="0").will(200, {"id": "x"})
    assert client.get("x") == {"id": "x"}
    assert len(script.asked) == 3


def test_what_breaks_off_is_sent_again_and_makes_one_job(script: Script, client: NSTClient) -> None:
    script.will(BREAKS_OFF).will(409, {"code": "idempotency_key_in_use"}, Retry_After="0").will(202, {"id": "x"})
    assert client.submit(b"c", b"s") == {"id": "x"}
    assert len({headers["Idempotency-Key"] for _, _, headers, _ in script.asked}) == 1
    assert [body.count(b"form-data") for _, _, _, body in script.asked] == [2, 2, 2]
    assert len(script.asked) == 3


def test_it_is_not_sent_again_for_ever(script: Script, client: NSTClient) -> None:
    script.will(BREAKS_OFF)
    for call, times in ((client.get, 1 + nst_client.RETRIES), (client.delete, 1)):
        script.asked.clear()
        with pytest.raises(Unreachable):
            call("x")
        assert len(script.asked) == times


def test_a_key_of_ones_own_is_sent(script: Script, client: NSTClient) -> None:
    script.will(202, {"id": "x"})
    client.submit(b"c", b"s", idempotency_key="mine")
    client.submit_files([("content", b"c")], {}, idempotency_key="mine too")
    assert [headers["Idempotency-Key"] for _, _, headers, _ in script.asked] == ["mine", "mine too"]


@pytest.mark.parametrize(
    ("call", "headers", "times"),
    [
        (lambda client: client.get("x"), {"Retry_After": "0"}, 1 + nst_client.RETRIES),
        (lambda client: client.cancel("x"), {"Retry_After": "0"}, 1 + nst_client.RETRIES),
        (lambda client: client.submit(b"c", b"s"), {"Retry_After": "0"}, 1 + nst_client.RETRIES),
        (lambda client: client.get("x"), {"Retry_After": "31"}, 1),
        (lambda client: client.get("x"), {}, 1),
    ],
)
def test_a_refusal_carries_the_problem(
    script: Script, client: NSTClient, call: Callable[[NSTClient], Any], headers: dict[str, str], times: int
) -> None:
    errors = [{"pointer": "#/size", "detail": "is too large"}]
    script.will(503, {"detail": "It is full.", "code": "full", "errors": errors}, **headers)
    with pytest.raises(RequestRefused, match=r"^It is full\.\nsize: is too large$") as refused:
        call(client)
    assert (refused.value.status, refused.value.code, len(script.asked)) == (503, "full", times)
    assert len({headers.get("Idempotency-Key") for _, _, headers, _ in script.asked}) == 1


def test_an_answer_that_is_no_problem_document_is_a_refusal_too(script: Script, client: NSTClient) -> None:
    script.will(502, b"<html>")
    with pytest.raises(RequestRefused, match="the server answered 502"):
        client.get("x")


def test_events_go_on_where_the_stream_broke_off(script: Script, client: NSTClient) -> None:
    script.will(200, b"retry: 2000\n\n" + event("status", {"n": 1}, "1"))
    script.will(200, b"").will(503, {}, Retry_After="0")
    script.will(200, b": keep-alive\n\n" + event("progress", {"n": 2}, "2") + event("done", {"status": "failed"}, "3"))
    assert [each.name for each in client.events("x")] == ["status", "progress", "done"]
    assert [headers.get("Last-Event-ID") for _, _, headers, _ in script.asked] == [None, "1", "1", "1"]


@pytest.mark.parametrize(("retry_after", "times"), [("0", 1 + nst_client.RETRIES), ("31", 1), (None, 1)])
def test_streams_are_asked_for_again_as_anything_else(
    script: Script, client: NSTClient, retry_after: str | None, times: int
) -> None:
    script.will(503, {"code": "store_unavailable"}, **({"Retry_After": retry_after} if retry_after else {}))
    with pytest.raises(RequestRefused) as refused:
        client.wait("x")
    assert (refused.value.code, len(script.asked)) == ("store_unavailable", times)


def test_a_stream_is_asked_for_again_when_the_server_says(
    script: Script, client: NSTClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(nst_client, "sleep", slept.append)
    script.will(200, event("status", {"n": 1}, "1")).will(503, {}, Retry_After="7")
    script.will(200, event("done", {"status": "failed"}, "2"))
    assert [each.name for each in client.events("x")] == ["status", "done"]
    assert slept == [nst_client.RECONNECT_AFTER, 7]
    assert [headers.get("Last-Event-ID") for _, _, headers, _ in script.asked] == [None, "1", "1"]


@pytest.mark.parametrize("status", [BREAKS_OFF, 200])
def test_streams_that_bring_nothing_are_not_asked_for_for_ever(script: Script, client: NSTClient, status: int) -> None:
    script.will(status, b"")
    with pytest.raises(Unreachable, match="cannot be reached"):
        client.wait("x")
    assert len(script.asked) == 1 + nst_client.RETRIES


@pytest.mark.parametrize("sign", [b"retry: 2000\n\n", b": keep-alive\n\n"])
def test_a_server_that_shows_itself_is_asked_until_the_job_ends(script: Script, client: NSTClient, sign: bytes) -> None:
    for _ in range(2 * nst_client.RETRIES):
        script.will(BREAKS_OFF).will(200, sign)
    script.will(200, event("done", {"status": "succeeded"}, "1"))
    assert client.wait("x") == {"status": "succeeded"}


def test_the_wait_ends_with_the_job(script: Script, client: NSTClient) -> None:
    script.will(200, event("status", {}, "1") + event("done", {"status": "succeeded"}, "2"))
    assert client.wait("x") == {"status": "succeeded"}


def test_without_a_free_stream_the_job_is_asked_for(script: Script, client: NSTClient) -> None:
    script.will(503, {"code": "too_many_streams"}).will(200, {"status": "queued"}).will(200, {"status": "canceled"})
    assert client.wait("x") == {"status": "canceled"}


def test_a_wait_has_an_end(script: Script, client: NSTClient) -> None:
    script.will(200, event("status", {}, "1"))
    with pytest.raises(TimeoutError, match="job x has not ended within 0"):
        client.wait("x", timeout=0.05)


def test_a_job_that_is_deleted_meanwhile_is_a_refusal(script: Script, client: NSTClient) -> None:
    script.will(200, event("gone", {"status": 404, "code": "job_not_found", "detail": "none"}))
    with pytest.raises(RequestRefused) as refused:
        client.wait("x")
    assert refused.value.code == "job_not_found"


def test_a_server_that_is_away_is_told(client: NSTClient) -> None:
    with NSTClient("http://127.0.0.1:1") as away:
        with pytest.raises(Unreachable, match="cannot be reached"):
            away.get("x")
        with pytest.raises(Unreachable, match="cannot be reached"):
            away.wait("x")


def test_all_pages_are_listed(script: Script, client: NSTClient) -> None:
    script.will(200, {"items": [], "next_cursor": "b"})  # none of those that were looked at
    script.will(200, {"items": [1, 2], "next_cursor": "c"}).will(200, {"items": [3], "next_cursor": None})
    assert list(client.list_jobs(status="failed")) == [1, 2, 3]
    first = "/jobs?status=failed"
    assert [path for _, path, _, _ in script.asked] == [first, f"{first}&cursor=b", f"{first}&cursor=c"]
