"""The Celery tasks: thin shells over :class:`worker.runner.Runner` and :class:`worker.deliverer.Deliverer`."""

import logging
import os
from functools import cache
from typing import TYPE_CHECKING

from celery import Task, shared_task
from celery.signals import worker_process_init

from jobs.errors import StoreUnavailable
from jobs.logs import about
from jobs.queue import TASK_DELIVER, TASK_PAINT
from jobs.roster import Roster
from jobs.store import RedisStore
from worker.presence import engine_of, painting, repeat
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from worker.deliverer import Deliverer
    from worker.runner import Runner

logger = logging.getLogger(__name__)

# The runner tells how each job fares; for Celery one that failed, or was somebody else's, has "succeeded".
for _name in ("celery.app.trace", "celery.worker.strategy"):
    logging.getLogger(_name).setLevel(logging.WARNING)


#: Bytes of resident memory up to which a worker's process keeps what a job has freed: a small picture of the fast
#: engine would take a fifth longer without.
KEPT_MEMORY = 1_500_000_000


@cache
def _runner() -> "Runner":
    # Imported here, in the child process only: CUDA must not be initialised before the process is there.
    from nst_core.allocator import keep_freed_memory
    from worker.runner import Runner

    keep_freed_memory()
    settings = WorkerSettings()
    if settings.faults:
        from worker import faults

        faults.hook(settings.faults)
    return Runner(RedisStore.connect(settings.redis_url, settings), settings)


@worker_process_init.connect
def _warm_up(sender: str, **_: object) -> None:
    """Makes this child ready, and tells what it has from now on; ``sender`` is the worker's name."""
    runner, roster = _runner(), Roster.connect(WorkerSettings().redis_url)
    repeat(lambda: roster.report(sender, engine_of(runner)), "engine")
    runner.warm_up()


class JobTask(Task[[str], None]):
    """A task about the job of an id."""

    # By name: Celery's own may be imported only when the worker is set up.
    Request = "worker.requests:JobRequest"


@shared_task(
    name=TASK_PAINT,
    bind=True,
    base=JobTask,
    max_retries=None,
    # The message outlives a store that is away.
    autoretry_for=(StoreUnavailable,),
    retry_backoff=True,
    retry_backoff_max=30,
)
def paint(self: JobTask, job_id: str) -> None:
    """Paints the job of this id; looks again after a lease's time when another worker holds it."""
    from nst_core.allocator import release_freed_memory
    from worker.runner import DeviceLost

    with about(job_id), painting(job_id):
        try:
            done = _runner().run(job_id)
        except DeviceLost:
            # Celery has another process take this one's place, and gives it the message.  Not by an exception: what
            # ends an interpreter in order asks the device for something.
            logging.shutdown()
            os._exit(os.EX_SOFTWARE)
        release_freed_memory(above=KEPT_MEMORY)
        if not done:
            raise self.retry(countdown=WorkerSettings().lease_seconds)


@cache
def _deliverer() -> "Deliverer | None":
    from worker.deliverer import Deliverer

    settings = WorkerSettings()
    if settings.webhook_secret is None:
        return None
    return Deliverer(RedisStore.connect(settings.redis_url, settings), settings, settings.webhook_secret)


@shared_task(name=TASK_DELIVER, acks_late=False)
def deliver(job_id: str) -> None:
    """Sends what is due to the webhook of this job; what is not sent now is found again by the sweeper."""
    with about(job_id):
        deliverer = _deliverer()
        if deliverer is None:
            logger.error("job %s: its webhook waits: this worker has no NST_WEBHOOK_SECRET, another has", job_id)
            return
        try:
            deliverer.deliver(job_id)
        except StoreUnavailable:
            logger.warning("job %s: the job store cannot be reached; its webhook waits", job_id)
