"""Jobs as they change, for requests that wait: no thread and no connection each."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from threading import current_thread, main_thread
from types import FrameType
from typing import Self

from starlette.concurrency import run_in_threadpool

from jobs.contract import Job
from jobs.news import State
from jobs.protocol import Store


class Watch:
    """A job as it becomes: iterating gives it as it is, then each newer state, until the server stops.

    Only the newest state is kept, so that a slow reader misses what was in between.

    Attributes:
        first: the job as it was when the watch began.

    Raises:
        UnknownJob: from the iteration, when the job was deleted.
        ExpiredJob: from the iteration, when its time is over.
    """

    first: Job

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._told = asyncio.Event()
        self._state: State
        self._revision = -1
        self._stopped = False

    def tell(self, state: State) -> None:
        """Take the state of the job; to be called in any thread."""
        self._loop.call_soon_threadsafe(self.take, state)

    def take(self, state: State) -> None:
        """Take the state of the job, unless a newer one is known."""
        if isinstance(state, Job):
            if state.revision <= self._revision:
                return
            self._revision = state.revision
        self._state = state
        self._told.set()

    def stop(self) -> None:
        """End the iteration."""
        self._stopped = True
        self._told.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Job:
        await self._told.wait()
        self._told.clear()
        if self._stopped:
            raise StopAsyncIteration
        if isinstance(self._state, Job):
            return self._state
        raise self._state


class Watches:
    """The watches of all requests of this process."""

    def __init__(self) -> None:
        self._open: set[Watch] = set()
        self._stopped = False

    @asynccontextmanager
    async def of(self, job_id: str, store: Store) -> AsyncIterator[Watch]:
        """Watch a job.

        Raises:
            UnknownJob: there is none.
            ExpiredJob: its time is over.
            StoreUnavailable: it cannot be read at the moment.
        """
        watch = Watch()
        with store.watch(job_id, watch.tell):
            watch.first = await run_in_threadpool(store.get, job_id)
            watch.take(watch.first)
            self._open.add(watch)
            if self._stopped:
                watch.stop()
            try:
                yield watch
            finally:
                self._open.remove(watch)

    def stop(self) -> None:
        """End all watches, and those to come."""
        self._stopped = True
        for watch in self._open:
            watch.stop()


@contextmanager
def at_the_signal_to_stop(act: Callable[[], None]) -> Iterator[None]:
    """Act as soon as the server is told to stop.

    The server's own handler only notes that, waits until every answer has been given, and then ends the application's
    lifespan: too late for answers that wait for something themselves.  Servers that run in another thread, and tests,
    get no signals.
    """
    if current_thread() is not main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    servers_own = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(act)
        handler = servers_own[number]
        if callable(handler):
            handler(number, frame)

    handled = [number for number, handler in servers_own.items() if callable(handler)]
    for number in handled:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, servers_own[number])
