"""What stores count, in Redis and in memory alike."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from jobs.contract import Job, JobError, JobInput, Method, Output, Status, Urls, new_job_id, now
from jobs.errors import LeaseLost
from jobs.protocol import Store
from jobs.settings import Settings
from jobs.tally import BOUNDS, Tally, increments

FAILURE = JobError(code="out_of_memory", message="too large")
OUTPUT = Output(url="r", media_type="image/png", width=64, height=48, bytes=6, sha256="0" * 64)


def add_job(store: Store, method: Method = "gatys") -> str:
    job_id = new_job_id()
    job_input = JobInput(params={}, style_sha256=[])
    store.create(
        Job(id=job_id, method=method, created_at=now(), input=job_input, urls=Urls.of(job_id)), {"content": b"c"}
    )
    return job_id


def succeed(store: Store, job_id: str, token: str = "a") -> Job:
    return store.finish(job_id, token, status=Status.SUCCEEDED, output=OUTPUT, result=b"result")


def test_nothing_was_counted_at_first(store: Store) -> None:
    tally = store.tally()
    assert (tally.accepted("fast"), tally.ended(Status.SUCCEEDED, "fast"), tally.mean("fast")) == (0, 0, None)
    assert tally.histogram("run", "fast").counts == (0,) * (len(BOUNDS) + 1)
    assert set(store.unfinished().values()) == {0}


def test_each_job_is_counted_once_by_how_it_ended(store: Store) -> None:
    succeeded, failed, canceled, stopped = (add_job(store) for _ in range(4))
    for job_id in (succeeded, failed, stopped):
        store.start(job_id, "a")
    succeed(store, succeeded)
    with pytest.raises(LeaseLost):
        succeed(store, succeeded)
    store.finish(failed, "a", status=Status.FAILED, error=FAILURE)
    store.request_cancel(canceled)
    store.request_cancel(canceled)
    store.request_cancel(stopped)
    store.finish(stopped, "a", status=Status.CANCELED)
    store.delete(succeeded)
    tally = store.tally()
    assert tally.accepted("gatys") == 4
    assert {status: tally.ended(status, "gatys") for status in Status if status.is_final} == {
        Status.SUCCEEDED: 1,
        Status.FAILED: 1,
        Status.CANCELED: 2,
    }
    assert tally.ended("deleted", "gatys") == 0
    assert tally.histogram("run", "gatys").counts[-1] == 3  # one never began
    assert tally.histogram("wait", "gatys").counts[-1] == 3


def test_accepted_jobs_are_those_that_ended_and_those_that_have_not(store: Store) -> None:
    waiting, running = add_job(store, "fast"), add_job(store, "fast")
    for job_id in (add_job(store, "fast"), add_job(store, "fast")):
        store.delete(job_id)
    store.start(running, "a")
    assert store.get(waiting).status is Status.QUEUED
    assert store.tally().ended("deleted", "fast") == 2
    unfinished = store.unfinished()
    assert (unfinished[Status.QUEUED, "fast"], unfinished[Status.PROCESSING, "fast"]) == (1, 1)
    assert store.tally().accepted("fast") == 4


def test_a_job_that_is_started_again_waited_and_ended_once(store: Store) -> None:
    job_id = add_job(store)
    store.start(job_id, "a")
    store.requeue(job_id, "a")
    assert store.unfinished()[Status.QUEUED, "gatys"] == 1
    store.start(job_id, "b")
    succeed(store, job_id, "b")
    tally = store.tally()
    assert (tally.accepted("gatys"), tally.ended(Status.SUCCEEDED, "gatys")) == (1, 1)
    assert tally.histogram("wait", "gatys").counts[-1] == 1
    assert set(store.unfinished().values()) == {0}


def test_the_end_of_a_job_that_many_bring_about_counts_once(store: Store) -> None:
    job_id = add_job(store)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: store.request_cancel(job_id), range(8)))
    assert store.tally().ended(Status.CANCELED, "gatys") == 1


def test_the_mean_moves_towards_what_jobs_take_now(store: Store) -> None:
    for _ in range(3):
        job_id = add_job(store, "fast")
        store.start(job_id, "a")
        succeed(store, job_id)
    mean = store.tally().mean("fast")
    assert mean is not None
    assert 0 < mean < 60
    assert store.tally().mean("gatys") is None
    failed = add_job(store)
    store.start(failed, "a")
    store.finish(failed, "a", status=Status.FAILED, error=FAILURE)
    assert store.tally().mean("gatys") is None  # an early end says nothing of how long the others take


def test_a_job_that_expired_unfinished_leaves_the_line(make_store) -> None:
    store = make_store(Settings(pending_ttl_seconds=1))
    add_job(store)
    time.sleep(1.1)
    for _ in range(10):  # of these, one sweeps
        add_job(store)
    assert store.unfinished()[Status.QUEUED, "gatys"] == 10


def test_durations_fall_into_their_buckets() -> None:
    amounts: dict[str, float] = {}
    at = now()
    for seconds in (0.1, 0.2, 7.0, 10_000.0):
        old = Job(
            id=new_job_id(),
            status=Status.PROCESSING,
            created_at=at,
            started_at=at,
            input=JobInput(params={}, style_sha256=[]),
            urls=Urls.of("x"),
        )
        new = old.evolve(status=Status.SUCCEEDED, completed_at=at + timedelta(seconds=seconds))
        for name, amount in increments(old, new).items():
            amounts[name] = amounts.get(name, 0) + amount
    histogram = Tally(amounts).histogram("run", "gatys")
    assert dict(zip((*BOUNDS, None), histogram.counts, strict=True)) == {
        0.1: 1,
        **dict.fromkeys((0.25, 0.5, 1.0, 2.5, 5.0), 2),
        **dict.fromkeys((10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0), 3),
        None: 4,
    }
    assert histogram.total == pytest.approx(10_007.3)
