"""Whether a worker on this machine answers: ``python -m worker.health --name gatys``; the exit status tells.

Celery's own ``celery inspect ping`` would need an application made at import; here it is made from the settings.
"""

import argparse
import sys
from collections.abc import Sequence

from celery import Celery
from celery.utils.nodenames import gethostname
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from jobs.queue import make_celery
from worker.settings import WorkerSettings


def answers(celery: Celery, name: str, timeout: float) -> bool:
    """Whether the worker of this name on this machine answers within ``timeout`` seconds; also while it paints."""
    try:
        return bool(celery.control.ping(destination=[f"{name}@{gethostname()}"], timeout=timeout))
    except (OperationalError, RedisError):
        return False


def main(arguments: Sequence[str] | None = None) -> None:
    """Exits with 0 when the worker answers, else with 1.  Settings come from the environment (``NST_...``)."""
    parser = argparse.ArgumentParser(prog="python -m worker.health", description="Ask a worker whether it is there.")
    parser.add_argument("--name", default="worker", help="the worker's name, as worker.app was given it")
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds to wait for the answer (default: 5)")
    parsed = parser.parse_args(arguments)
    with make_celery(WorkerSettings()) as celery:
        alive = answers(celery, parsed.name, parsed.timeout)
    if not alive:
        sys.exit(f"the worker {parsed.name} does not answer")


if __name__ == "__main__":
    main()
