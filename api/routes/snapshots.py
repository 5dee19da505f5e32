"""Snapshots of jobs: pictures of some iterations, a sheet of them and an animation."""

import re
from collections.abc import Callable
from functools import partial
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request, Response

from api.backend import Backend
from api.deps import AnswerRoomDep, BackendDep, JobId
from api.entity import JPEG_RESPONSES, image_response, image_responses, jpeg_response
from api.errors import Problem, problems
from jobs.contract import SnapshotList
from jobs.errors import ExpiredJob
from jobs.protocol import Store
from nst_core.evolution import (
    ANIMATION_FORMATS,
    FRAME_MILLISECONDS,
    AnimationFormat,
    Load,
    animation,
    evolution_sheet,
)

router = APIRouter(tags=["jobs"])

_STEP = re.compile(r"[0-9]{1,5}")


@router.get("/jobs/{job_id}/snapshots", responses=problems(404, 410, 503), summary="List the snapshots")
def list_snapshots(job_id: JobId, backend: BackendDep) -> SnapshotList:
    """The pictures that `snapshot_every` has kept so far, in order of their steps; none without it."""
    return SnapshotList(items=backend.store.snapshots(job_id))


@router.get(
    "/jobs/{job_id}/snapshots/sheet",
    response_class=Response,
    responses=problems(404, 410, 503) | JPEG_RESPONSES,
    summary="Fetch all snapshots on one sheet",
)
async def get_sheet(job_id: JobId, backend: BackendDep, request: Request, take: AnswerRoomDep) -> Response:
    """The snapshots so far side by side, each with its step below it."""
    sheet = await _made_of_snapshots(backend, job_id, evolution_sheet)
    take(len(sheet))
    return jpeg_response(request, sheet)


@router.get(
    "/jobs/{job_id}/snapshots/animation",
    response_class=Response,
    responses=problems(404, 410, 422, 503) | image_responses(*ANIMATION_FORMATS.values()),
    summary="Fetch the snapshots as an animation",
)
async def get_animation(
    job_id: JobId,
    backend: BackendDep,
    request: Request,
    take: AnswerRoomDep,
    animation_format: Annotated[AnimationFormat, Query(alias="format", description="File format.")] = "webp",
    milliseconds: Annotated[
        int, Query(ge=20, le=10_000, description="How long a frame is shown; the last one is shown for longer.")
    ] = FRAME_MILLISECONDS,
) -> Response:
    """The snapshots so far, one after the other, again and again, all at the size of the largest."""
    make = partial(animation, animation_format=animation_format, milliseconds=milliseconds)
    data = await _made_of_snapshots(backend, job_id, make)
    take(len(data))
    return image_response(request, data, ANIMATION_FORMATS[animation_format])


@router.get(
    "/jobs/{job_id}/snapshots/{step}",
    response_class=Response,
    responses=problems(404, 410, 503) | JPEG_RESPONSES,
    summary="Fetch a snapshot",
)
def get_snapshot(
    job_id: JobId,
    step: Annotated[str, Path(description="Iterations done.")],
    backend: BackendDep,
    request: Request,
    take: AnswerRoomDep,
) -> Response:
    """The picture after so many iterations, at the size that it had then."""
    # No step is 0: what cannot be one is as unknown as one that is not.
    number = int(step) if _STEP.fullmatch(step) else 0
    take(sum(snapshot.bytes for snapshot in backend.store.snapshots(job_id) if snapshot.step == number))
    picture = backend.store.snapshot(job_id, number)
    if picture is None:
        raise Problem(404, "snapshot_not_found", "The job has no snapshot of this step, or not yet.")
    return jpeg_response(request, picture)


async def _made_of_snapshots(backend: Backend, job_id: str, make: Callable[[list[int], Load], bytes]) -> bytes:
    return await to_thread.run_sync(_make, backend.store, job_id, make, limiter=backend.decoders)


def _make(store: Store, job_id: str, make: Callable[[list[int], Load], bytes]) -> bytes:
    steps = [snapshot.step for snapshot in store.snapshots(job_id)]
    if not steps:
        raise Problem(404, "snapshot_not_found", "The job has no snapshots, or not yet.")

    def load(step: int) -> bytes:
        picture = store.snapshot(job_id, step)
        if picture is None:
            raise ExpiredJob  # between the two reads
        return picture

    return make(steps, load)
