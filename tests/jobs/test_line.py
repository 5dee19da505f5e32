"""The place of jobs in line."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from jobs.contract import Job, JobInput, Method, Output, Priority, Progress, QueuePlace, Status, Urls, new_job_id, now
from jobs.line import Line
from jobs.protocol import Store
from jobs.roster import Roster, WorkerProcess


@pytest.fixture
def roster(redis_url: str) -> Iterator[Roster]:
    roster = Roster.connect(redis_url)
    yield roster
    roster.close()


@pytest.fixture
def line(store: Store, roster: Roster) -> Line:
    return Line(store, roster)


def sign_in(roster: Roster, name: str, *queues: str) -> None:
    roster.sign_in(WorkerProcess(name=name, queues=list(queues), version="1", started_at=now()))


def add_job(store: Store, method: Method, priority: Priority = "normal") -> str:
    job_id = new_job_id()
    job_input = JobInput(params={}, style_sha256=[])
    job = Job(id=job_id, method=method, priority=priority, created_at=now(), input=job_input, urls=Urls.of(job_id))
    store.create(job, {"content": b"c"})
    return job_id


def succeed(store: Store, job_id: str, token: str) -> None:
    output = Output(url="r", media_type="image/png", width=64, height=48, bytes=6, sha256="0" * 64)
    store.finish(job_id, token, status=Status.SUCCEEDED, output=output, result=b"result")


def paint(store: Store, method: Method = "fast") -> None:
    """A job begins and ends, so that there is a mean time."""
    job_id = add_job(store, method)
    store.start(job_id, "before")
    succeed(store, job_id, "before")


def place(line: Line, job_id: str) -> QueuePlace:
    return line.with_place(line.store.get(job_id)).queue


def test_jobs_wait_in_the_order_of_their_coming(store: Store, line: Line) -> None:
    first, second, third = (add_job(store, "fast") for _ in range(3))
    other = add_job(store, "gatys")
    assert [place(line, job_id).position for job_id in (first, second, third, other)] == [1, 2, 3, 1]
    store.start(first, "a")
    assert [place(line, job_id).position for job_id in (first, second, third)] == [None, 1, 2]
    store.request_cancel(second)
    assert [place(line, job_id).position for job_id in (second, third)] == [None, 1]
    store.requeue(first, "a")
    assert [place(line, job_id).position for job_id in (first, third)] == [1, 2]
    store.delete(first)
    assert place(line, third).position == 1


def test_the_first_in_line_are_told_in_their_order(store: Store) -> None:
    later, sooner = add_job(store, "fast"), add_job(store, "fast", "high")
    running, last = add_job(store, "fast"), add_job(store, "fast", "low")
    add_job(store, "gatys")
    store.start(running, "a")
    assert [job.id for job in store.first_in_line("fast", 10)] == [sooner, later, last]
    assert [job.id for job in store.first_in_line("fast", 2)] == [sooner, later]
    assert store.first_in_line("train", 10) == []


def test_the_urgent_ones_are_taken_first(store: Store, line: Line) -> None:
    low, normal = add_job(store, "fast", "low"), add_job(store, "fast")
    high, later = add_job(store, "fast", "high"), add_job(store, "fast")
    assert [place(line, job_id).position for job_id in (high, normal, later, low)] == [1, 2, 3, 4]


def test_one_whose_worker_was_lost_does_not_wait_for_its_turn_again(store: Store, line: Line) -> None:
    waiting, begun = add_job(store, "fast"), add_job(store, "fast", "low")
    store.start(begun, "a")
    store.abandon(begun, "a")
    assert [place(line, job_id).position for job_id in (begun, waiting)] == [1, 2]


def test_nothing_is_estimated_without_workers_or_experience(store: Store, line: Line, roster: Roster) -> None:
    job_id = add_job(store, "fast")
    assert place(line, job_id) == QueuePlace(position=1)
    sign_in(roster, "fast@here", "fast", "webhook")
    assert place(line, job_id) == QueuePlace(position=1)
    store.start(job_id, "a")
    assert place(line, job_id) == QueuePlace()


def test_the_estimate_counts_what_is_ahead_and_what_runs(store: Store, line: Line, roster: Roster) -> None:
    sign_in(roster, "long@here", "gatys", "train")
    paint(store, "gatys")
    mean = store.tally().mean("gatys") or 0.0
    running, training = add_job(store, "gatys"), add_job(store, "train")
    store.start(running, "a")
    store.update(running, "a", progress=Progress(eta_seconds=40.0))
    first, second = add_job(store, "gatys"), add_job(store, "gatys")
    assert place(line, running) == QueuePlace(eta_seconds=40.0)
    assert place(line, first).eta_seconds == pytest.approx(40 + mean, abs=0.1)
    assert place(line, second).eta_seconds == pytest.approx(40 + 2 * mean, abs=0.1)
    store.start(training, "b")  # by the same worker, as soon as it is free
    store.update(training, "b", progress=Progress(eta_seconds=100.0))
    assert place(line, second).eta_seconds == pytest.approx(140 + 2 * mean, abs=0.1)
    sign_in(roster, "more@here", "gatys")
    assert place(line, second).eta_seconds == pytest.approx(70 + 1.5 * mean, abs=0.1)
    assert place(line, first).eta_seconds == pytest.approx(40 + mean, abs=0.1)  # the first that is free
    sign_in(roster, "idle@here", "gatys")
    assert place(line, first).eta_seconds == pytest.approx(mean, abs=0.1)


def test_a_running_job_that_tells_nothing_takes_the_mean(store: Store, line: Line) -> None:
    paint(store)
    job_id = add_job(store, "fast")
    job = store.start(job_id, "a")
    assert job is not None
    earlier = job.evolve(started_at=now() - timedelta(days=1))
    assert line.place(earlier) == QueuePlace(eta_seconds=0.0)
    assert line.place(job).eta_seconds is not None


def test_a_job_that_ended_has_no_place(store: Store, line: Line) -> None:
    paint(store)
    job_id = add_job(store, "fast")
    store.start(job_id, "a")
    succeed(store, job_id, "a")
    assert place(line, job_id) == QueuePlace()
