"""``GET /jobs/{id}/events``, over a real server."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from os import environ
from threading import Thread
from threading import enumerate as enumerate_threads
from time import monotonic, sleep
from typing import Any, NamedTuple

import httpx
import pytest
import redis
import uvicorn
from celery import Celery

from api.app import create_app
from api.settings import ApiSettings
from jobs import news
from jobs.contract import Job, JobError, JobInput, Progress, Status, Urls, new_job_id, now
from jobs.protocol import Store

JSON = dict[str, Any]

#: Seconds within which something must come; it takes milliseconds.
PATIENCE = 60.0


class Event(NamedTuple):
    name: str
    data: JSON
    id: str | None


class Stream:
    """The events of an answer."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.lines = response.iter_lines()
        self.comments = 0
        self.retry: int | None = None

    def __iter__(self) -> Iterator[Event]:
        fields: dict[str, str] = {}
        for line in self.lines:
            name, _, value = line.partition(": ")
            if line and not name:
                self.comments += 1
            elif name == "retry":
                self.retry = int(value)
            elif line:
                fields[name] = value
            elif fields:
                yield Event(fields["event"], json.loads(fields["data"]), fields.get("id"))
                fields = {}

    def next(self) -> Event:
        return next(iter(self))

    def until(self, name: str) -> Event:
        return next(event for event in self if event.name == name)


class Server:
    """An application that listens on a port of its own."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False)

    @contextmanager
    def events(self, job_id: str, last: str | None = None) -> Iterator[Stream]:
        headers = {"Last-Event-ID": last} if last is not None else {}
        with self.http.stream("GET", f"/jobs/{job_id}/events", headers=headers) as response:
            yield Stream(response)


MakeServer = Callable[..., Server]


@pytest.fixture
def make_server(redis_url: str, store: Store, celery: Celery) -> Iterator[MakeServer]:
    """Makes servers of applications with given settings."""
    stops: list[Callable[[], None]] = []

    def make(**settings: Any) -> Server:
        app = create_app(ApiSettings(redis_url=redis_url, **settings), store, celery)
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        made = Server(f"http://127.0.0.1:{listener.getsockname()[1]}")

        def stop() -> None:
            made.http.close()
            server.should_exit = True
            thread.join()

        stops.append(stop)
        return made

    yield make
    for stop in stops:
        stop()


@pytest.fixture
def server(make_server: MakeServer) -> Server:
    return make_server()


@pytest.fixture
def job_id(store: Store) -> str:
    job_id = new_job_id()
    job_input = JobInput(params={"size": 64}, content_sha256="c", style_sha256=["s"])
    store.create(Job(id=job_id, created_at=now(), input=job_input, urls=Urls.of(job_id)), {"content": b"c"})
    return job_id


def fail(store: Store, job_id: str) -> Job:
    return store.finish(job_id, "a", status=Status.FAILED, error=JobError(code="timeout", message="late"))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < deadline, "the condition never came true"
        sleep(0.01)


def as_json(job: Job) -> JSON:
    return dict(json.loads(job.model_dump_json()))


def test_the_way_of_a_job_from_the_queue_to_its_end(server: Server, store: Store, job_id: str) -> None:
    with server.events(job_id) as stream:
        assert stream.response.status_code == 200
        headers = stream.response.headers
        assert headers["content-type"].partition(";")[0] == "text/event-stream"
        assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")

        first, second = stream.next(), stream.next()
        assert (first.name, first.data) == ("status", as_json(store.get(job_id)))
        assert (second.name, second.data) == ("progress", Progress().model_dump())
        assert stream.retry

        started = store.start(job_id, "a")
        assert started
        assert stream.next()[:2] == ("status", as_json(started))

        store.update(job_id, "a", progress=Progress(fraction=0.5, step=1, total_steps=2), preview=b"picture")
        progress, preview = stream.next(), stream.next()
        assert (progress.name, progress.data["fraction"]) == ("progress", 0.5)
        assert preview[:2] == ("preview", {"preview_id": 1, "url": f"jobs/{job_id}/preview"})

        asked = store.request_cancel(job_id)
        assert stream.next()[:2] == ("status", as_json(asked))

        ended = fail(store, job_id)
        assert [event[:2] for event in stream] == [("done", as_json(ended))]


def test_a_finished_job_is_done_at_once(server: Server, store: Store, job_id: str) -> None:
    ended = store.request_cancel(job_id)
    with server.events(job_id) as stream:
        assert [event[:2] for event in stream] == [("done", as_json(ended))]


def test_who_has_it_all_is_told_not_to_ask_again(server: Server, store: Store, job_id: str) -> None:
    store.request_cancel(job_id)
    with server.events(job_id) as stream:
        done = stream.next()
    with server.events(job_id, done.id) as stream:
        assert (stream.response.status_code, stream.response.read()) == (204, b"")


def test_who_comes_back_gets_what_is_new_and_nothing_twice(
    server: Server, make_server: MakeServer, store: Store, job_id: str
) -> None:
    with server.events(job_id) as stream:
        seen = [stream.next(), stream.next()]
    store.start(job_id, "a")
    with make_server().events(job_id, seen[-1].id) as stream:  # another process, as well as this one
        event = stream.next()
        assert (event.name, event.data["status"]) == ("status", "processing")
    for step in (1, 2, 3):
        store.update(job_id, "a", progress=Progress(step=step), preview=b"p")
    with server.events(job_id, event.id) as stream:
        progress, preview = stream.next(), stream.next()
        assert (progress.data["step"], preview.data["preview_id"]) == (3, 3)
    with server.events(job_id, progress.id) as stream:  # the preview was lost on the way
        assert stream.next() == preview
    with server.events(job_id, preview.id) as stream:
        ended = fail(store, job_id)
        assert [event[:2] for event in stream] == [("done", as_json(ended))]


def test_a_second_attempt_is_a_change(server: Server, store: Store, job_id: str) -> None:
    store.start(job_id, "a")
    with server.events(job_id) as stream:
        last = [stream.next(), stream.next()][-1]
    # Its worker gives it back after the first start and dies after the second.
    store.requeue(job_id, "a")
    store.start(job_id, "b")
    with server.events(job_id, last.id) as stream:
        store.update(job_id, "b", progress=Progress(step=1))
        assert stream.next().name == "progress"
    store._change(job_id, lambda job, *_: job.evolve(attempt=2))
    with server.events(job_id, last.id) as stream:
        event = stream.next()
        assert (event.name, event.data["attempt"]) == ("status", 2)


@pytest.mark.parametrize("last", ["", "17", "a.b", "a.b.c.d", "%00", "x" * 2000])
def test_an_id_that_is_none_of_ours_is_no_id(server: Server, job_id: str, last: str) -> None:
    with server.events(job_id, last) as stream:
        assert [stream.next().name, stream.next().name] == ["status", "progress"]


def test_a_stream_without_events_is_kept_alive(make_server: MakeServer, store: Store, job_id: str) -> None:
    with make_server(events_keepalive_seconds=0.1).events(job_id) as stream:
        assert [stream.next().name, stream.next().name] == ["status", "progress"]
        for line in stream.lines:
            if line.startswith(":"):
                break
        store.request_cancel(job_id)
        assert stream.next().name == "done"


def test_jobs_that_are_not_there_have_no_stream(server: Server) -> None:
    for job_id in (new_job_id(), "nonsense"):
        response = server.http.get(f"/jobs/{job_id}/events")
        assert (response.status_code, response.json()["code"]) == (404, "job_not_found")


def test_the_head_of_a_stream_is_asked_for_without_it(server: Server, job_id: str) -> None:
    response = server.http.head(f"/jobs/{job_id}/events")
    assert (response.status_code, response.headers["x-accel-buffering"], response.content) == (200, "no", b"")


def test_an_expired_job_ends_its_stream_and_has_none_then(
    make_server: MakeServer, store: Store, job_id: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "LOOK_SECONDS", 0.1)
    server = make_server()
    with server.events(job_id) as stream, redis.Redis.from_url(redis_url) as client:
        stream.next()
        client.pexpire(f"nst:job:{job_id}", 1)
        event = stream.until("gone")
        assert (event.data["status"], event.data["code"], event.id) == (410, "job_expired", None)
        assert list(stream) == []
    response = server.http.get(f"/jobs/{job_id}/events")
    assert (response.status_code, response.json()["code"]) == (410, "job_expired")


def test_a_deleted_job_ends_its_stream(server: Server, store: Store, job_id: str) -> None:
    with server.events(job_id) as stream:
        stream.next()
        store.delete(job_id)
        assert stream.until("gone").data == {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": "There is no job with this id.",
            "instance": f"/jobs/{job_id}/events",
            "code": "job_not_found",
        }
        assert list(stream) == []


def test_more_streams_than_there_may_be_are_refused(make_server: MakeServer, store: Store, job_id: str) -> None:
    server = make_server(max_event_streams=2)
    with server.events(job_id) as one:
        one.next()
        with server.events(job_id) as other:
            other.next()
            response = server.http.get(f"/jobs/{job_id}/events")
            assert (response.status_code, response.json()["code"]) == (503, "too_many_streams")
            assert "NST_MAX_EVENT_STREAMS" in response.json()["detail"]
            assert int(response.headers["retry-after"]) > 0
    # Who was refused, had asked for nothing, or went away has given the place back.
    for _ in range(3):
        server.http.get(f"/jobs/{new_job_id()}/events")
    store.request_cancel(job_id)
    wait_until(lambda: server.http.get(f"/jobs/{job_id}/events").status_code == 200)


def test_a_key_does_not_take_all_streams(make_server: MakeServer, store: Store) -> None:
    keys = {"ada": "ada-0123456789abcdef", "bob": "bob-0123456789abcdef"}
    server = make_server(max_event_streams=4, api_keys=",".join(map(":".join, keys.items())))
    jobs = {}
    for name in keys:
        jobs[name] = new_job_id()
        job_input = JobInput(params={"size": 64}, content_sha256="c", style_sha256=["s"])
        job = Job(id=jobs[name], created_at=now(), input=job_input, urls=Urls.of(jobs[name]))
        store.create(job, {"content": b"c"}, owner=name)
    server.http.headers["X-API-Key"] = keys["ada"]
    with server.events(jobs["ada"]) as one:
        one.next()
        response = server.http.get(f"/jobs/{jobs['ada']}/events")
        assert (response.status_code, response.json()["code"]) == (503, "too_many_streams")
        server.http.headers["X-API-Key"] = keys["bob"]
        with server.events(jobs["bob"]) as other:
            assert other.next().name == "status"


def test_many_streams_share_a_thread_and_a_connection(
    server: Server, store: Store, job_id: str, redis_url: str
) -> None:
    with ExitStack() as streams, redis.Redis.from_url(redis_url) as client:
        opened = []
        for _ in range(40):
            opened.append(streams.enter_context(server.events(job_id)))
            opened[-1].next()
        assert len(client.client_list(_type="pubsub")) == 1
        assert [thread.name for thread in enumerate_threads()].count("news") == 1
        store.request_cancel(job_id)
        assert {stream.until("done").data["status"] for stream in opened} == {"canceled"}


@contextmanager
def server_process(redis_url: str) -> Iterator[tuple["subprocess.Popen[bytes]", Server]]:
    """A server in a process of its own, which waits for open answers for as long as they take."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--factory", "api.app:create_app", "--port", str(port)]
    process = subprocess.Popen([*command, "--log-level", "warning"], env={**environ, "NST_REDIS_URL": redis_url})
    server = Server(f"http://127.0.0.1:{port}")
    try:

        def answers() -> bool:
            assert process.poll() is None
            with suppress(httpx.ConnectError):
                return server.http.get("/livez").is_success
            return False

        wait_until(answers)
        yield process, server
    finally:
        server.http.close()
        process.kill()
        process.wait()


def test_a_server_that_stops_ends_its_streams_and_answers_who_waits(
    redis_url: str, store: Store, job_id: str, png: bytes
) -> None:
    files = {"content": png, "style": png}
    with server_process(redis_url) as (process, server), ThreadPoolExecutor(1) as threads:
        with server.events(job_id) as stream:
            assert stream.next().name == "status"
            waiting = threads.submit(server.http.post, "/jobs", files=files, headers={"Prefer": "wait=60"})
            wait_until(lambda: len(store.list_jobs().items) == 2)
            process.send_signal(signal.SIGTERM)
            assert [event.name for event in stream] == ["progress"]
        assert (waiting.result().status_code, waiting.result().json()["status"]) == (202, "queued")
        assert process.wait(PATIENCE) in (0, -signal.SIGTERM)
