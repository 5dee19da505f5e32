"""Which receivers of webhooks do not answer, so that one of them does not keep everybody waiting."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import httpx

#: Receivers that are remembered, at most.
MOST = 10_000


class Receivers:
    """What the threads of one worker know of receivers.

    One that did not answer in time is called by one thread only, until it answers again.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        #: Those that did not answer in time, and whether somebody calls them at the moment.
        self._silent: dict[str, bool] = {}

    @contextmanager
    def turn(self, receiver: str) -> Iterator[bool]:
        """Whether the receiver may be called now; what happens then, ``httpx.TimeoutException`` or not, is noted."""
        with self._lock:
            waiting = self._silent.get(receiver, False)
            if receiver in self._silent:
                self._silent[receiver] = True
        if waiting:
            yield False
            return
        in_time = True
        try:
            yield True
        except httpx.TimeoutException:
            in_time = False
            raise
        finally:
            with self._lock:
                self._silent.pop(receiver, None)
                if not in_time and len(self._silent) < MOST:
                    self._silent[receiver] = False
