"""The log of a worker's processes: Celery asks for it in the parent and in each child, and leaves its own out then."""

import logging
import os

from billiard.util import get_logger
from celery.signals import setup_logging, worker_before_create_process

from jobs import logs
from worker.settings import WorkerSettings


@setup_logging.connect
def _set_up(**_: object) -> None:
    logs.set_up(WorkerSettings())
    # What keeps the processes tells of their ends by itself, past the root logger.
    pool = get_logger()
    pool.handlers.clear()
    pool.propagate = True
    pool.setLevel(logging.WARNING)


@worker_before_create_process.connect
def _leave_the_beginning_out(**_: object) -> None:
    """Without this a new process logs in a format of Celery's own until it asks for ours."""
    os.environ.pop("_MP_FORK_LOGLEVEL_", None)
