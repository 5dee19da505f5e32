"""The styles that users added, in Redis.

    nst:style:{id}        a hash: the entry, one JSON document; its weights; its thumbnail
    nst:style:{id}:claim  the job that trains it, while it may
    nst:styles            every id, sorted by the time of its training
    nst:styles:claimed    the ids that have claims, a set; those whose claims are void leave it when room is short

Claims expire with their jobs, styles do not.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from redis import Redis
from redis.client import Pipeline

from jobs.connection import InRedis, reaching_redis, transaction
from jobs.contract import now
from jobs.errors import LeaseLost, StyleExists, StyleNotRemovable, TooManyStyles
from jobs.store import holder_key
from nst_core.errors import UnknownStyle
from nst_core.gallery import STYLE_ID, Style

logger = logging.getLogger(__name__)

_INDEX = "nst:styles"
_CLAIMED = f"{_INDEX}:claimed"


class _Entry(BaseModel):
    """A style, the job that trained it, and whose that was; empty: nobody's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    style: Style
    job_id: str
    owner: str = ""


def _key(style_id: str) -> str:
    """Where a style is; UnknownStyle for what no style is called, as that may name another key."""
    if not STYLE_ID.fullmatch(style_id):
        raise UnknownStyle(f"there is no style {style_id!r}")
    return f"nst:style:{style_id}"


def _claim_key(style_id: str) -> str:
    return f"{_key(style_id)}:claim"


class StyleStore(InRedis):
    """Where workers put the styles that they trained, and where all processes find them.

    Every method raises :class:`~jobs.errors.StoreUnavailable` when Redis cannot be reached.
    """

    @reaching_redis
    def add(
        self,
        style: Style,
        *,
        weights: bytes,
        thumbnail: bytes,
        job_id: str,
        token: str | None = None,
        owner: str = "",
        most: int | None = None,
    ) -> None:
        """Keep a style; to do so again for the same job replaces it.  The job's claim has served.

        Args:
            token: by which a worker has the job; None: it is no worker that adds the style.
            owner: who alone may delete it later; empty: nobody, or whoever may delete everything.
            most: how many styles there may be, with this one; None: any number.

        Raises:
            LeaseLost: the job was taken from this worker, has ended, or is gone.
            StyleExists: another job's style has this id.
            TooManyStyles: there are as many already.
        """
        entry = _Entry(style=style, job_id=job_id, owner=owner)
        claim = _claim_key(style.id)

        def add(pipe: Pipeline) -> None:
            if token is not None and pipe.get(holder_key(job_id)) != token.encode():
                raise LeaseLost
            old = self._read(pipe, style.id)
            if old and old.job_id != job_id:
                raise StyleExists(f"There is a style {style.id!r} already.")
            if most is not None and pipe.zscore(_INDEX, style.id) is None and pipe.zcard(_INDEX) >= most:
                raise TooManyStyles(most)
            claimed = pipe.get(claim) == job_id.encode()
            pipe.multi()
            values = {"entry": entry.model_dump_json(), "weights": weights, "thumbnail": thumbnail}
            pipe.hset(_key(style.id), mapping=cast(Any, values))
            pipe.zadd(_INDEX, {style.id: now().timestamp()}, nx=True)
            if claimed:
                self._unclaim(pipe, style.id)

        transaction(self._redis, add, _key(style.id), holder_key(job_id), _INDEX, claim)

    @reaching_redis
    def claim(self, style_id: str, job_id: str, seconds: int, is_over: Callable[[str], bool], most: int) -> str:
        """Reserves an id, and room, for a job that will train a style of it, for so many seconds at most.

        Args:
            is_over: whether a job will train no more, so that its claim is void.
            most: how many styles there may be, with those that are claimed, and this one.

        Returns:
            The job that has the claim: this one, or another that was sooner.

        Raises:
            TooManyStyles: there are as many already.
        """
        key = _claim_key(style_id)

        def claim(pipe: Pipeline) -> str:
            holder = cast(bytes | None, pipe.get(key))
            if holder and not is_over(holder.decode()):
                return holder.decode()
            room = most - pipe.zcard(_INDEX)
            claimed = {member.decode() for member in cast(set[bytes], pipe.smembers(_CLAIMED))} - {style_id}
            void = self._void(pipe, claimed, is_over) if len(claimed) >= room else set()
            if len(claimed - void) >= room:
                raise TooManyStyles(most)
            pipe.multi()
            pipe.set(key, job_id, ex=seconds)
            pipe.sadd(_CLAIMED, style_id)
            if void:
                pipe.srem(_CLAIMED, *void)
            return job_id

        return transaction(self._redis, claim, key, _INDEX, _CLAIMED)

    @reaching_redis
    def release(self, style_id: str, job_id: str) -> None:
        """Gives a claim back, if it is this job's."""
        key = _claim_key(style_id)

        def release(pipe: Pipeline) -> None:
            holder = cast(bytes | None, pipe.get(key))
            pipe.multi()
            if holder == job_id.encode():
                self._unclaim(pipe, style_id)

        transaction(self._redis, release, key)

    @reaching_redis
    def all(self) -> list[Style]:
        """Every style, the oldest first."""
        ids = [member.decode() for member in cast(list[bytes], self._redis.zrange(_INDEX, 0, -1))]
        return [entry.style for entry in self._entries(ids)]

    @reaching_redis
    def owners(self, style_ids: Iterable[str]) -> dict[str, str]:
        """The owners of those of these styles that there are."""
        return {entry.style.id: entry.owner for entry in self._entries(list(style_ids))}

    @reaching_redis
    def get(self, style_id: str) -> Style:
        """Raises UnknownStyle when there is none of this id."""
        entry = self._read(self._redis, style_id)
        if entry is None:
            raise UnknownStyle(f"there is no style {style_id!r}")
        return entry.style

    @reaching_redis
    def weights(self, style_id: str) -> bytes:
        """The style vector, as safetensors; UnknownStyle as :meth:`get`."""
        return self._file(style_id, "weights")

    @reaching_redis
    def thumbnail(self, style_id: str) -> bytes:
        """A small JPEG; UnknownStyle as :meth:`get`."""
        return self._file(style_id, "thumbnail")

    @reaching_redis
    def delete(self, style_id: str, owner: str = "") -> None:
        """Forget a style, if it is this owner's or none is named; UnknownStyle as :meth:`get`.

        Raises:
            StyleNotRemovable: it is another's.
        """

        def forget(pipe: Pipeline) -> None:
            if not pipe.exists(_key(style_id)):
                raise UnknownStyle(f"there is no style {style_id!r}")
            entry = self._read(pipe, style_id)
            if owner and (entry is None or entry.owner != owner):
                raise StyleNotRemovable(f"The style {style_id!r} was not added with this key.")
            pipe.multi()
            pipe.delete(_key(style_id))
            pipe.zrem(_INDEX, style_id)

        transaction(self._redis, forget, _key(style_id))

    @staticmethod
    def _void(pipe: Pipeline, style_ids: set[str], is_over: Callable[[str], bool]) -> set[str]:
        """Those of these ids whose claims expired or are void."""
        keys = {style_id: _claim_key(style_id) for style_id in style_ids}
        if not keys:
            return set()
        # Who claims one of them anew leaves the set as it is.
        pipe.watch(*keys.values())  # type: ignore[no-untyped-call]
        holders = cast(list[bytes | None], pipe.mget(list(keys.values())))
        claims = zip(keys, holders, strict=True)
        return {style_id for style_id, holder in claims if holder is None or is_over(holder.decode())}

    @staticmethod
    def _unclaim(pipe: Pipeline, style_id: str) -> None:
        pipe.delete(_claim_key(style_id))
        pipe.srem(_CLAIMED, style_id)

    def _entries(self, style_ids: list[str]) -> list[_Entry]:
        with self._redis.pipeline(transaction=False) as pipe:
            for style_id in style_ids:
                pipe.hget(_key(style_id), "entry")
            documents = cast(list[bytes | None], pipe.execute())
        entries = (self._parse(style_id, document) for style_id, document in zip(style_ids, documents, strict=True))
        return [entry for entry in entries if entry]

    def _file(self, style_id: str, name: str) -> bytes:
        data = cast(bytes | None, self._redis.hget(_key(style_id), name))
        if data is None:
            raise UnknownStyle(f"there is no style {style_id!r}")
        return data

    def _read(self, redis: Redis | Pipeline, style_id: str) -> _Entry | None:
        return self._parse(style_id, cast(bytes | None, redis.hget(_key(style_id), "entry")))

    @staticmethod
    def _parse(style_id: str, document: bytes | None) -> _Entry | None:
        """An entry; None when it is not there, or cannot be read because another version has written it."""
        try:
            return _Entry.model_validate_json(document) if document else None
        except ValidationError as error:
            logger.warning("style %s cannot be read: %d errors in its document", style_id, error.error_count())
            return None
