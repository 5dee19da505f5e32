"""What there is a number of for all callers of a process, and of which no key takes everything."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from api.keys import Caller

#: One key may have all, divided by this.
_KEYS = 4


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
        share = max(1, self._most // _KEYS)
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
