"""Whose turn it is to be called, so that no receiver of webhooks that is slow keeps everybody waiting."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from time import monotonic

import httpx

#: Receivers that are remembered, at most.
MOST = 10_000

#: Seconds until a call is tried again for which there was no turn: while those in progress are quick, and else.
SOON, LATER = 1.0, 10.0


@dataclass(frozen=True, eq=False)
class _Call:
    receiver: str
    owner: str
    began: float


class Receivers:
    """What the threads of one worker know of receivers.

    Only a share of the threads calls one receiver at the same time, or the receivers of one owner's jobs.  A receiver
    that did not answer in time is called by one thread only, until it answers again.

    Args:
        share: in threads.
    """

    def __init__(self, share: int) -> None:
        self._share = share
        self._lock = Lock()
        self._calls: list[_Call] = []
        #: Those that did not answer in time.
        self._silent: set[str] = set()

    @contextmanager
    def turn(self, receiver: str, owner: str = "") -> Iterator[float]:
        """Seconds to wait for a turn; 0 when the receiver may be called now.

        What happens then, ``httpx.TimeoutException`` or not, is noted.

        Args:
            owner: whose job it is; jobs of nobody have no share together.
        """
        call = _Call(receiver, owner, monotonic())
        with self._lock:
            wait = self._wait(call)
            if not wait:
                self._calls.append(call)
        if wait:
            yield wait
            return
        in_time = True
        try:
            yield 0.0
        except httpx.TimeoutException:
            in_time = False
            raise
        finally:
            with self._lock:
                self._calls.remove(call)
                self._silent.discard(receiver)
                if not in_time and len(self._silent) < MOST:
                    self._silent.add(receiver)

    def _wait(self, call: _Call) -> float:
        same_receiver = [other for other in self._calls if other.receiver == call.receiver]
        same_owner = [other for other in self._calls if other.owner == call.owner != ""]
        most = 1 if call.receiver in self._silent else self._share
        if len(same_receiver) < most and len(same_owner) < self._share:
            return 0.0
        oldest = min(other.began for other in same_receiver + same_owner)
        return SOON if call.began - oldest < SOON else LATER
