"""A job that was made of a request: kept, queued, and told to the client."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from celery import Celery
from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from api.backpressure import QUEUE_RETRY_AFTER, see_that_there_is_room
from api.deps import SettingsDep, StoreDep
from api.errors import Problem, problems
from api.idempotency import REPLAYED, REPLAYED_HEADER, Idempotency, IdempotencyDep
from api.keys import Caller
from api.schema import request_body
from api.waiting import APPLIED_HEADER, Wait
from jobs.contract import Job
from jobs.errors import JobsError, StoreUnavailable, TooManyJobs
from jobs.line import Line
from jobs.logs import job_in_hand
from jobs.protocol import Store
from jobs.queue import enqueue

#: Seconds after which a client may ask again for a job that is not finished.
RETRY_AFTER = "1"

#: The ``responses`` of an endpoint that accepts jobs, for the OpenAPI document.
_LOCATION = {"Location": {"description": "Where the job is.", "schema": {"type": "string"}}}
_AGAIN = {"Retry-After": {"description": "Seconds after which to ask for it.", "schema": {"type": "integer"}}}
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
        dependencies=[Depends(_let_in)],
        summary=summary,
    )
    return router


def _let_in(request: Request, settings: SettingsDep, store: StoreDep, again: IdempotencyDep) -> None:
    """See that there is room, before the body is read, for what may be no replay."""
    if not again.known:
        see_that_there_is_room(request, settings, store)


async def accept(
    job: Job,
    images: Mapping[str, bytes],
    store: Store,
    celery: Celery,
    wait: Wait,
    again: Idempotency,
    line: Line,
    request: Request,
    response: Response,
) -> Job:
    """Keeps a job and sends it to the workers, or neither; the response says where it is, and waits if preferred.

    A request that was sent before gets the job that it made then.

    Raises:
        Problem: 429 as many jobs of the caller wait and run as may; 503 there is no room; 409, 422 as
            :meth:`Idempotency.earlier`.
        ExpiredJob: as :meth:`Idempotency.earlier`.
    """
    earlier = await run_in_threadpool(again.earlier, job)
    job_in_hand.set(earlier.id if earlier else job.id)
    if earlier is None:
        await run_in_threadpool(_accept, store, celery, job, images, again, request)
    else:
        job = earlier
        response.headers[REPLAYED] = "true"
    response.headers["Location"] = f"{request.scope.get('root_path', '').rstrip('/')}/{job.urls.self}"
    job = await wait.end_of(job, response)
    if job.status.is_final:
        response.status_code = 200
        return job
    response.headers["Retry-After"] = RETRY_AFTER
    with suppress(StoreUnavailable):  # the job is accepted, wherever it stands
        job = await run_in_threadpool(line.with_place, job)
    return job


def _accept(
    store: Store, celery: Celery, job: Job, images: Mapping[str, bytes], again: Idempotency, request: Request
) -> None:
    caller: Caller = request.state.caller
    try:
        if again.known:  # and let in, but its job is gone
            see_that_there_is_room(request, request.app.state.settings, store)
        store.create(job, images, owner=caller.owner, most_pending=caller.limits.queued_jobs)
        enqueue(celery, job)
        again.confirm(job)
    except Problem:
        again.release(job)
        raise
    except TooManyJobs as error:
        again.release(job)
        which = "queued_jobs of the key, NST_MAX_QUEUED_PER_KEY"
        limit = f"The limit is {caller.limits.queued_jobs} jobs that wait and run ({which})."
        raise Problem(429, error.code, limit, headers={"Retry-After": QUEUE_RETRY_AFTER}) from None
    except StoreUnavailable:
        # Also when the store was not reached, as far as we know: its answer may be all that was lost.
        with suppress(JobsError):
            store.delete(job.id)
        with suppress(JobsError):
            again.release(job)
        raise
