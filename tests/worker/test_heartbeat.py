"""The sign of life of a running job."""

import time
from collections.abc import Callable

import pytest

from jobs.contract import Job
from jobs.errors import StoreUnavailable
from jobs.memory import MemoryStore
from worker import heartbeat
from worker.heartbeat import Heartbeat

AddJob = Callable[..., Job]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "LOOK_EVERY", 0.01)


@pytest.fixture
def job_id(store: MemoryStore, add_job: AddJob) -> str:
    """A job that the worker "a" holds."""
    job_id = add_job().id
    assert store.start(job_id, "a")
    return job_id


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.01)


def test_the_lease_is_renewed(store: MemoryStore, job_id: str) -> None:
    entry = store._entries[job_id]
    before = entry.leased_until
    with Heartbeat(store, job_id, "a") as beat:
        wait_until(lambda: entry.leased_until > before)
        assert not beat.canceled
        assert not beat.lost


def test_a_cancel_is_noticed(store: MemoryStore, job_id: str) -> None:
    with Heartbeat(store, job_id, "a") as beat:
        store.request_cancel(job_id)
        wait_until(lambda: beat.canceled)
        assert not beat.lost


def test_a_lost_lease_is_noticed(store: MemoryStore, job_id: str) -> None:
    with Heartbeat(store, job_id, "a") as beat:
        store.delete(job_id)
        wait_until(lambda: beat.lost)


def test_what_nobody_foresaw_does_not_end_it(
    store: MemoryStore, job_id: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(job_id: str, token: str) -> bool:
        raise RuntimeError("broken")

    with Heartbeat(store, job_id, "a") as beat:
        with monkeypatch.context() as patch:
            patch.setattr(store, "renew", broken)
            wait_until(lambda: "RuntimeError: broken" in caplog.text)
        store.request_cancel(job_id)
        wait_until(lambda: beat.canceled)
        assert not beat.lost


def test_a_store_that_is_away_is_told_once_and_asked_again(
    store: MemoryStore, job_id: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls = []

    def away(job_id: str, token: str) -> bool:
        calls.append(token)
        raise StoreUnavailable

    with Heartbeat(store, job_id, "a") as beat:
        with monkeypatch.context() as patch:
            patch.setattr(store, "renew", away)
            wait_until(lambda: len(calls) > 5)
        assert caplog.text.count("cannot be reached") == 1
        store.request_cancel(job_id)
        wait_until(lambda: beat.canceled)
        assert not beat.lost
