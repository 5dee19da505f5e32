"""A real job, followed from the queue to its end."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import pytest

from cli.up import Stack
from client import NSTClient, RequestRefused
from tests.service import Service, System

Event = tuple[str, dict[str, Any], str]


@pytest.fixture(scope="module")
def own_stack(system: System) -> Iterator[Stack]:
    """A service whose Redis may be stopped."""
    with system.stack("events") as stack:
        yield stack
        stack.check()


@pytest.fixture(scope="module")
def own_service(own_stack: Stack) -> Iterator[Service]:
    with Service(own_stack.url) as service:
        yield service


@contextmanager
def events_of(service: Service, job_id: str, last: str | None = None) -> Iterator[Iterator[Event]]:
    headers = {"Last-Event-ID": last} if last else {}
    with service.http.stream("GET", f"/jobs/{job_id}/events", headers=headers) as response:
        assert response.status_code == 200
        yield events_in(response.iter_lines())


def events_in(lines: Iterator[str]) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        fields[name] = value
        if not line and "event" in fields:
            yield fields["event"], json.loads(fields["data"]), fields["id"]
            fields = {}


def test_a_job_is_followed_from_the_queue_to_its_end(service: Service) -> None:
    before, job_id = service.submit(iterations=20), service.submit(iterations=20)
    with events_of(service, job_id) as stream:
        events = list(stream)
    # It waits behind the other.
    assert [data["status"] for name, data, _ in events if name in ("status", "done")] == [
        "queued",
        "processing",
        "succeeded",
    ]
    fractions = [data["fraction"] for name, data, _ in events if name == "progress"]
    assert fractions == sorted(fractions)
    assert [name for name, _, _ in events].count("preview") >= 1
    assert events[-1][:2] == ("done", service.job(job_id))
    service.succeeded(before)


def test_who_comes_back_in_the_middle_misses_nothing_and_gets_nothing_twice(service: Service) -> None:
    job_id = service.submit(size=128, iterations=60)
    seen: list[Event] = []
    last: str | None = None
    while not seen or seen[-1][0] != "done":
        with events_of(service, job_id, last) as stream:
            seen += islice(stream, 2)
        last = seen[-1][2]
    statuses = [data["status"] for name, data, _ in seen if name == "status"]
    assert statuses in (["queued", "processing"], ["processing"])
    for name in ("progress", "preview"):
        told = [json.dumps(data) for kind, data, _ in seen if kind == name]
        assert len(told) == len(set(told)) > 0
    assert service.http.get(f"/jobs/{job_id}/events", headers={"Last-Event-ID": last or ""}).status_code == 204


def test_a_stream_goes_on_when_redis_was_away(own_stack: Stack, own_service: Service) -> None:
    assert own_stack.redis is not None
    job_id = own_service.submit(iterations=250)
    with events_of(own_service, job_id) as stream:
        assert next(data for name, data, _ in stream if name == "progress" and data["step"])
        own_stack.redis.stop()
        own_stack.redis.start()
        assert next(data for name, data, _ in stream if name == "done")["status"] == "succeeded"


def test_the_python_client(service: Service) -> None:
    with NSTClient(service.url) as nst:
        job = nst.submit(service.content, service.style, size=64, iterations=10)
        names = [event.name for event in nst.events(job["id"])]
        assert (names[0], names[-1]) == ("status", "done")
        assert nst.wait(job["id"]) == nst.get(job["id"])
        assert nst.result(job["id"]).startswith(b"\x89PNG")
        assert nst.thumbnail(job["id"]).startswith(b"\xff\xd8")
        assert nst.input(job["id"], job["input"]["content_sha256"]) == service.content.read_bytes()
        assert nst.preview(job["id"]).startswith(b"\xff\xd8")
        assert job["id"] in [each["id"] for each in nst.list_jobs(status="succeeded")]
        assert nst.cancel(job["id"])["status"] == "succeeded"
        nst.delete(job["id"])
        with pytest.raises(RequestRefused, match="no job"):
            nst.get(job["id"])
