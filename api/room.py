"""Room for the bodies of requests, of all together."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from api.errors import RETRY_AFTER, Problem

#: Counts bytes of a body that have come.
Take = Callable[[int], None]


class BodyRoom:
    """So many bytes of bodies that are in hand at the same time, in memory or in temporary files."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    @contextmanager
    def for_one(self, declared: int) -> Iterator[Take]:
        """Room for one body, as it comes, until the context ends; only in the thread of the event loop.

        Args:
            declared: its length, which must fit as things stand; 0: not told.

        Raises:
            Problem: 503, also from what is given: there is no room for so much.
        """
        taken = 0

        def take(count: int) -> None:
            nonlocal taken
            self._check(count)
            self._taken += count
            taken += count

        self._check(declared)
        try:
            yield take
        finally:
            self._taken -= taken

    def _check(self, count: int) -> None:
        if self._taken + count > self._most:
            detail = f"Bodies of {self._taken} bytes are in hand, the limit is {self._most} (NST_MAX_BODIES_BYTES)."
            raise Problem(503, "bodies_full", f"{detail} Try again later.", headers={"Retry-After": RETRY_AFTER})
