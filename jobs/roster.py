"""The workers that are there, as they tell themselves, in Redis.

    nst:worker:{name}         what the worker's parent process tells
    nst:worker:{name}:engine  what its child tells, which has the device
    nst:workers               the names

The first two expire unless they are told again, so that a worker that died is gone within seconds.
"""

import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jobs.connection import InRedis, reaching_redis, redis_within_reach
from jobs.errors import StoreFull

logger = logging.getLogger(__name__)

#: Seconds between two reports, and seconds after which the last one is void.
REPORT_SECONDS = 3.0
LIFETIME_SECONDS = 12

_NAMES = "nst:workers"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)  # of another version's report, what is new is left out


class DeviceMemory(_Model):
    """Memory of a device; of a CPU, the machine's."""

    free_bytes: int
    total_bytes: int


class Engine(_Model):
    """What paints: the process that has the device."""

    device: str | None = Field(description="Where it paints; null when the device of the settings is not there.")
    memory: DeviceMemory | None = Field(description="Of the device; null before it was used.")
    resident_bytes: int = Field(description="Memory of the process on the machine.")
    encoders: list[str] = Field(description="Encoders that are loaded.")
    styles: list[str] = Field(description="Fast styles that are loaded.")
    cache_hits: int = Field(description="How often a fast style was there already, since the process began.")
    cache_misses: int = Field(description="How often one had to be loaded.")
    job: str | None = Field(description="The job in hand.")


class WorkerProcess(_Model):
    """A worker."""

    name: str
    queues: list[str] = Field(description="From which it takes jobs.")
    version: str
    started_at: datetime


class Worker(WorkerProcess):
    """A worker, with what paints in it."""

    engine: Engine | None = Field(description="What paints; null while it starts.")


M = TypeVar("M", bound=_Model)


def _key(name: str) -> str:
    return f"nst:worker:{name}"


def _engine_key(name: str) -> str:
    return f"{_key(name)}:engine"


class Roster(InRedis):
    """Where workers sign in.

    Every method raises :class:`~jobs.errors.StoreUnavailable` when Redis cannot be reached.
    """

    @reaching_redis
    def sign_in(self, worker: WorkerProcess) -> None:
        """The worker is there for :data:`LIFETIME_SECONDS` more."""
        with self._redis.pipeline() as pipe:
            pipe.set(_key(worker.name), worker.model_dump_json(), ex=LIFETIME_SECONDS)
            pipe.sadd(_NAMES, worker.name)
            pipe.execute()

    @reaching_redis
    def report(self, name: str, engine: Engine) -> None:
        """What paints in the worker of this name is as told, for :data:`LIFETIME_SECONDS`."""
        self._redis.set(_engine_key(name), engine.model_dump_json(), ex=LIFETIME_SECONDS)

    @reaching_redis
    def sign_out(self, name: str) -> None:
        """The worker is gone."""
        with self._redis.pipeline() as pipe:
            pipe.delete(_key(name), _engine_key(name))
            pipe.srem(_NAMES, name)
            pipe.execute()

    @reaching_redis
    def present(self) -> list[WorkerProcess]:
        """The workers that are there, by name."""
        names = self._names()
        documents = self._documents(map(_key, names))
        gone = [name for name, document in zip(names, documents, strict=True) if document is None]
        if gone:
            with suppress(StoreFull), redis_within_reach():  # it can be read all the same
                self._redis.srem(_NAMES, *gone)
        return [worker for document in documents if (worker := _parsed(WorkerProcess, document))]

    @reaching_redis
    def workers(self) -> list[Worker]:
        """The workers that are there with what paints in each, by name."""
        present = self.present()
        engines = self._documents(_engine_key(worker.name) for worker in present)
        return [
            Worker(**worker.model_dump(), engine=_parsed(Engine, document))
            for worker, document in zip(present, engines, strict=True)
        ]

    def _names(self) -> list[str]:
        return sorted(name.decode() for name in cast(set[bytes], self._redis.smembers(_NAMES)))

    def _documents(self, keys: Iterable[str]) -> list[bytes | None]:
        listed = list(keys)
        return cast(list[bytes | None], self._redis.mget(listed)) if listed else []


def _parsed(model: type[M], document: bytes | None) -> M | None:
    """What was told; None when nothing was, or it cannot be read because another version has written it."""
    try:
        return model.model_validate_json(document) if document else None
    except ValidationError as error:
        logger.warning("the report of a worker cannot be read: %d errors in its document", error.error_count())
        return None
