"""The log of a worker's processes: Celery asks for it in the parent and in each child, and leaves its own out then."""

from celery.signals import setup_logging

from jobs import logs
from worker.settings import WorkerSettings


@setup_logging.connect
def _set_up(**_: object) -> None:
    logs.set_up(WorkerSettings())
