"""The worker process: ``python -m worker.app --queues gatys,train --name gatys``."""

import argparse
import os
import sys
import warnings
from collections.abc import Collection, Sequence

from celery import Celery
from celery.exceptions import SecurityWarning

from jobs.queue import QUEUE_WEBHOOK, QUEUES, make_celery
from worker import logs
from worker.settings import WorkerSettings


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a worker until it is told to stop.  Settings come from the environment (``NST_...``)."""
    parser = argparse.ArgumentParser(prog="python -m worker.app", description="Run a worker of NST Server.")
    parser.add_argument(
        "--queues", default=",".join(QUEUES), help=f"queues to serve, of {', '.join(QUEUES)} (default: all)"
    )
    parser.add_argument("--name", default="worker", help="a name of this worker, unique on this machine")
    parsed = parser.parse_args(arguments)
    queues = set(parsed.queues.split(","))
    unknown = queues - set(QUEUES)
    if unknown:
        parser.error(f"there is no queue {', '.join(sorted(unknown))}")
    # Before Celery's worker is imported: SIGTERM then lets the running job end within the grace period.
    os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")
    # Before a child imports torch: by default its threads wait for each other by spinning, and two processes that do
    # so on the same cores take several times as long as one after the other.
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    settings = WorkerSettings()
    app = make_worker(settings, queues)
    # Celery advises against root because of pickle, which is not accepted here.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    from celery.bin.celery import celery as command  # it imports Celery's worker: not before REMAP_SIGTERM is set

    # As worker_main does, which forgets the exit status: who started this shall know when it did not end by order.
    command.params[0].default = app
    status = command.main(
        [
            "--quiet",  # no banner
            "worker",
            f"--queues={parsed.queues}",
            f"--hostname={parsed.name}@%h",
            f"--loglevel={settings.log_level}",
            "--without-gossip",
            "--without-mingle",
        ],
        standalone_mode=False,
    )
    sys.exit(status)


def make_worker(settings: WorkerSettings, queues: Collection[str]) -> Celery:
    """The Celery application with the tasks and the habits of a worker."""
    app = make_celery(settings)
    app.conf.include = [logs.__name__, "worker.tasks", "worker.reaper", "worker.sweeper", "worker.presence"]
    # By name: it imports Celery's worker.
    app.conf.worker_consumer = "worker.consumer:Consumer"
    if set(queues) == {QUEUE_WEBHOOK}:  # it waits for others, most of the time
        app.conf.worker_pool = "threads"
        app.conf.worker_concurrency = settings.webhook_concurrency
    app.conf.worker_soft_shutdown_timeout = settings.worker_shutdown_seconds
    return app


if __name__ == "__main__":
    main()
