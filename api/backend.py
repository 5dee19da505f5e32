"""What the endpoints work with, of one application."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from time import monotonic

from anyio import CapacityLimiter
from celery import Celery
from fastapi import Request

from api.keys import Caller
from api.links import Fetcher
from api.metrics import Metrics
from api.places import Places
from api.room import AnswerRoom, BodyRoom
from api.settings import ApiSettings
from api.watching import Watches
from jobs.connection import RedisMemory
from jobs.gallery import ServiceGallery
from jobs.idempotency import Claims
from jobs.line import Line
from jobs.protocol import Store
from jobs.roster import Roster


@dataclass(kw_only=True)
class Backend:
    """What the endpoints work with.

    Attributes:
        settings: that the application was made with.
        store: where the jobs are.
        celery: the way to the workers.
        gallery: the fast styles.
        roster: the workers that are there.
        redis_memory: how full Redis is.
        metrics: the figures.
        decoders: limits how many images are decoded at the same time.
        body_room: limits the bytes of bodies in hand.
        answer_room: limits the bytes of files on their way to clients.
        fetcher: opens the files of a request, and fetches those that are elsewhere.
        watches: of jobs, for requests that wait.
        waiters: limits how many of these there are.
        event_streams: limits how many streams of events there are.
        large_creates: lets large jobs be kept one after the other.
        claims: keys of requests that may be sent again.
        began: when the application was made, in seconds of the monotonic clock.
    """

    settings: ApiSettings
    store: Store
    celery: Celery
    gallery: ServiceGallery
    roster: Roster
    redis_memory: RedisMemory
    metrics: Metrics
    decoders: CapacityLimiter
    body_room: BodyRoom
    answer_room: AnswerRoom
    fetcher: Fetcher
    watches: Watches
    waiters: Places
    event_streams: Places
    large_creates: CapacityLimiter
    claims: Claims
    began: float = field(default_factory=monotonic)
    _chores: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    @property
    def line(self) -> Line:
        """The line in which jobs wait."""
        return Line(self.store, self.roster)

    def start(self, chore: Coroutine[None, None, None]) -> None:
        """Have something done that the request does not wait for, unless the server ends."""
        task = asyncio.create_task(chore)
        self._chores.add(task)  # the event loop alone would forget it
        task.add_done_callback(self._chores.discard)

    def stop(self) -> None:
        """Leave undone what is not done yet."""
        for task in self._chores:
            task.cancel()


def backend_of(request: Request) -> Backend:
    """What the endpoint that serves a request works with."""
    backend: Backend = request.app.state.backend
    return backend


def caller_of(request: Request) -> Caller:
    """Who sent a request."""
    caller: Caller = request.state.caller
    return caller
