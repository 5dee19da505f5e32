"""A worker tells that it is there, and what it has: a thread in its parent process, and one in its child."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psutil
from celery.signals import worker_ready, worker_shutdown

from jobs.contract import now
from jobs.errors import StoreUnavailable
from jobs.roster import REPORT_SECONDS, DeviceMemory, Engine, Roster, WorkerProcess
from nst_core.record import version
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from worker.runner import Runner

logger = logging.getLogger(__name__)

_stop = threading.Event()

#: The job that this process paints; it paints one at a time.
_jobs: list[str] = []


@contextmanager
def painting(job_id: str) -> Iterator[None]:
    """This process has the job in hand within."""
    _jobs.append(job_id)
    try:
        yield
    finally:
        _jobs.remove(job_id)


def repeat(tell: Callable[[], None], name: str) -> None:
    """Tells in a thread of its own, again and again until this process stops."""
    threading.Thread(target=_repeat, args=(tell,), name=name, daemon=True).start()


def _repeat(tell: Callable[[], None]) -> None:
    while True:
        try:
            tell()
        except StoreUnavailable:  # who cannot tell is forgotten for that time; the jobs themselves complain of it
            pass
        except Exception:  # a worker that told nothing any more would be taken for gone until it starts anew
            logger.exception("what this process has cannot be told")
        if _stop.wait(REPORT_SECONDS):
            return


def engine_of(runner: "Runner") -> Engine:
    """What a runner has at the moment; this may be asked from a thread of its own."""
    made = vars(runner)  # its thread makes each part when it is needed first, and nobody else may
    encoders, models, device = made.get("encoders"), made.get("models"), made.get("device")
    return Engine(
        device=None if device is None else str(device),
        memory=_memory(str(device)) if device is not None else None,
        resident_bytes=psutil.Process().memory_info().rss,
        encoders=encoders.loaded if encoders else [],
        styles=models.loaded if models else [],
        cache_hits=models.hits if models else 0,
        cache_misses=models.misses if models else 0,
        job=next(iter(_jobs), None),
    )


def _memory(device: str) -> DeviceMemory | None:
    import torch

    if not device.startswith("cuda"):
        machine = psutil.virtual_memory()
        return DeviceMemory(free_bytes=machine.available, total_bytes=machine.total)
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # to ask would take some of it
        return None
    free, total = torch.cuda.mem_get_info(device)
    return DeviceMemory(free_bytes=free, total_bytes=total)


@worker_ready.connect
def _start(sender: object, **_: object) -> None:
    consumer = sender
    name: str = consumer.hostname  # type: ignore[attr-defined]
    queues = sorted(consumer.app.amqp.queues.consume_from)  # type: ignore[attr-defined]
    worker = WorkerProcess(name=name, queues=queues, version=version(), started_at=now())
    roster = Roster.connect(WorkerSettings().redis_url)

    @worker_shutdown.connect(weak=False)
    def leave(**_: object) -> None:
        _stop.set()
        with suppress(StoreUnavailable):
            roster.sign_out(name)

    repeat(lambda: roster.sign_in(worker), "roster")
