"""``GET /jobs/{id}/events``: what becomes of a job, as it happens."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import StreamingResponse

from api.backend import backend_of, caller_of
from api.deps import BackendDep, JobId
from api.errors import RETRY_AFTER, Problem, as_problem, problems
from api.events import Had, event_stream
from api.places import NoPlace
from api.watching import Watch
from jobs.errors import JobsError

router = APIRouter(tags=["jobs"])

_MEDIA_TYPE = "text/event-stream"

#: A proxy must hand every event on at once.
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def watched_job(job_id: JobId, request: Request) -> AsyncIterator[Watch]:
    """The job of the path, watched as long as the answer lasts.

    Raises:
        Problem: as many streams as ``NST_MAX_EVENT_STREAMS`` are open, or as many of the caller's key as may be.
    """
    backend = backend_of(request)
    with ExitStack() as place:
        try:
            place.enter_context(backend.event_streams.taken_by(caller_of(request)))
        except NoPlace as full:
            reason = f"{full.most} streams of events {full.whose} are open, the most there may be"
            detail = f"{reason} (NST_MAX_EVENT_STREAMS)."
            raise Problem(503, "too_many_streams", detail, headers={"Retry-After": RETRY_AFTER}) from None
        async with backend.watches.of(job_id, backend.store) as watch:
            yield watch


@router.get(
    "/jobs/{job_id}/events",
    response_class=Response,
    responses=problems(404, 410, 503)
    | {
        200: {"description": "The events.", "content": {_MEDIA_TYPE: {}}},
        204: {"description": "The job has ended, and `Last-Event-ID` names its last event."},
    },
    summary="Follow a job",
)
async def get_events(
    request: Request,
    watch: Annotated[Watch, Depends(watched_job)],
    backend: BackendDep,
    last_event_id: Annotated[
        str | None,
        Header(description="The id of the last event that the client has; it is sent what has changed since."),
    ] = None,
) -> Response:
    """Server-sent events `status`, `progress`, `preview` and `done`, from the present state of the job to its end."""
    if watch.first.status.is_final and last_event_id == Had.of(watch.first).id:
        return Response(status_code=204)

    def gone(error: JobsError) -> dict[str, Any]:
        return as_problem(error).document(request.url.path)

    events = event_stream(watch, last_event_id, backend.settings.events_keepalive_seconds, gone)
    return StreamingResponse(events, headers=_HEADERS, media_type=_MEDIA_TYPE)
