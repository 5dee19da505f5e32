"""Whether the service is alive and ready, and how it is."""

from time import monotonic
from typing import Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ConfigDict, Field

from api.deps import BackendDep, CallerDep
from api.errors import problems
from api.keys import Caller
from jobs.contract import Method, Status
from jobs.errors import UnknownJob
from jobs.protocol import Store
from jobs.queue import METHOD_QUEUES
from jobs.roster import Worker
from nst_core.record import version

router = APIRouter(tags=["system"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Jobs can be taken."""

    status: Literal["ok"] = "ok"
    redis: Literal["ok"] = "ok"
    workers: int = Field(description="Workers that are there; jobs are taken, and wait, also when there are none.")


class Depth(BaseModel):
    """How much there is to do for the workers of a queue."""

    name: str
    queued: int = Field(description="Jobs that wait.")
    processing: int = Field(description="Jobs that are worked on.")
    mean_seconds: float | None = Field(description="What a job takes these days; null before the first has succeeded.")


class RedisState(BaseModel):
    """How full Redis is."""

    used_bytes: int = Field(description="Memory of the data.")
    max_bytes: int | None = Field(description="Most memory of the data; null for no bound.")


class Limits(BaseModel):
    """Settings that clients should know."""

    model_config = ConfigDict(from_attributes=True)

    default_size: int
    max_size: int
    default_encoder: str
    max_image_pixels: int
    max_image_side: int
    max_upload_bytes: int
    max_request_bytes: int
    max_job_styles: int
    max_snapshots: int
    max_styles: int
    max_wait_seconds: int
    time_limit_seconds: int
    result_ttl_seconds: int


class System(BaseModel):
    """The service as it is now."""

    version: str
    uptime_seconds: float = Field(description="Of the process that answers.")
    redis: RedisState
    queues: list[Depth]
    workers: list[Worker] = Field(description="Those that told of themselves in the last seconds.")
    limits: Limits = Field(description="Settings by their names, without `NST_`.")


@router.get("/livez", summary="Whether the process is alive")
async def livez() -> Alive:
    """Always 200, as long as the process answers at all."""
    return Alive()


@router.get("/readyz", responses=problems(503), summary="Whether jobs can be taken")
def readyz(backend: BackendDep) -> Ready:
    """200 when Redis answers, and how many workers are there."""
    backend.store.ping()
    return Ready(workers=len(backend.roster.present()))


@router.get("/system", responses=problems(503), summary="How the service is")
def system(backend: BackendDep, caller: CallerDep) -> System:
    """Workers with their devices, queues, memory and limits."""
    unfinished, tally = backend.store.unfinished(), backend.store.tally()

    def depth(method: Method, queue: str) -> Depth:
        queued, processing = (unfinished[status, method] for status in (Status.QUEUED, Status.PROCESSING))
        return Depth(name=queue, queued=queued, processing=processing, mean_seconds=tally.mean(method))

    used, most = backend.redis_memory.read()
    return System(
        version=version(),
        uptime_seconds=round(monotonic() - backend.began, 1),
        redis=RedisState(used_bytes=used, max_bytes=most),
        queues=[depth(method, queue) for method, queue in METHOD_QUEUES.items()],
        workers=[_shown_to(caller, worker, backend.store) for worker in backend.roster.workers()],
        limits=Limits.model_validate(backend.settings),
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "The figures.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
    summary="Figures for Prometheus",
)
def metrics(backend: BackendDep) -> Response:
    """Figures of the whole service, and of the requests to the process that answers; also while Redis is away."""
    return Response(backend.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _shown_to(caller: Caller, worker: Worker, store: Store) -> Worker:
    """A worker without the job in hand, if that is another caller's."""
    engine = worker.engine
    if engine is None or engine.job is None or not caller.sees:
        return worker
    try:
        if store.owner(engine.job) == caller.sees:
            return worker
    except UnknownJob:  # deleted a moment ago
        pass
    return worker.model_copy(update={"engine": engine.model_copy(update={"job": None})})
