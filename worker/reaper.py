"""Bringing back jobs that nobody works on any more: a thread in the worker's parent process."""

import logging
import threading

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down

from jobs.contract import Status
from jobs.errors import StoreUnavailable
from jobs.logs import about
from jobs.protocol import Store
from jobs.queue import METHOD_QUEUES, enqueue, jobs_in_queue
from jobs.store import RedisStore
from worker.settings import WorkerSettings

logger = logging.getLogger(__name__)

#: Jobs of one method that are looked at in one round, from the front of the line.
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
    """Sends jobs again that wait without a message in their queue: it died with a worker or on its way.

    A message in a worker's hands does not count, since that worker may be dead; a job whose worker is only about to
    begin is sent twice, and painted once.

    Args:
        seen: what the last call returned; a job is sent again when it waited then and still does.

    Returns:
        The first jobs in line that have no message in the queue.  One may just be on its way into a worker's hands.

    Raises:
        StoreUnavailable: Redis cannot be reached.
    """
    found: set[str] = set()
    for method, queue in METHOD_QUEUES.items():
        first = store.first_in_line(method, RESEND_AT_ONCE)
        waiting = jobs_in_queue(celery, queue) if first else set()
        for job in first:
            if job.id in waiting:
                continue
            found.add(job.id)
            if job.id in seen:
                with about(job.id):
                    logger.warning("job %s: waits without a message; sent again", job.id)
                    enqueue(celery, job)
    return frozenset(found)


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
