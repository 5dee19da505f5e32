"""Having webhooks delivered: a thread in the parent process of the workers that serve their queue.

The store knows what is to be sent, and when.  A message is a wake-up call only: one that is lost is sent again, and one
too many finds nothing to do.
"""

import logging
import threading

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down

from jobs.errors import StoreUnavailable
from jobs.protocol import Store
from jobs.queue import QUEUE_WEBHOOK, count_messages, enqueue_delivery
from jobs.store import RedisStore
from worker.settings import WorkerSettings

logger = logging.getLogger(__name__)

#: Seconds between two looks at what is due.
LOOK_EVERY = 0.5

#: Messages sent in one round, at most.
AT_ONCE = 100

_stop = threading.Event()


def sweep(store: Store, celery: Celery) -> int:
    """Sends a message for each job that has webhooks to be delivered; how many.

    None as long as there are messages in the queue, so that it does not grow while all workers are busy.

    Raises:
        StoreUnavailable: Redis cannot be reached.
    """
    due = store.due_webhooks(AT_ONCE)
    if not due or count_messages(celery, [QUEUE_WEBHOOK]):
        return 0
    for job_id in due:
        enqueue_delivery(celery, job_id)
    return len(due)


def _watch(celery: Celery, settings: WorkerSettings) -> None:
    store = RedisStore.connect(settings.redis_url, settings)
    reachable = True
    while not _stop.wait(LOOK_EVERY):
        try:
            sweep(store, celery)
            reachable = True
        except StoreUnavailable:
            if reachable:  # told once, not twice a second
                logger.warning("the job store cannot be reached; webhooks wait")
            reachable = False
        except Exception:  # whatever one look meets, the next may do better
            logger.exception("looking for webhooks failed")


@worker_ready.connect
def _start(sender: object, **_: object) -> None:
    celery: Celery = sender.app  # type: ignore[attr-defined]  # the worker's consumer
    if QUEUE_WEBHOOK not in celery.amqp.queues.consume_from:
        return
    settings = WorkerSettings()
    if settings.webhook_secret is None:
        logger.info("no webhooks are sent: NST_WEBHOOK_SECRET is not set")
        return
    threading.Thread(target=_watch, args=(celery, settings), name="sweeper", daemon=True).start()


@worker_shutting_down.connect
def _end(**_: object) -> None:
    _stop.set()
