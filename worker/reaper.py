"""Bringing back jobs that nobody works on any more: a thread in the worker's parent process."""

import logging
import threading

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down

from jobs.contract import Status
from jobs.errors import StoreUnavailable
from jobs.logs import about
from jobs.protocol import Store
from jobs.queue import METHOD_QUEUES, count_messages, enqueue
from jobs.store import RedisStore
from worker.settings import WorkerSettings

logger = logging.getLogger(__name__)

#: Messages of one method sent again in one round, at most.
RESEND_AT_ONCE = 100

_stop = threading.Event()


def reap(store: Store, celery: Celery) -> int:
    """Queues every job again that a worker left without an end; how many there were.

    A job that ends up in the queue twice is painted once: the second message finds it held or finished.

    Raises:
        StoreUnavailable: Redis cannot be reached.
    """
    orphans = store.recover()
    for job in orphans:
        with about(job.id):
            logger.warning("job %s: its worker is gone; %s", job.id, job.status)
            if job.status is Status.QUEUED:
                enqueue(celery, job)
    return len(orphans)


def resend(store: Store, celery: Celery, seen: frozenset[str]) -> frozenset[str]:
    """Sends jobs again that wait although their queue is empty: their message died with a worker or on its way.

    Args:
        seen: what the last call returned; a job is sent again when it waited then and still does.

    Returns:
        The jobs that wait without a message in the queue.  One may just be on its way into a worker's hands.

    Raises:
        StoreUnavailable: Redis cannot be reached.
    """
    waiting = [
        job
        for method, queue in METHOD_QUEUES.items()
        if not count_messages(celery, [queue])
        for job in store.list_jobs(status=Status.QUEUED, method=method, limit=RESEND_AT_ONCE).items
    ]
    lost = [job for job in waiting if job.id in seen]
    for job in reversed(lost):  # the oldest first
        with about(job.id):
            logger.warning("job %s: waits without a message; sent again", job.id)
            enqueue(celery, job)
    return frozenset(job.id for job in waiting)


def _watch(celery: Celery, settings: WorkerSettings) -> None:
    store = RedisStore.connect(settings.redis_url, settings)
    seen: frozenset[str] = frozenset()
    while not _stop.wait(settings.reaper_seconds):
        try:
            reap(store, celery)
            seen = resend(store, celery, seen)
        except StoreUnavailable:
            logger.warning("the job store cannot be reached")
        except Exception:  # one job that cannot be read must not leave all others without a reaper
            logger.exception("looking for lost jobs failed")


@worker_ready.connect
def _start(sender: object, **_: object) -> None:
    celery: Celery = sender.app  # type: ignore[attr-defined]  # the worker's consumer
    threading.Thread(target=_watch, args=(celery, WorkerSettings()), name="reaper", daemon=True).start()


@worker_shutting_down.connect
def _end(**_: object) -> None:
    _stop.set()
