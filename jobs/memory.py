"""Jobs in this process: the Redis store's twin, for tests and for use without a server."""

import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from threading import Condition, RLock

from typing_extensions import override

from jobs.contract import OPTIONS_OF, Job, JobPage, Method, Snapshot, Status
from jobs.errors import ExpiredJob, TooManyJobs, UnknownJob
from jobs.news import LISTEN_SECONDS, Heard, State
from jobs.protocol import NO_FILES, UNFINISHED, FileName, Rule, Store, rank
from jobs.settings import Settings
from jobs.tally import WEIGHT_OF_LATEST, Tally, increments, mean_field, mean_sample
from jobs.transitions import lifetime
from jobs.webhooks import Event, event_of, take


@dataclass
class _Entry:
    job: Job
    images: dict[str, bytes]
    expires: float
    owner: str
    files: dict[FileName, bytes] = field(default_factory=dict)
    snapshots: dict[int, tuple[Snapshot, bytes]] = field(default_factory=dict)
    token: str | None = None
    leased_until: float = 0.0
    events: dict[str, Event] = field(default_factory=dict)
    told_until: float = 0.0


class MemoryStore(Store):
    """A store that nobody else sees and that ends with the process."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._entries: dict[str, _Entry] = {}
        self._expired: dict[str, tuple[float, str]] = {}
        self._tally: dict[str, float] = {}
        self._lock = RLock()
        self._changed = Condition(self._lock)
        self._heard: set[str] | None = None

    @override
    def ping(self) -> None:
        pass

    @override
    def create(self, job: Job, images: Mapping[str, bytes], *, owner: str = "", most_pending: int = 0) -> None:
        with self._lock:
            self._drop_expired()
            pending = sum(owner in ("", e.owner) and not e.job.status.is_final for e in self._entries.values())
            if most_pending and pending >= most_pending:
                raise TooManyJobs
            self._entries[job.id] = _Entry(job, dict(images), self._expiry(job), owner)
            self._count(None, job)

    @override
    def owner(self, job_id: str) -> str:
        with self._lock:
            try:
                return self._entry(job_id).owner
            except ExpiredJob:
                return self._expired[job_id][1]

    @override
    def get(self, job_id: str) -> Job:
        with self._lock:
            return self._entry(job_id).job

    @override
    def standing(self, job: Job) -> tuple[int | None, Tally]:
        line = [other.id for other in self._line(job.method)]
        return line.index(job.id) if job.id in line else None, self.tally()

    @override
    def first_in_line(self, method: Method, limit: int) -> list[Job]:
        return self._line(method)[:limit]

    @override
    def unfinished(self) -> dict[tuple[Status, Method], int]:
        with self._lock:
            self._drop_expired()
            found = [(entry.job.status, entry.job.method) for entry in self._entries.values()]
        return {(status, method): found.count((status, method)) for status in UNFINISHED for method in OPTIONS_OF}

    @override
    def tally(self) -> Tally:
        with self._lock:
            return Tally(dict(self._tally))

    @override
    def image(self, job_id: str, name: str) -> bytes:
        with self._lock:
            return self._entry(job_id).images[name]

    @override
    def image_size(self, job_id: str, name: str) -> int:
        with self._lock:
            entry = self._entries.get(job_id)
            return len(entry.images.get(name, b"")) if entry else 0

    @override
    def snapshots(self, job_id: str) -> list[Snapshot]:
        with self._lock:
            return [snapshot for _, (snapshot, _) in sorted(self._entry(job_id).snapshots.items())]

    @override
    def snapshot(self, job_id: str, step: int) -> bytes | None:
        with self._lock:
            _, picture = self._entry(job_id).snapshots.get(step, (None, None))
            return picture

    @override
    def list_jobs(
        self,
        *,
        status: Status | None = None,
        method: str | None = None,
        owner: str = "",
        limit: int = 20,
        cursor: str | None = None,
    ) -> JobPage:
        with self._lock:
            self._drop_expired()
            found = [
                entry.job
                for job_id, entry in sorted(self._entries.items(), reverse=True)
                if (cursor is None or job_id < cursor)
                and status in (None, entry.job.status)
                and method in (None, entry.job.method)
                and owner in ("", entry.owner)
            ]
        items = found[:limit]
        return JobPage(items=items, next_cursor=items[-1].id if len(found) > limit else None)

    @override
    def delete(self, job_id: str) -> None:
        with self._lock:
            self._drop_expired()
            entry = self._entries.pop(job_id, None)
            if entry is None and self._expired.pop(job_id, None) is None:
                raise UnknownJob
            self._count(entry.job if entry else None, None)
            self._spread(job_id)

    @override
    def due_webhooks(self, limit: int) -> list[str]:
        at = time.time()
        with self._lock:
            self._drop_expired()
            first = {
                job_id: min(event.due for event in entry.events.values())
                for job_id, entry in self._entries.items()
                if entry.events
            }
        return sorted((job_id for job_id, due in first.items() if due <= at), key=first.__getitem__)[:limit]

    @override
    def take_webhooks(self, job_id: str, seconds: float) -> list[Event]:
        with self._lock:
            self._drop_expired()
            entry = self._entries.get(job_id)
            taken = take(entry.events.values(), time.time(), seconds) if entry else []
            if entry:
                entry.events |= {event.slot: event for event in taken}
        return taken

    @override
    def settle_webhook(self, job_id: str, event: Event, retry_at: float | None = None) -> None:
        with self._lock:
            entry = self._entries.get(job_id)
            waiting = entry.events.get(event.slot) if entry else None
            if entry and waiting and waiting.id == event.id:
                if retry_at is None:
                    del entry.events[event.slot]
                else:
                    entry.events[event.slot] = event.model_copy(update={"due": retry_at})

    @override
    def _file(self, job_id: str, name: FileName) -> bytes | None:
        with self._lock:
            return self._entry(job_id).files.get(name)

    @override
    def _change(
        self,
        job_id: str,
        rule: Rule,
        files: Mapping[FileName, bytes] = NO_FILES,
        *,
        snapshot: tuple[Snapshot, bytes] | None = None,
        token: str | None = None,
    ) -> Job:
        with self._lock:
            entry = self._entry(job_id)
            held = entry.token is not None and time.monotonic() < entry.leased_until
            new = rule(entry.job, entry.token if held else None, entry.token)
            entry.files.update(files)
            self._tell(entry, event_of(entry.job, new))
            if snapshot:
                entry.snapshots[snapshot[0].step] = snapshot
            if new.status.is_final:
                entry.files.pop("checkpoint", None)
            if new.status is not entry.job.status:
                entry.expires = self._expiry(new)
            if new.status is not Status.PROCESSING:
                entry.token = None
            elif token is not None:
                entry.token, entry.leased_until = token, time.monotonic() + self._settings.lease_seconds
            if new is not entry.job:
                self._count(entry.job, new)
                entry.job = new
                self._spread(job_id)
            return new

    def _line(self, method: Method) -> list[Job]:
        """The queued jobs of a method, in the order in which they are taken."""
        with self._lock:
            self._drop_expired()
            jobs = [entry.job for entry in self._entries.values()]
        line = [job for job in jobs if job.status is Status.QUEUED and job.method == method]
        return sorted(line, key=lambda job: (rank(job), job.id))

    def _tell(self, entry: _Entry, event: Event | None) -> None:
        """Have an event wait to be sent, unless it is progress and some was told a moment ago."""
        at = time.monotonic()
        if event and event.type == "progress":
            if at < entry.told_until:
                return
            entry.told_until = at + self._settings.webhook_progress_seconds
        if event:
            entry.events[event.slot] = event

    def _count(self, old: Job | None, new: Job | None) -> None:
        for name, amount in increments(old, new).items():
            self._tally[name] = self._tally.get(name, 0) + amount
        sample = mean_sample(old, new) if old and new else None
        if new and sample is not None:
            mean = self._tally.get(mean_field(new.method), sample)
            self._tally[mean_field(new.method)] = mean + WEIGHT_OF_LATEST * (sample - mean)

    @override
    def _listen(self) -> Generator[Heard, None, None]:
        with self._lock:
            self._heard = set()
        yield None
        while True:
            with self._lock:
                self._changed.wait_for(lambda: self._heard, LISTEN_SECONDS)
                heard, self._heard = self._heard, set()
            yield heard

    @override
    def _look(self, job_ids: list[str]) -> Mapping[str, State]:
        with self._lock:
            return {job_id: self._state(job_id) for job_id in job_ids}

    def _state(self, job_id: str) -> State:
        try:
            return self._entry(job_id).job
        except (UnknownJob, ExpiredJob) as gone:
            return gone

    def _spread(self, job_id: str) -> None:
        if self._heard is not None:  # else nobody listens
            self._heard.add(job_id)
            self._changed.notify_all()

    def _entry(self, job_id: str) -> _Entry:
        self._drop_expired()
        if job_id in self._entries:
            return self._entries[job_id]
        raise ExpiredJob if job_id in self._expired else UnknownJob

    def _expiry(self, job: Job) -> float:
        """When this job is forgotten, on the monotonic clock, if its status begins now."""
        return time.monotonic() + lifetime(job, self._settings)

    def _drop_expired(self) -> None:
        at = time.monotonic()
        for job_id in [job_id for job_id, entry in self._entries.items() if entry.expires <= at]:
            entry = self._entries.pop(job_id)
            self._expired[job_id] = (entry.expires + self._settings.tombstone_ttl_seconds, entry.owner)
        for job_id in [job_id for job_id, (until, _) in self._expired.items() if until <= at]:
            del self._expired[job_id]
