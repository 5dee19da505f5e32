"""Jobs in Redis.

    nst:job:{id}            the job, one JSON document
    nst:job:{id}:images     the files it was created with, a hash by name
    nst:job:{id}:result     the file that it made
    nst:job:{id}:preview    the latest intermediate image
    nst:job:{id}:checkpoint from where another worker may go on; gone when the job has ended
    nst:job:{id}:snapshots  the pictures of some iterations, a hash by step
    nst:job:{id}:steps      what is known of each of these, a hash by step, so that a list reads no picture
    nst:job:{id}:webhooks   the events that its webhook is still to be told, a hash
    nst:job:{id}:told       there for a while after progress was told
    nst:job:{id}:lease      the token of the worker that has it; gone when that worker is
    nst:job:{id}:holder     the same, but there for as long as the job is processing
    nst:job:{id}:known      its owner; outlives the rest, so that an expired job is told from one that never was
    nst:jobs                every id, sorted; ids are ULIDs, so this is the order of creation
    nst:jobs:{status}       the ids of one status
    nst:jobs:{status}:{method}  of those that are queued or processing, the ids of one method, in their order in line
    {one of the first two}:of:{owner}  the ids in it that are of one owner; jobs of nobody are in none
    nst:webhooks            the ids of jobs with such events, sorted by the time when the first of them is due
    nst:tally               what has become of all jobs, a hash of figures
    nst:news                a channel, not a key: the id of each job that changes or is deleted

All keys but the indexes of all owners and the tally expire.  Ids of expired jobs leave the indexes when somebody meets
them there.
"""

import logging
from collections.abc import Generator, Iterable, Mapping
from contextlib import suppress
from itertools import count
from time import time
from typing import Any, Self, cast

from pydantic import ValidationError
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import OutOfMemoryError
from typing_extensions import override

from jobs.connection import connect, reaching_redis, redis_within_reach, transaction
from jobs.contract import OPTIONS_OF, Job, JobPage, Method, Snapshot, Status
from jobs.errors import ExpiredJob, StoreFull, TooManyJobs, UnknownJob, UnreadableJob
from jobs.logs import about
from jobs.news import LISTEN_SECONDS, Heard, State
from jobs.protocol import NO_FILES, UNFINISHED, FileName, Rule, Store, rank
from jobs.settings import Settings
from jobs.tally import WEIGHT_OF_LATEST, Tally, increments, mean_field, mean_sample
from jobs.transitions import lifetime
from jobs.webhooks import Event, event_of, take

logger = logging.getLogger(__name__)

_INDEX = "nst:jobs"
_OUTBOX = "nst:webhooks"

_NEWS = "nst:news"

#: To drop ids of expired jobs, so many of the oldest ids are looked at once in so many new jobs: each time would take
#: longer than to write the new job.
_SWEEP, _SWEEP_EVERY = 100, 10

#: To find a page of jobs, so many ids are looked at in each round but the first, and in all before the page ends short
#: of its limit: few jobs may be of the method that is asked for, which no index tells.
_LOOKED_AT_ONCE, _MOST_LOOKED_AT = 100, 1000

_TALLY = "nst:tally"

#: Moves a mean towards a sample by a part of their distance: one step, so that no two ends of jobs undo each other.
_MOVE_MEAN = """
local mean = redis.call('HGET', KEYS[1], ARGV[1]) or ARGV[2]
redis.call('HSET', KEYS[1], ARGV[1], mean + ARGV[3] * (ARGV[2] - mean))
"""


def _status_index(status: Status) -> str:
    return f"{_INDEX}:{status}"


#: Every index of all owners.
_INDEXES = (_INDEX, *map(_status_index, Status))


def _of(owner: str, index: str) -> str:
    return f"{index}:of:{owner}" if owner else index


def _line(status: Status, method: Method) -> str:
    return f"{_status_index(status)}:{method}"


#: Every line of unfinished jobs.
_LINES = tuple(_line(status, method) for status in UNFINISHED for method in OPTIONS_OF)


class _Keys:
    """The keys of one job."""

    def __init__(self, job_id: str) -> None:
        self.job = f"nst:job:{job_id}"
        self.images = f"{self.job}:images"
        self.result = f"{self.job}:result"
        self.preview = f"{self.job}:preview"
        self.checkpoint = f"{self.job}:checkpoint"
        self.snapshots = f"{self.job}:snapshots"
        self.steps = f"{self.job}:steps"
        self.webhooks = f"{self.job}:webhooks"
        self.told = f"{self.job}:told"
        self.lease = f"{self.job}:lease"
        self.holder = f"{self.job}:holder"
        self.known = f"{self.job}:known"


def holder_key(job_id: str) -> str:
    """The key of the token by which a worker has a job; gone, or another's, when that worker has it no more."""
    return _Keys(job_id).holder


class RedisStore(Store):
    """The store that the front end and the workers share."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        super().__init__(settings)
        self._redis = redis
        self._created = count()

    @classmethod
    def connect(cls, url: str, settings: Settings, *, hurried: bool = False) -> Self:
        """A store at what :func:`~jobs.connection.connect` takes."""
        return cls(connect(url, hurried=hurried), settings)

    @override
    def close(self) -> None:
        super().close()
        self._redis.close()

    @override
    @reaching_redis
    def ping(self) -> None:
        self._redis.ping()

    @override
    @reaching_redis
    def create(self, job: Job, images: Mapping[str, bytes], *, owner: str = "", most_pending: int = 0) -> None:
        pending = [_of(owner, _status_index(status)) for status in Status if not status.is_final and most_pending]
        if next(self._created) % _SWEEP_EVERY == 0:
            self._sweep(owner, {_INDEX, _of(owner, _INDEX), *pending})

        def create(pipe: Pipeline) -> None:
            if pipe.exists(_Keys(job.id).job):  # written by a try whose answer was lost
                return
            counts: list[int] = [pipe.zcard(index) for index in pending]
            if pending and sum(counts) >= most_pending:
                raise TooManyJobs
            pipe.multi()
            pipe.hset(_Keys(job.id).images, mapping=cast(Any, images))
            for index in {_INDEX, _of(owner, _INDEX)}:
                pipe.zadd(index, {job.id: 0})
            self._enter_status(pipe, job, owner, files=[_Keys(job.id).images])
            self._count(pipe, None, job)

        try:
            transaction(self._redis, create, _Keys(job.id).job, *pending)
        except TooManyJobs:  # with those that expired, perhaps
            self._sweep(owner, pending)
            transaction(self._redis, create, _Keys(job.id).job, *pending)

    @override
    @reaching_redis
    def owner(self, job_id: str) -> str:
        owner = cast(bytes | None, self._redis.get(_Keys(job_id).known))
        if owner is None:
            raise UnknownJob
        return owner.decode()

    @override
    @reaching_redis
    def get(self, job_id: str) -> Job:
        return self._read(self._redis, job_id)

    @override
    @reaching_redis
    def standing(self, job: Job) -> tuple[int | None, Tally]:
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.zrank(_line(Status.QUEUED, job.method), job.id)
            pipe.hgetall(_TALLY)
            ahead, amounts = pipe.execute()
        return ahead, self._tally(amounts)

    @override
    @reaching_redis
    def first_in_line(self, method: Method, limit: int) -> list[Job]:
        return self._readable(self._ids(self._redis.zrange(_line(Status.QUEUED, method), 0, limit - 1)), "")

    @override
    @reaching_redis
    def unfinished(self) -> dict[tuple[Status, Method], int]:
        lines = [(status, method) for status in UNFINISHED for method in OPTIONS_OF]
        # Not at once: Redis takes no transaction, not even of reads, while its memory is full.
        with self._redis.pipeline(transaction=False) as pipe:
            for status, method in lines:
                pipe.zcard(_line(status, method))
            return dict(zip(lines, pipe.execute(), strict=True))

    @override
    @reaching_redis
    def tally(self) -> Tally:
        return self._tally(cast(dict[bytes, bytes], self._redis.hgetall(_TALLY)))

    @staticmethod
    def _tally(amounts: dict[bytes, bytes]) -> Tally:
        return Tally({name.decode(): float(amount) for name, amount in amounts.items()})

    @override
    @reaching_redis
    def image(self, job_id: str, name: str) -> bytes:
        image = self._redis.hget(_Keys(job_id).images, name)
        if image is None:
            self._read(self._redis, job_id)
            raise KeyError(name)
        return cast(bytes, image)

    @override
    @reaching_redis
    def image_size(self, job_id: str, name: str) -> int:
        return self._redis.hstrlen(_Keys(job_id).images, name)

    @override
    @reaching_redis
    def snapshots(self, job_id: str) -> list[Snapshot]:
        self._read(self._redis, job_id)
        documents = cast(list[bytes], self._redis.hvals(_Keys(job_id).steps))
        return sorted(map(Snapshot.model_validate_json, documents), key=lambda snapshot: snapshot.step)

    @override
    @reaching_redis
    def snapshot(self, job_id: str, step: int) -> bytes | None:
        self._read(self._redis, job_id)
        return cast(bytes | None, self._redis.hget(_Keys(job_id).snapshots, str(step)))

    @override
    @reaching_redis
    def list_jobs(
        self,
        *,
        status: Status | None = None,
        method: str | None = None,
        owner: str = "",
        limit: int = 20,
        cursor: str | None = None,
    ) -> JobPage:
        index = _of(owner, _status_index(status) if status else _INDEX)
        found: list[Job] = []
        looked_at = 0
        # One more than asked for tells whether there is a next page.
        while len(found) <= limit:
            if looked_at >= _MOST_LOOKED_AT:
                return JobPage(items=found, next_cursor=cursor)
            below = f"({cursor}" if cursor else "+"
            most = _LOOKED_AT_ONCE if looked_at else limit + 1
            ids = self._ids(self._redis.zrevrangebylex(index, below, "-", start=0, num=most))
            if not ids:
                return JobPage(items=found)
            looked_at += len(ids)
            cursor = ids[-1]
            found += (
                job
                for job in self._readable(ids, owner)
                if status in (None, job.status) and method in (None, job.method)
            )
        return JobPage(items=found[:limit], next_cursor=found[limit - 1].id)

    @override
    @reaching_redis
    def delete(self, job_id: str) -> None:
        keys = _Keys(job_id)

        def forget(pipe: Pipeline) -> None:
            job = None
            with suppress(ExpiredJob, UnreadableJob):
                job = self._read(pipe, job_id)
            owner = cast(bytes | None, pipe.get(keys.known)) or b""
            pipe.multi()
            self._count(pipe, job, None)
            pipe.delete(*vars(keys).values())
            self._leave_indexes(pipe, owner.decode(), [job_id])
            pipe.publish(_NEWS, job_id)

        try:
            transaction(self._redis, forget, keys.job)
        except OutOfMemoryError:  # what it keeps makes room; a transaction may not begin with that
            self._redis.delete(keys.images, keys.result, keys.preview, keys.checkpoint, keys.snapshots)
            transaction(self._redis, forget, keys.job)

    @override
    @reaching_redis
    def due_webhooks(self, limit: int) -> list[str]:
        return self._ids(
            self._redis.zrange(_OUTBOX, cast(Any, "-inf"), cast(Any, time()), byscore=True, offset=0, num=limit)
        )

    @override
    @reaching_redis
    def take_webhooks(self, job_id: str, seconds: float) -> list[Event]:
        key = _Keys(job_id).webhooks

        def change(pipe: Pipeline) -> list[Event]:
            waiting = self._waiting(pipe, key)
            taken = take(waiting.values(), time(), seconds)
            pipe.multi()
            for event in taken:
                pipe.hset(key, event.slot, event.model_dump_json())
            self._schedule(pipe, job_id, waiting | {event.slot: event for event in taken})
            return taken

        return transaction(self._redis, change, key)

    @override
    @reaching_redis
    def settle_webhook(self, job_id: str, event: Event, retry_at: float | None = None) -> None:
        key = _Keys(job_id).webhooks

        def change(pipe: Pipeline) -> None:
            waiting = self._waiting(pipe, key)
            old = waiting.get(event.slot)
            pipe.multi()
            if old and old.id == event.id:
                if retry_at is None:
                    del waiting[event.slot]
                    pipe.hdel(key, event.slot)
                else:
                    waiting[event.slot] = event.model_copy(update={"due": retry_at})
                    pipe.hset(key, event.slot, waiting[event.slot].model_dump_json())
            self._schedule(pipe, job_id, waiting)

        transaction(self._redis, change, key)

    @override
    @reaching_redis
    def _file(self, job_id: str, name: FileName) -> bytes | None:
        return cast(bytes | None, self._redis.get(getattr(_Keys(job_id), name)))

    @override
    @reaching_redis
    def _change(
        self,
        job_id: str,
        rule: Rule,
        files: Mapping[FileName, bytes] = NO_FILES,
        *,
        snapshot: tuple[Snapshot, bytes] | None = None,
        token: str | None = None,
    ) -> Job:
        keys = _Keys(job_id)
        written: Job | None = None

        def change(pipe: Pipeline) -> Job:
            nonlocal written
            old = self._read(pipe, job_id)
            holder, last, owner = (
                value.decode() if value is not None else None
                for value in cast(list[bytes | None], pipe.mget(keys.lease, keys.holder, keys.known))
            )
            if old == written and (old.status is not Status.PROCESSING or token == last):
                return old  # by a try whose answer was lost
            new = rule(old, holder, last)
            event = event_of(old, new)
            if event and event.type == "progress" and pipe.exists(keys.told):
                event = None
            pipe.multi()
            for name, data in files.items():
                pipe.set(getattr(keys, name), data, ex=self._lifetime(new))
            if snapshot:
                about, picture = snapshot
                for key, value in ((keys.snapshots, picture), (keys.steps, about.model_dump_json())):
                    pipe.hset(key, str(about.step), cast(Any, value))
                    pipe.expire(key, self._lifetime(new))
            if event:
                self._tell(pipe, new, event)
            if new.status is not old.status:
                for index in {_status_index(old.status), _of(owner or "", _status_index(old.status))}:
                    pipe.zrem(index, job_id)
                if not old.status.is_final:
                    pipe.zrem(_line(old.status, old.method), job_id)
                kept = (keys.images, keys.result, keys.preview, keys.checkpoint, keys.snapshots, keys.steps)
                self._enter_status(pipe, new, owner or "", files=(*kept, keys.webhooks))
                self._count(pipe, old, new)
            elif new is not old:
                pipe.set(keys.job, new.model_dump_json(), keepttl=True)
            if new.status is not Status.PROCESSING:
                pipe.delete(keys.lease, keys.holder)
                if new.status.is_final:
                    pipe.delete(keys.checkpoint)
            elif token is not None:
                if token != last:
                    pipe.set(keys.holder, token, ex=self._lifetime(new))
                pipe.set(keys.lease, token, px=round(self._settings.lease_seconds * 1000))
            if new is not old:
                written = new
                pipe.publish(_NEWS, job_id)
            return new

        # Besides the job, its lease is watched: a renewal between the check and the write voids taking the job over.
        # A write of files is its holder's own, whose heartbeat renews the lease while a large file is on its way, and
        # would void every try; the holder's token changes when somebody else takes the job.
        guard = keys.holder if files or snapshot else keys.lease
        return transaction(self._redis, change, keys.job, guard)

    @override
    def _listen(self) -> Generator[Heard, None, None]:
        with redis_within_reach(), self._redis.pubsub() as news:  # type: ignore[no-untyped-call]
            news.subscribe(_NEWS)
            while True:
                heard: set[str] = set()
                missed = False
                message = news.get_message(timeout=LISTEN_SECONDS)
                while message:
                    # A subscription is confirmed: the first, or another after the connection was lost and made anew.
                    missed |= message["type"] == "subscribe"
                    heard |= {message["data"].decode()} if message["type"] == "message" else set()
                    message = news.get_message()
                yield None if missed else heard

    @override
    @reaching_redis
    def _look(self, job_ids: list[str]) -> Mapping[str, State]:
        documents = cast(list[bytes | None], self._redis.mget([_Keys(job_id).job for job_id in job_ids]))
        found = {job_id: document for job_id, document in zip(job_ids, documents, strict=True) if document is not None}
        states: dict[str, State] = {job.id: job for job in self._valid(found)}
        for job_id in job_ids:
            if job_id not in found:
                states[job_id] = ExpiredJob() if self._redis.exists(_Keys(job_id).known) else UnknownJob()
        return states

    def _tell(self, pipe: Pipeline, job: Job, event: Event) -> None:
        """Have an event wait to be sent."""
        keys = _Keys(job.id)
        pipe.hset(keys.webhooks, event.slot, event.model_dump_json())
        pipe.expire(keys.webhooks, self._lifetime(job))
        pipe.zadd(_OUTBOX, {job.id: event.due}, lt=True)
        if event.type == "progress":
            pipe.set(keys.told, "", px=round(self._settings.webhook_progress_seconds * 1000))

    @staticmethod
    def _waiting(pipe: Pipeline, key: str) -> dict[str, Event]:
        """The events of a job that wait, by slot, without those that another version has written."""
        waiting = {}
        for slot, document in cast(dict[bytes, bytes], pipe.hgetall(key)).items():
            try:
                waiting[slot.decode()] = Event.model_validate_json(document)
            except ValidationError as error:
                logger.warning("an event in %s cannot be read: %d errors in it", key, error.error_count())
        return waiting

    @staticmethod
    def _schedule(pipe: Pipeline, job_id: str, waiting: Mapping[str, Event]) -> None:
        """Note when the first of a job's events is due."""
        if waiting:
            pipe.zadd(_OUTBOX, {job_id: min(event.due for event in waiting.values())})
        else:
            pipe.zrem(_OUTBOX, job_id)

    def _enter_status(self, pipe: Pipeline, job: Job, owner: str, *, files: Iterable[str]) -> None:
        """Write a job that changed its status, and begin the time to live of it and of these keys."""
        keys, lifetime = _Keys(job.id), self._lifetime(job)
        pipe.set(keys.job, job.model_dump_json(), ex=lifetime)
        for key in files:
            pipe.expire(key, lifetime)
        pipe.set(keys.known, owner, ex=lifetime + self._settings.tombstone_ttl_seconds)
        pipe.zadd(_status_index(job.status), {job.id: 0})
        if not job.status.is_final:
            pipe.zadd(_line(job.status, job.method), {job.id: rank(job)})
        if owner:
            pipe.zadd(_of(owner, _status_index(job.status)), {job.id: 0})
            # When an owner did nothing for so long, all that is in the owner's indexes has expired.
            longest = max(self._settings.pending_ttl_seconds, self._settings.result_ttl_seconds)
            for index in _INDEXES:
                pipe.expire(_of(owner, index), longest)

    @staticmethod
    def _count(pipe: Pipeline, old: Job | None, new: Job | None) -> None:
        """Add what a change of a job means to the tally."""
        for name, amount in increments(old, new).items():
            pipe.hincrbyfloat(_TALLY, name, amount)
        sample = mean_sample(old, new) if old and new else None
        if new and sample is not None:
            pipe.eval(_MOVE_MEAN, 1, _TALLY, mean_field(new.method), str(sample), str(WEIGHT_OF_LATEST))

    def _lifetime(self, job: Job) -> int:
        return lifetime(job, self._settings)

    @staticmethod
    def _read(redis: Redis | Pipeline, job_id: str) -> Job:
        keys = _Keys(job_id)
        document = cast(bytes | None, redis.get(keys.job))
        if document is None:
            raise ExpiredJob if redis.exists(keys.known) else UnknownJob
        try:
            return Job.model_validate_json(document)
        except ValidationError as error:
            logger.warning("job %s cannot be read: %d errors in its document", job_id, error.error_count())
            raise UnreadableJob from None

    def _readable(self, ids: list[str], owner: str) -> list[Job]:
        """The jobs of these ids, without those that expired or that another version has written."""
        return self._valid(self._documents(ids, owner))

    @staticmethod
    def _valid(documents: Mapping[str, bytes]) -> list[Job]:
        """The jobs in these documents, without those that another version has written."""
        jobs = []
        for job_id, document in documents.items():
            try:
                jobs.append(Job.model_validate_json(document))
            except ValidationError as error:
                with about(job_id):
                    logger.warning("job %s cannot be read: %d errors in its document", job_id, error.error_count())
        return jobs

    def _sweep(self, owner: str, indexes: Iterable[str]) -> None:
        """Drop those of the oldest ids that expired from the indexes."""
        with self._redis.pipeline(transaction=False) as pipe:
            for index in indexes:
                pipe.zrange(index, 0, _SWEEP - 1)
            met = {job_id for members in pipe.execute() for job_id in self._ids(members)}
        self._documents(sorted(met), owner)

    def _documents(self, ids: list[str], owner: str) -> dict[str, bytes]:
        """The documents of these ids that are still there; the other ids leave the indexes.

        Args:
            owner: in whose indexes they were met; empty: in those of all owners.
        """
        if not ids:
            return {}
        documents = cast(list[bytes | None], self._redis.mget([_Keys(job_id).job for job_id in ids]))
        found = {job_id: document for job_id, document in zip(ids, documents, strict=True) if document is not None}
        gone = [job_id for job_id in ids if job_id not in found]
        if gone:
            owners = cast(list[bytes | None], self._redis.mget([_Keys(job_id).known for job_id in gone]))
            # Whoever only reads is not refused because nothing can be written.
            with suppress(StoreFull), redis_within_reach(), self._redis.pipeline(transaction=False) as pipe:
                for known in {owner, *(known.decode() for known in owners if known)}:
                    self._leave_indexes(pipe, known, gone)
                pipe.execute()
        return found

    @staticmethod
    def _leave_indexes(pipe: Pipeline, owner: str, ids: list[str]) -> None:
        for index in {*_INDEXES, *(_of(owner, index) for index in _INDEXES), *_LINES, _OUTBOX}:
            pipe.zrem(index, *ids)

    @staticmethod
    def _ids(members: Any) -> list[str]:
        return [member.decode() for member in cast(Iterable[bytes], members)]
