"""Room for the bytes of bodies, and of answers, of all requests together."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from api.errors import RETRY_AFTER, Problem

#: Counts bytes that are in hand from now on; in any thread.
Take = Callable[[int], None]


class _Room:
    """So many bytes that are in hand at the same time; what is alone may be larger, or nobody would ever have it.

    Attributes:
        code: of the problem that there is no room.
        what: is in hand, for people.
        setting: that says how much there may be.
    """

    code: str
    what: str
    setting: str

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._lock = Lock()

    @contextmanager
    def for_one(self, declared: int = 0) -> Iterator[Take]:
        """Room for one request, as it takes it, until the context ends.

        Args:
            declared: what it will take, which must fit as things stand; 0: not told.

        Raises:
            Problem: 503, also from what is given: there is no room for so much.
        """
        taken = 0

        def take(count: int) -> None:
            nonlocal taken
            with self._lock:
                self._check(count)
                self._taken += count
                taken += count

        self._check(declared)
        try:
            yield take
        finally:
            with self._lock:
                self._taken -= taken

    def _check(self, count: int) -> None:
        if self._taken and self._taken + count > self._most:
            detail = f"{self.what} of {self._taken} bytes are in hand, the limit is {self._most} ({self.setting})."
            raise Problem(503, self.code, f"{detail} Try again later.", headers={"Retry-After": RETRY_AFTER})


class BodyRoom(_Room):
    """Room for bodies that have come, in memory or in temporary files."""

    code = "bodies_full"
    what = "Bodies"
    setting = "NST_MAX_BODIES_BYTES"


class AnswerRoom(_Room):
    """Room for files, in memory until they have been sent."""

    code = "answers_full"
    what = "Answers"
    setting = "NST_MAX_ANSWERS_BYTES"
