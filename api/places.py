"""What there is a number of for all callers of a process, and of which no key takes everything."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from weakref import WeakValueDictionary

from anyio import CapacityLimiter, to_thread

from api.keys import Caller

#: One key may have all, divided by this.
_KEYS = 4

T = TypeVar("T")


def _share(most: int) -> int:
    return max(1, most // _KEYS)


class NoPlace(Exception):
    """All places are taken, or as many as one key may have.

    Attributes:
        most: so many there may be.
        whose: of all, or of one key.
    """

    def __init__(self, most: int, whose: str) -> None:
        super().__init__(most, whose)
        self.most, self.whose = most, whose


class Places:
    """So many places; of them a key has a quarter at most.  Where there are no keys, anybody may have all."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()

    @contextmanager
    def taken_by(self, caller: Caller) -> Iterator[None]:
        """Take a place as long as the context lasts; only in the thread of the event loop.

        Raises:
            NoPlace: there is none.
        """
        share = _share(self._most)
        if self._taken.total() >= self._most:
            raise NoPlace(self._most, "of all")
        if caller.has_key and self._taken[caller.name] >= share:
            raise NoPlace(share, "of one key")
        self._taken[caller.name] += 1
        try:
            yield
        finally:
            self._taken[caller.name] -= 1
            if not self._taken[caller.name]:
                del self._taken[caller.name]


class Turns:
    """So many calls at the same time, in threads of their own; of them a key has a quarter at most, as of places.

    Further ones wait until it is their turn.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._all = CapacityLimiter(most)
        self._shares: WeakValueDictionary[str, CapacityLimiter] = WeakValueDictionary()  # while somebody has or waits

    async def call(self, caller: Caller, do: Callable[[], T]) -> T:
        """What ``do`` returns; it is called in a thread, when it is the caller's turn."""
        share = _share(self._most) if caller.has_key else self._most
        async with self._shares.setdefault(caller.name, CapacityLimiter(share)):
            return await to_thread.run_sync(do, limiter=self._all)
