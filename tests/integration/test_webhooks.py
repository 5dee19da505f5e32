"""Webhooks through the whole service: they arrive, signed, whatever dies, and hold up nobody."""

from collections.abc import Iterator
from typing import Any

import pytest

from cli.up import Stack
from tests.receiver import SECRET, Receiver
from tests.service import Service, System, kill_group, wait_for

ALL = "processing,progress,succeeded,failed,canceled"

SETTINGS = {
    "NST_WEBHOOK_SECRET": SECRET,
    "NST_WEBHOOK_RETRY_SECONDS": "0.1",
    "NST_WEBHOOK_PROGRESS_SECONDS": "0.1",
    "NST_WEBHOOK_TIMEOUT_SECONDS": "60",
    "NST_WEBHOOK_CONCURRENCY": "8",
}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def dead() -> Iterator[Receiver]:
    """Takes everything and never answers."""
    with Receiver([None]) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def half_dead() -> Iterator[Receiver]:
    """Does not answer the first time."""
    with Receiver([None, 200]) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def allowed(receiver: Receiver, dead: Receiver, half_dead: Receiver) -> dict[str, str]:
    return {"NST_URL_ALLOWED_HOSTS": f"{receiver.host},{dead.host},{half_dead.host}"}


@pytest.fixture(scope="module")
def stack(system: System, allowed: dict[str, str]) -> Iterator[Stack]:
    with system.stack("webhooks", **SETTINGS, **allowed) as stack:
        yield stack
        stack.check()


@pytest.fixture(scope="module")
def service(stack: Stack) -> Iterator[Service]:
    with Service(stack.url) as service:
        yield service


def told(receiver: Receiver, job_id: str) -> list[dict[str, Any]]:
    """What a receiver was told of a job, in the order in which it happened."""
    messages = [message for message in receiver.messages() if message["data"]["id"] == job_id]
    return sorted(messages, key=lambda message: str(message["timestamp"]))


def told_of_its_end(receiver: Receiver, job_id: str) -> list[dict[str, Any]]:
    """The same, as soon as the end of the job is told."""
    found = wait_for(lambda: (seen := told(receiver, job_id)) and seen[-1]["data"]["completed_at"] and seen)
    assert isinstance(found, list)
    return found


def test_a_job_tells_of_its_life(service: Service, receiver: Receiver) -> None:
    job_id = service.submit(iterations=200, webhook=receiver.url, webhook_events=ALL)
    messages = told_of_its_end(receiver, job_id)
    kinds = [message["type"] for message in messages]
    assert kinds[0] == "job.processing"
    assert set(kinds[1:-1]) == {"job.progress"}
    assert kinds[-1] == "job.succeeded"
    assert messages[-1]["data"] == service.job(job_id)


def test_a_job_that_is_canceled_in_the_queue_tells_so(service: Service, receiver: Receiver) -> None:
    running = service.submit(size=256, iterations=4000)
    service.started(running)
    job_id = service.submit(webhook=receiver.url, webhook_events="canceled,processing")
    service.http.post(f"/jobs/{job_id}/cancel")
    service.http.post(f"/jobs/{running}/cancel")
    assert [message["type"] for message in told_of_its_end(receiver, job_id)] == ["job.canceled"]


def test_a_dead_receiver_holds_up_no_job(service: Service, dead: Receiver) -> None:
    first = [service.accepted(service.post_fast(webhook=dead.url, webhook_events=ALL)) for _ in range(3)]
    # All threads that may call one receiver wait for it.
    wait_for(lambda: len(dead.requests) == 2)
    for job_id in (*first, service.accepted(service.post_fast()), service.submit()):
        service.succeeded(job_id)
    assert len(dead.requests) == 2
    dead.hang_up()
    wait_for(lambda: {message["data"]["id"] for message in dead.messages()} == set(first))


def test_what_a_worker_was_killed_over_is_sent_by_the_next(
    system: System, stack: Stack, service: Service, half_dead: Receiver, allowed: dict[str, str]
) -> None:
    kill_group(stack.children.pop("webhook"))
    job_id = service.accepted(service.post_fast(webhook=half_dead.url))
    service.succeeded(job_id)
    assert half_dead.requests == []

    settings = SETTINGS | allowed | {"NST_WEBHOOK_TIMEOUT_SECONDS": "0.5"}
    # What it has taken is given to others once its time is over; killed before that, it tells nobody.
    worker = system.start_worker(stack, "first", "webhook", **(settings | {"NST_WEBHOOK_TIMEOUT_SECONDS": "1"}))
    wait_for(lambda: half_dead.requests)
    kill_group(worker)
    system.start_worker(stack, "second", "webhook", **settings)
    (message,) = wait_for(lambda: len(half_dead.requests) == 2 and half_dead.messages()[1:])
    assert (message["type"], message["data"]["id"]) == ("job.succeeded", job_id)
    assert len(set(half_dead.ids())) == 1
    system.stop_workers()


def test_no_log_tells_the_key_or_the_query(stack: Stack) -> None:
    logs = "".join(path.read_text() for path in (stack.data_dir / "logs").glob("*.log"))
    assert "webhook succeeded delivered" in logs
    assert "hunter2" not in logs
    assert SECRET not in logs
