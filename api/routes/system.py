"""Whether the service is alive and ready."""

from typing import Literal

from fastapi import APIRouter
from kombu.exceptions import OperationalError
from pydantic import BaseModel, Field
from redis.exceptions import RedisError

from api.deps import CeleryDep, StoreDep
from api.errors import problems
from jobs.errors import StoreUnavailable

router = APIRouter(tags=["system"])

#: Seconds to wait for workers to answer.  The wait is always this long: nobody knows how many there are.
_PING_TIMEOUT = 0.5


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Jobs can be taken."""

    status: Literal["ok"] = "ok"
    redis: Literal["ok"] = "ok"
    workers: int = Field(description="Workers that answered; jobs are taken, and wait, also when there are none.")


@router.get("/livez", summary="Whether the process is alive")
def livez() -> Alive:
    """Always 200, as long as the process answers at all."""
    return Alive()


@router.get("/readyz", responses=problems(503), summary="Whether jobs can be taken")
def readyz(store: StoreDep, celery: CeleryDep) -> Ready:
    """200 when Redis answers, and how many workers do."""
    store.ping()
    try:
        answers = celery.control.ping(timeout=_PING_TIMEOUT)
    except (OperationalError, RedisError) as error:
        raise StoreUnavailable from error
    return Ready(workers=len(answers or ()))
