"""What happens to jobs, told to those who watch them: by one thread for all watchers of a process."""

import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from threading import Event, Lock, Thread
from time import monotonic

from jobs.contract import Job
from jobs.errors import ExpiredJob, StoreUnavailable, UnknownJob

logger = logging.getLogger(__name__)

#: A job as it is, or why it is not.
State = Job | UnknownJob | ExpiredJob

#: Who is told; must neither block nor raise.
Tell = Callable[[State], None]

#: What has changed: the ids of some jobs; None when others may have changed too, unheard.
Heard = set[str] | None

#: Seconds after which a listener says that it has heard nothing.
LISTEN_SECONDS = 0.2

#: Seconds between two looks at every job that is watched: nothing is heard of one that expires.
LOOK_SECONDS = 10.0

#: Seconds until a store that went away is tried again.
RETRY_SECONDS = 1.0


class News:
    """Tells watchers of the changes of their jobs; its thread starts with the first of them.

    Args:
        listen: what is heard, without end, beginning with None and with an empty set at least every
            ``LISTEN_SECONDS``; raises StoreUnavailable when the store goes away.
        look: the present states of jobs, by their ids; raises StoreUnavailable.
    """

    def __init__(
        self, listen: Callable[[], Generator[Heard, None, None]], look: Callable[[list[str]], Mapping[str, State]]
    ) -> None:
        self._listen = listen
        self._look = look
        self._watchers: dict[str, list[Tell]] = {}
        self._lock = Lock()
        self._closed = Event()
        self._thread: Thread | None = None

    @contextmanager
    def watch(self, job_id: str, tell: Tell) -> Iterator[None]:
        """Tell somebody of a job until the context ends; after that nobody is called any more."""
        with self._lock:
            self._watchers.setdefault(job_id, []).append(tell)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="news", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._watchers[job_id].remove(tell)
                if not self._watchers[job_id]:
                    del self._watchers[job_id]

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            # What changes meanwhile is told afterwards.
            try:
                self._follow()
            except StoreUnavailable:  # whoever asks the store is told so
                self._closed.wait(RETRY_SECONDS)
            except Exception:  # nobody would ever be told of anything again
                logger.exception("changes of jobs cannot be followed")
                self._closed.wait(RETRY_SECONDS)

    def _follow(self) -> None:
        looked = monotonic()
        with closing(self._listen()) as news:
            for heard in news:
                if self._closed.is_set():
                    return
                if heard is None or monotonic() - looked >= LOOK_SECONDS:
                    looked, heard = monotonic(), None
                self._tell(heard)

    def _tell(self, heard: Heard) -> None:
        with self._lock:
            ids = [job_id for job_id in self._watchers if heard is None or job_id in heard]
        if not ids:
            return
        states = self._look(ids)
        with self._lock:
            for job_id, state in states.items():
                for tell in self._watchers.get(job_id, ()):
                    tell(state)
