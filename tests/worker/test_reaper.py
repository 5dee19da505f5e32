"""Jobs that nobody works on any more come back into the queue."""

import base64
import json
from collections.abc import Callable

import pytest
import redis
from celery import Celery

from jobs.contract import Job, Status
from jobs.errors import StoreUnavailable
from jobs.memory import MemoryStore
from jobs.queue import enqueue, jobs_in_queue, make_celery
from worker.reaper import reap, resend
from worker.settings import WorkerSettings

AddJob = Callable[..., Job]


@pytest.fixture
def take_messages(redis_url: str) -> Callable[[], list[str]]:
    """Takes what waits in the queue; the jobs' ids, the oldest message first."""

    def take() -> list[str]:
        raw = []
        with redis.Redis.from_url(redis_url) as client:
            for queue in ("nst:fast\x06\x165", "nst:gatys\x06\x165", "nst:gatys"):  # what is taken last comes first
                raw += client.lrange(queue, 0, -1)
                client.delete(queue)
        return [json.loads(base64.b64decode(json.loads(message)["body"]))[0][0] for message in reversed(raw)]

    return take


def lose(store: MemoryStore, job_id: str) -> None:
    """A worker takes the job and dies."""
    assert store.start(job_id, "a")
    store._entries[job_id].leased_until = 0


def test_a_job_whose_worker_died_is_queued_again(
    store: MemoryStore, celery: Celery, add_job: AddJob, take_messages: Callable[[], list[str]]
) -> None:
    orphan, held, waiting = add_job().id, add_job().id, add_job().id
    lose(store, orphan)
    store.start(held, "b")
    assert reap(store, celery) == 1
    assert (store.get(orphan).status, store.get(orphan).attempt) == (Status.QUEUED, 1)
    assert store.get(held).status is Status.PROCESSING
    assert store.get(waiting).status is Status.QUEUED
    enqueue(celery, store.get(waiting))
    # It had its turn, and does not wait for it again.
    assert take_messages() == [orphan, waiting]
    assert reap(store, celery) == 0


def test_a_job_that_lost_its_worker_too_often_is_not_queued_again(
    store: MemoryStore, celery: Celery, add_job: AddJob, take_messages: Callable[[], list[str]]
) -> None:
    job_id = add_job().id
    for _ in range(WorkerSettings().max_attempts):
        lose(store, job_id)
        assert reap(store, celery) == 1
        sent = take_messages()
    job = store.get(job_id)
    assert (job.status, sent) == (Status.FAILED, [])
    assert job.error is not None
    assert job.error.code == "worker_lost"


def test_a_job_whose_message_is_lost_is_sent_again(
    store: MemoryStore, celery: Celery, add_job: AddJob, take_messages: Callable[[], list[str]]
) -> None:
    first, second = add_job().id, add_job().id
    # It may be on its way: only what waits for two rounds is lost.
    seen = resend(store, celery, frozenset())
    assert (seen, take_messages()) == ({first, second}, [])
    third = add_job().id
    seen = resend(store, celery, seen)
    assert (seen, take_messages()) == ({first, second, third}, [first, second])


def test_what_has_a_message_is_not_sent_again(
    store: MemoryStore, celery: Celery, add_job: AddJob, add_fast_job: AddJob, take_messages: Callable[[], list[str]]
) -> None:
    lost, sent, other, urgent = add_job(), add_job(), add_fast_job(), add_job()
    enqueue(celery, sent)
    enqueue(celery, urgent.model_copy(update={"priority": "high"}))
    seen = frozenset(job.id for job in (lost, sent, other, urgent))
    assert resend(store, celery, seen) == {lost.id, other.id}
    assert take_messages() == [urgent.id, sent.id, lost.id, other.id]


def test_the_first_in_line_are_sent_again_first(
    store: MemoryStore, celery: Celery, add_job: AddJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.reaper.RESEND_AT_ONCE", 2)
    first, second, third = (add_job().id for _ in range(3))
    seen = resend(store, celery, frozenset())
    assert seen == {first, second}
    resend(store, celery, seen)
    assert jobs_in_queue(celery, "gatys") == {first, second}
    assert resend(store, celery, seen) == frozenset()
    store.start(first, "a")
    assert resend(store, celery, seen) == {third}


def test_a_queue_that_cannot_be_reached_is_told(store: MemoryStore, add_job: AddJob) -> None:
    add_job()
    app = make_celery(WorkerSettings(redis_url="redis://127.0.0.1:1/0"))
    with pytest.raises(StoreUnavailable):
        resend(store, app, frozenset())
    app.close()
