"""A job that was made of a request: kept, queued, and told to the client."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.backend import Backend
from api.backpressure import QUEUE_RETRY_AFTER, see_that_there_is_room
from api.errors import Problem, problems
from api.idempotency import REPLAYED, REPLAYED_HEADER, Idempotency
from api.keys import Caller
from api.schema import request_body
from api.waiting import APPLIED_HEADER, Wait
from jobs.contract import Job
from jobs.errors import ExpiredJob, StoreUnavailable, TooManyJobs, UnknownJob
from jobs.logs import job_in_hand
from jobs.queue import enqueue

#: Seconds after which a client may ask again for a job that is not finished.
RETRY_AFTER = "1"

#: Seconds until it is tried again to take back a job whose request was refused: the first time, and at most.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0

#: Bytes of images beyond which a job is a large one.  These are kept one after the other: Redis takes them no sooner
#: side by side, but each may then take longer than it is waited for, so that a Redis that works is told as away.
_LARGE = 4_000_000

_LOCATION = {"Location": {"description": "Where the job is.", "schema": {"type": "string"}}}
_AGAIN = {"Retry-After": {"description": "Seconds after which to ask for it.", "schema": {"type": "integer"}}}

#: The ``responses`` of an endpoint that accepts jobs, for the OpenAPI document.
_ACCEPTED: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Job,
        "description": "The job, which has ended while the request waited (`Prefer: wait=N`).",
        "headers": _LOCATION | APPLIED_HEADER | REPLAYED_HEADER,
    },
    202: {"description": "The job is queued.", "headers": _LOCATION | _AGAIN | APPLIED_HEADER | REPLAYED_HEADER},
}


def accepting_router(
    path: str, endpoint: Callable[..., Any], form: dict[str, Any], *, tag: str, summary: str, refusals: tuple[int, ...]
) -> APIRouter:
    """A router with one endpoint that makes a job of a form, or of JSON with the same fields.

    Args:
        form: the JSON schema of its fields, as a form.
        refusals: statuses of the problems it may answer with.
    """
    router = APIRouter(tags=[tag])
    router.add_api_route(
        path,
        endpoint,
        methods=["POST"],
        status_code=202,
        response_model=Job,
        responses=problems(*refusals) | _ACCEPTED,
        openapi_extra={"requestBody": request_body(form)},
        summary=summary,
    )
    return router


async def let_in(backend: Backend, again: Idempotency) -> None:
    """See that there is room, before the body is read, for what may be no replay.

    Raises:
        Problem: as :func:`~api.backpressure.see_that_there_is_room`.
    """
    if not again.known:
        await run_in_threadpool(see_that_there_is_room, backend)


async def accept(
    job: Job,
    images: dict[str, bytes],
    backend: Backend,
    wait: Wait,
    again: Idempotency,
    request: Request,
    response: Response,
) -> Job:
    """Keeps a job and sends it to the workers, or neither; the response says where it is, and waits if preferred.

    A request that was sent before gets the job that it made then.  When Redis does not say what became of a job, it is
    taken back as soon as Redis answers again; with a key it stays, if it is there, for the same request to find.

    Args:
        images: to keep; taken out of it as soon as they are, as a request that waits is in no need of its memory.

    Raises:
        Problem: 429 as many jobs of the caller wait and run as may; 503 there is no room; 409, 422 as
            :meth:`Idempotency.earlier`.
        ExpiredJob: as :meth:`Idempotency.earlier`.
        StoreUnavailable: Redis cannot be reached.
    """
    job_in_hand.set(job.id)
    limiter = backend.large_creates if sum(map(len, images.values())) > _LARGE else None
    try:
        accepted = await to_thread.run_sync(_accepted, job, images, backend, wait, again, limiter=limiter)
    except StoreUnavailable:
        if not await run_in_threadpool(_taken_back, job, backend, again) and again.key is None:
            backend.start(_take_back_later(job, backend, again))
        raise
    job_in_hand.set(accepted.id)
    if accepted.id != job.id:
        response.headers[REPLAYED] = "true"
    job = accepted
    response.headers["Location"] = f"{request.scope.get('root_path', '').rstrip('/')}/{job.urls.self}"
    if wait.seconds:
        with suppress(UnknownJob, ExpiredJob):  # deleted meanwhile; it was accepted
            job = await wait.end_of(job, response)
        job = await run_in_threadpool(placed, job, backend)
    if job.status.is_final:
        response.status_code = 200
    else:
        response.headers["Retry-After"] = RETRY_AFTER
    return job


def _accepted(job: Job, images: dict[str, bytes], backend: Backend, wait: Wait, again: Idempotency) -> Job:
    """The job, or the earlier one; all in one thread, as threads take turns slowly."""
    try:
        earlier = again.earlier(job)
        if earlier is None:
            _accept(job, images, backend, again, wait.caller)
    finally:
        images.clear()
    job = earlier or job
    return job if wait.seconds else placed(job, backend)


def placed(job: Job, backend: Backend) -> Job:
    """The job with its place in line, if that can be had: it was accepted, wherever it stands."""
    with suppress(StoreUnavailable):
        return backend.line.with_place(job)
    return job


def _accept(job: Job, images: Mapping[str, bytes], backend: Backend, again: Idempotency, caller: Caller) -> None:
    try:
        if again.known:  # and let in, but its job is gone
            see_that_there_is_room(backend)
        backend.store.create(job, images, owner=caller.owner, most_pending=caller.limits.queued_jobs)
        enqueue(backend.celery, job)
        again.confirm(job)
    except Problem:
        again.release(job)
        raise
    except TooManyJobs as error:
        again.release(job)
        which = "queued_jobs of the key, NST_MAX_QUEUED_PER_KEY"
        limit = f"The limit is {caller.limits.queued_jobs} jobs that wait and run ({which})."
        raise Problem(429, error.code, limit, headers={"Retry-After": QUEUE_RETRY_AFTER}) from None


def _taken_back(job: Job, backend: Backend, again: Idempotency) -> bool:
    """Whether a job is not there, and its key free: when nothing was heard of it, only the answer may be lost.

    A key that is freed while the job may be there would let the same request make a second one.
    """
    try:
        with suppress(UnknownJob, ExpiredJob):
            backend.store.delete(job.id)
        again.release(job)
    except StoreUnavailable:
        return False
    return True


async def _take_back_later(job: Job, backend: Backend, again: Idempotency) -> None:
    pause = _FIRST_PAUSE
    while True:
        await asyncio.sleep(pause)
        if await run_in_threadpool(_taken_back, job, backend, again):
            return
        pause = min(2 * pause, _LONGEST_PAUSE)
