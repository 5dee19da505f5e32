"""Requests that are sent twice: the second one gets the job of the first.

nst:idempotency:{digest}   of the caller and the key: which job, made of what
"""

import hashlib
import json
from typing import cast

from pydantic import BaseModel, ConfigDict

from jobs.connection import InRedis, reaching_redis
from jobs.contract import Job, now


class Claim(BaseModel):
    """What a key stands for.

    Attributes:
        fingerprint: of the request that named it first.
        job_id: of the job that this request makes.
        at: when, in seconds since 1970.
        stored: whether the job was put into the store, so that one that is not there was deleted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: str
    job_id: str
    at: float
    stored: bool = False


def fingerprint(job: Job) -> str:
    """Of what a job was made of: the same for two requests with the same fields and files, in hexadecimal."""
    own = {"id", "created_at", "urls"}
    return _digest(job.model_dump_json(exclude=own))


class Claims(InRedis):
    """The keys that were named, in Redis.

    Every method raises :class:`~jobs.errors.StoreUnavailable` when Redis cannot be reached.
    """

    @reaching_redis
    def claim(self, caller: str, key: str, job: Job, seconds: int) -> Claim:
        """What the key stands for from now on: this job, or what it has stood for, for at most so many seconds."""
        mine = _claim(job)
        name = _name(caller, key)
        while not self._redis.set(name, mine.model_dump_json(), nx=True, ex=seconds):
            before = cast(bytes | None, self._redis.get(name))
            if before is not None:  # else it expired between the two
                return Claim.model_validate_json(before)
        return mine

    @reaching_redis
    def is_known(self, caller: str, key: str) -> bool:
        """Whether the key stands for a job."""
        return bool(self._redis.exists(_name(caller, key)))

    @reaching_redis
    def confirm(self, caller: str, key: str, job: Job) -> None:
        """Note that the job of this claim is stored."""
        self._redis.set(_name(caller, key), _claim(job, stored=True).model_dump_json(), xx=True, keepttl=True)

    @reaching_redis
    def release(self, caller: str, key: str, job_id: str) -> None:
        """Forget the key, if it stands for this job."""
        name = _name(caller, key)
        found = cast(bytes | None, self._redis.get(name))
        if found is not None and Claim.model_validate_json(found).job_id == job_id:
            self._redis.delete(name)

    @reaching_redis
    def renew(self, caller: str, key: str, job: Job, old: Claim, seconds: int) -> bool:
        """Have the key stand for this job instead; whether it still stood for the old one."""
        mine = _claim(job)
        exchange = self._redis.register_script(_EXCHANGE)
        values: list[str | int] = [old.model_dump_json(), mine.model_dump_json(), seconds]
        return bool(exchange(keys=[_name(caller, key)], args=values))


#: Sets a key to a value with a time to live, if it has another value.
_EXCHANGE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


def _claim(job: Job, *, stored: bool = False) -> Claim:
    return Claim(fingerprint=fingerprint(job), job_id=job.id, at=now().timestamp(), stored=stored)


def _name(caller: str, key: str) -> str:
    return f"nst:idempotency:{_digest(json.dumps([caller, key]))}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
