"""The sign of life of a running job."""

import logging
import threading
from contextvars import copy_context
from types import TracebackType
from typing import Self

from jobs.errors import LeaseLost, StoreUnavailable
from jobs.protocol import Store

logger = logging.getLogger(__name__)

#: Seconds between two looks at the job: this long a cancel may go unnoticed between two iterations.
LOOK_EVERY = 0.25


class Heartbeat:
    """Renews a job's lease in a thread of its own, because one iteration may outlast the lease.

    Attributes:
        canceled: a cancel was asked for.
        lost: the job is gone or somebody else's; nothing more may be written.
    """

    def __init__(self, store: Store, job_id: str, token: str) -> None:
        self._store, self._job_id, self._token = store, job_id, token
        self.canceled = False
        self.lost = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=copy_context().run, args=(self._beat,), name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        reachable = True
        while not self._stop.wait(LOOK_EVERY):
            try:
                self.canceled = self._store.renew(self._job_id, self._token)
                reachable = True
            except LeaseLost:
                self.lost = True
                return
            except StoreUnavailable:
                if reachable:  # told once, not four times a second
                    logger.warning("the job store cannot be reached; painting goes on")
                reachable = False
            except Exception:  # without a sign of life another worker would take the job
                logger.exception("the lease cannot be renewed")
