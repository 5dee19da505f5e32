"""Jobs that are there: read, list, cancel, forget."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api.acceptance import RETRY_AFTER, placed
from api.backend import Backend
from api.deps import AnswerRoomDep, BackendDep, CallerDep, JobId
from api.entity import JPEG_RESPONSES, image_responses, jpeg_response, lasting_headers, matches, named
from api.errors import Problem, problems
from api.room import Take
from api.uploads import picture_limits
from api.waiting import APPLIED_HEADER, WaitDep
from jobs.contract import Job, JobPage, Method, Status
from jobs.errors import ExpiredJob, UnreadableJob
from nst_core.errors import InvalidImage
from nst_core.picture import media_type, reduced_jpeg

router = APIRouter(tags=["jobs"])

InputDigest = Annotated[str, Path(description="Of the file, as `input` of the job tells it.")]

#: How large a thumbnail is made: on a list, or where a browser cannot show the file itself.
ThumbnailSide = Annotated[int, Query(ge=16, le=2048, description="Pixels of the longest side, at most.")]

#: Of thumbnails on a list.
_SIDE = 320


@router.get("/jobs", responses=problems(422, 503), summary="List jobs, newest first")
def list_jobs(
    backend: BackendDep,
    caller: CallerDep,
    status: Annotated[Status | None, Query(description="Only jobs of this status.")] = None,
    method: Annotated[Method | None, Query(description="Only jobs of this method.")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Jobs on a page, at most.")] = 20,
    cursor: Annotated[
        str | None, Query(pattern="^[0-7][0-9A-HJKMNP-TV-Z]{25}$", description="`next_cursor` of the page before.")
    ] = None,
) -> JobPage:
    """A page of jobs.  Going on from its cursor skips and repeats none, also while jobs come and go.

    The query of a webhook's URL, which may hold a secret, is shown by `GET /jobs/{id}` only.
    """
    page = backend.store.list_jobs(status=status, method=method, owner=caller.sees, limit=limit, cursor=cursor)
    return page.model_copy(update={"items": [job.for_lists for job in page.items]})


@router.get(
    "/jobs/{job_id}",
    responses=problems(404, 410, 422, 503) | {200: {"headers": APPLIED_HEADER}},
    summary="Read a job",
)
async def get_job(job_id: JobId, wait: WaitDep, backend: BackendDep, response: Response) -> Job:
    """The job as it is now, or with `Prefer: wait=N` as it is when it has ended, or N seconds from now.

    `Retry-After` says when to ask again while it is not finished.
    """
    if wait.seconds:
        job = await wait.end_of(await run_in_threadpool(backend.store.get, job_id), response)
        job = await run_in_threadpool(placed, job, backend)
    else:  # all at one go: threads take turns slowly
        job = await run_in_threadpool(lambda: backend.line.with_place(backend.store.get(job_id)))
    if not job.status.is_final:
        response.headers["Retry-After"] = RETRY_AFTER
    return job


@router.get(
    "/jobs/{job_id}/result",
    response_class=Response,
    responses=problems(404, 409, 410, 503) | image_responses("image/*"),
    summary="Fetch the picture",
)
def get_result(job_id: JobId, backend: BackendDep, request: Request, take: AnswerRoomDep) -> Response:
    """The file that the job made.  It never changes; its `ETag` is its SHA-256."""
    job = backend.store.get(job_id)
    if job.output is None:
        raise _no_result(job)
    headers = lasting_headers(job, job.output.sha256)
    if matches(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    take(job.output.bytes)
    kind = job.output.media_type
    return Response(backend.store.result(job_id), media_type=kind, headers=headers | named(job_id, kind))


@router.get(
    "/jobs/{job_id}/thumbnail",
    response_class=Response,
    responses=problems(404, 409, 410, 422, 503) | JPEG_RESPONSES,
    summary="Fetch the picture, small",
)
async def get_thumbnail(
    job_id: JobId, backend: BackendDep, request: Request, take: AnswerRoomDep, side: ThumbnailSide = _SIDE
) -> Response:
    """The picture as a JPEG, on white where it is transparent.  It never changes."""
    job = await run_in_threadpool(backend.store.get, job_id)
    if job.output is None:
        raise _no_result(job)
    load = partial(backend.store.result, job_id)
    return await _thumbnail(request, backend, take, job, job.output.sha256, side, load, job_id)


@router.get(
    "/jobs/{job_id}/inputs/{sha256}",
    response_class=Response,
    responses=problems(404, 410, 503) | image_responses("image/*"),
    summary="Fetch a file that was sent",
)
def get_input(
    job_id: JobId, sha256: InputDigest, backend: BackendDep, request: Request, take: AnswerRoomDep
) -> Response:
    """A file of which the job was made, as it was sent.  It never changes; its `ETag` is its SHA-256."""
    job = backend.store.get(job_id)
    name = _input_name(job, sha256)
    headers = lasting_headers(job, sha256)
    if matches(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    take(backend.store.image_size(job_id, name))
    data = backend.store.image(job_id, name)
    try:
        kind = media_type(data)
    except InvalidImage:  # an earlier version took it
        kind = "application/octet-stream"
    return Response(data, media_type=kind, headers=headers | named(f"{job_id}-{name.replace('.', '-')}", kind))


@router.get(
    "/jobs/{job_id}/inputs/{sha256}/thumbnail",
    response_class=Response,
    responses=problems(404, 410, 422, 503) | JPEG_RESPONSES,
    summary="Fetch a file that was sent, small",
)
async def get_input_thumbnail(
    job_id: JobId,
    sha256: InputDigest,
    backend: BackendDep,
    request: Request,
    take: AnswerRoomDep,
    side: ThumbnailSide = _SIDE,
) -> Response:
    """A picture of which the job was made, as a JPEG: upright, and on white where it is transparent.

    Not every browser can show every kind of file that may be sent.
    """
    job = await run_in_threadpool(backend.store.get, job_id)
    name = _input_name(job, sha256)
    load = partial(backend.store.image, job_id, name)
    return await _thumbnail(request, backend, take, job, sha256, side, load, f"{job_id}-{name.replace('.', '-')}")


@router.get(
    "/jobs/{job_id}/preview",
    response_class=Response,
    responses=problems(404, 410, 503) | JPEG_RESPONSES,
    summary="Fetch the latest intermediate picture",
)
def get_preview(job_id: JobId, backend: BackendDep, request: Request, take: AnswerRoomDep) -> Response:
    """How the picture looks so far, small; `progress.preview_id` of the job tells when there is a new one."""
    preview = backend.store.preview(job_id)
    if preview is None:
        raise Problem(404, "preview_not_found", "The job has no preview, or not yet.")
    take(len(preview))
    return jpeg_response(request, preview)


@router.post("/jobs/{job_id}/cancel", responses=problems(404, 410, 503), summary="Cancel a job")
def cancel_job(job_id: JobId, backend: BackendDep) -> Job:
    """End a job: a queued one at once, a running one within a second of its next iteration.

    A finished job stays as it is, and to ask again changes nothing.
    """
    return backend.store.request_cancel(job_id)


@router.delete("/jobs/{job_id}", status_code=204, responses=problems(404, 503), summary="Forget a job")
def delete_job(job_id: JobId, backend: BackendDep) -> None:
    """Forget a job with its images and its result, whatever its status; a running one is stopped."""
    job = None
    with suppress(ExpiredJob, UnreadableJob):  # it can be forgotten all the same
        job = backend.store.get(job_id)
    backend.store.delete(job_id)
    if job and job.method == "train":
        backend.gallery.added.release(job.input.params["style_id"], job_id)


async def _thumbnail(
    request: Request,
    backend: Backend,
    take: Take,
    job: Job,
    sha256: str,
    side: int,
    load: Callable[[], bytes],
    name: str,
) -> Response:
    """The picture of a file of a job, small; it is loaded only if the client does not have it."""
    headers = lasting_headers(job, f"{sha256}-{side}")
    if matches(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    limits = picture_limits(backend.settings)

    def reduced() -> bytes:  # no file is kept that waits for its turn
        return reduced_jpeg(load(), side, limits)

    try:
        jpeg = await to_thread.run_sync(reduced, limiter=backend.decoders)
    except InvalidImage as error:
        raise Problem(404, "thumbnail_not_found", f"The picture cannot be reduced: {error}") from None
    take(len(jpeg))
    return Response(jpeg, media_type="image/jpeg", headers=headers | named(f"{name}-small", "image/jpeg"))


def _input_name(job: Job, sha256: str) -> str:
    """How the store calls a file of which a job was made."""
    name = job.input.files.get(sha256)
    if name is None:
        raise Problem(404, "input_not_found", "The job was not sent such a file.")
    return name


def _no_result(job: Job) -> Problem:
    if job.status is Status.FAILED:
        reason = f": {job.error.message}" if job.error else ""
        return Problem(409, "job_failed", f"The job failed and has no result{reason}")
    if job.status is Status.CANCELED:
        return Problem(409, "job_canceled", "The job was canceled and has no result.")
    return Problem(409, "job_not_finished", "The job is not finished.", headers={"Retry-After": RETRY_AFTER})
