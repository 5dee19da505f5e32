"""What is due is sent to the workers of webhooks, and no more than they can take."""

from collections.abc import Callable

import pytest
from celery import Celery

from jobs.contract import Job, Webhook
from jobs.errors import StoreUnavailable
from jobs.memory import MemoryStore
from jobs.queue import QUEUE_WEBHOOK, count_messages, make_celery
from worker.settings import WorkerSettings
from worker.sweeper import sweep

AddJob = Callable[..., Job]


@pytest.fixture
def cancel(store: MemoryStore, add_job: AddJob) -> Callable[[], str]:
    """Cancels a new job whose webhook is to be told so."""

    def cancel() -> str:
        webhook = Webhook(url="https://receiver.example/", events=["canceled"])
        job = add_job().model_copy(update={"webhook": webhook})
        store.create(job, {})
        store.request_cancel(job.id)
        return job.id

    return cancel


def test_each_job_that_has_something_to_tell_gets_a_message(
    store: MemoryStore, celery: Celery, cancel: Callable[[], str]
) -> None:
    assert sweep(store, celery) == 0
    cancel()
    cancel()
    assert sweep(store, celery) == 2
    assert count_messages(celery, [QUEUE_WEBHOOK]) == 2


def test_the_queue_does_not_grow_while_nobody_takes_from_it(
    store: MemoryStore, celery: Celery, cancel: Callable[[], str]
) -> None:
    cancel()
    assert [sweep(store, celery) for _ in range(3)] == [1, 0, 0]
    celery.control.purge()
    assert sweep(store, celery) == 1


def test_what_somebody_sends_already_gets_no_message(
    store: MemoryStore, celery: Celery, cancel: Callable[[], str]
) -> None:
    store.take_webhooks(cancel(), 60)
    assert sweep(store, celery) == 0


def test_a_queue_that_cannot_be_reached_is_told(store: MemoryStore, cancel: Callable[[], str]) -> None:
    cancel()
    app = make_celery(WorkerSettings(redis_url="redis://127.0.0.1:1/0"))
    with pytest.raises(StoreUnavailable):
        sweep(store, app)
    app.close()
