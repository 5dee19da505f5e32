"""The seam between jobs and where they are kept: Redis (``jobs.store``) or this process (``jobs.memory``)."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, suppress
from types import MappingProxyType
from typing import Literal, cast, get_args

from jobs import transitions
from jobs.contract import Job, JobError, JobPage, Method, Metrics, Output, Priority, Progress, Snapshot, Status
from jobs.errors import ExpiredJob, JobNotFinished, LeaseLost, UnknownJob
from jobs.news import Heard, News, State, Tell
from jobs.settings import Settings
from jobs.tally import Tally
from jobs.webhooks import Event

#: What a worker writes besides the job: the picture, how it looks so far, and from where another may go on.
FileName = Literal["result", "preview", "checkpoint"]

#: From a job, the token that holds its lease, if any, and the one that held it last, to the job as it shall be.
#: The last one is remembered after its lease ran out, for as long as the job is processing.
Rule = Callable[[Job, str | None, str | None], Job]

NO_FILES: Mapping[FileName, bytes] = MappingProxyType({})

#: The statuses of jobs that are still to be done.
UNFINISHED = (Status.QUEUED, Status.PROCESSING)


def rank(job: Job) -> int:
    """Where a job stands in line: the lowest is taken first, and of equals the oldest.

    One whose worker was lost stands with the most urgent ones: it had its turn.
    """
    return 0 if job.attempt else get_args(Priority).index(job.priority)


class Store(ABC):
    """Where jobs, their images and their results are kept; safe to use from several threads.

    A worker holds a job by a lease: it takes it with :meth:`start` under a token of its own, renews it more often than
    ``lease_seconds``, and every write of the worker names the token, so that one which was taken for dead can never
    write over its successor.  A worker whose lease ran out may go on if nobody has taken the job from it meanwhile.

    Every method raises :class:`~jobs.errors.StoreUnavailable` when the store cannot be reached.  Those that take a
    job's id raise, unless they say otherwise, :class:`~jobs.errors.UnknownJob` when there is none,
    :class:`~jobs.errors.ExpiredJob` when its time is over, and :class:`~jobs.errors.UnreadableJob` when another version
    has written it.

    The life of a job is told here, on top of :meth:`_change`; a store adds how it keeps things.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._news = News(self._listen, self._look)

    @abstractmethod
    def create(self, job: Job, images: Mapping[str, bytes], *, owner: str = "", most_pending: int = 0) -> None:
        """Keep a queued job with its images: ``content``, ``style.0``, ``init``, ``photograph.0``.

        Args:
            owner: whose job it is; empty: nobody's.
            most_pending: how many jobs of this owner, or of everybody if it is empty, may wait and run, with this one;
                0: any number.

        Raises:
            TooManyJobs: there are as many already.
        """

    @abstractmethod
    def owner(self, job_id: str) -> str:
        """Whose job it is, or was until it expired; empty: nobody's.

        Raises:
            UnknownJob: there is none; alone of the errors that a job's id may raise.
        """

    @abstractmethod
    def get(self, job_id: str) -> Job:
        """The job as it is now."""

    @abstractmethod
    def standing(self, job: Job) -> tuple[int | None, Tally]:
        """How many jobs of its method are taken before this one, None when it does not wait; and :meth:`tally`.

        Jobs are taken in the order of :func:`rank`, and of their ids.
        """

    @abstractmethod
    def first_in_line(self, method: Method, limit: int) -> list[Job]:
        """The queued jobs of a method that are taken first, in this order, so many at most."""

    @abstractmethod
    def unfinished(self) -> dict[tuple[Status, Method], int]:
        """How many jobs are queued and how many processing, of each method."""

    @abstractmethod
    def tally(self) -> Tally:
        """What has become of all jobs so far."""

    def watch(self, job_id: str, tell: Tell) -> AbstractContextManager[None]:
        """Tell somebody what becomes of a job, until the context ends; the job need not be there, nor the store.

        After every change ``tell`` is called with the job as it is then, or with UnknownJob or ExpiredJob when it is
        gone.  Changes that follow closely are told as one, and a state may be told again.  One that was read meanwhile
        may be newer: :attr:`Job.revision` says so.  ``tell`` is called in a thread of the store's, where it must
        neither block nor raise.  While the store cannot be reached nothing is told, and the present state when it can.
        """
        return self._news.watch(job_id, tell)

    @abstractmethod
    def image(self, job_id: str, name: str) -> bytes:
        """An image that the job was created with, byte for byte; KeyError when it has none of this name."""

    @abstractmethod
    def image_size(self, job_id: str, name: str) -> int:
        """How many bytes :meth:`image` has, of which none is loaded; 0 when there is none, whatever the reason."""

    @abstractmethod
    def list_jobs(
        self,
        *,
        status: Status | None = None,
        method: str | None = None,
        owner: str = "",
        limit: int = 20,
        cursor: str | None = None,
    ) -> JobPage:
        """A page of at most ``limit`` jobs, newest first, below ``cursor`` (the ``next_cursor`` of the page before).

        One may have fewer, or none, though more follow, where few of many jobs are asked for: the last is the one
        without ``next_cursor``.

        Args:
            owner: only this one's jobs; empty: everybody's.
        """

    def request_cancel(self, job_id: str) -> Job:
        """Cancel; idempotent.

        A job that nobody works on ends at once, a running one is marked for its worker to end, a finished one stays as
        it is.
        """
        return self._change(
            job_id, lambda job, holder, _: transitions.canceled(job, self._settings, held=holder is not None)
        )

    def start(self, job_id: str, token: str) -> Job | None:
        """Take a job for the worker of this token: it is ``processing`` afterwards and its attempts are one more.

        A job whose worker let its lease run out is taken over.  None when there is nothing to do: the job is finished,
        gone, or held by somebody else; it had its last attempt, which ends it as failed with ``worker_lost``; or its
        cancelling was left undone, which ends it as canceled.
        """

        def rule(job: Job, holder: str | None, _: str | None) -> Job:
            if job.status.is_final or holder is not None:
                raise LeaseLost
            return transitions.started(job, self._settings)

        try:
            job = self._change(job_id, rule, token=token)
        except (UnknownJob, ExpiredJob, LeaseLost):
            return None
        return job if job.status is Status.PROCESSING else None

    def renew(self, job_id: str, token: str) -> bool:
        """Hold the lease for ``lease_seconds`` more; whether the job shall be canceled.

        Raises:
            LeaseLost: the job was taken from this worker, has ended, or is gone.
        """
        return self._change_held(job_id, token, lambda job: job).cancel_requested_at is not None

    def update(self, job_id: str, token: str, *, progress: Progress, preview: bytes | None = None) -> None:
        """Note how far a running job is; ``progress.preview_id`` is the store's own and counts the previews.

        Raises:
            LeaseLost: as :meth:`renew`.
        """
        self._change_held(
            job_id,
            token,
            lambda job: transitions.progressed(job, progress, new_preview=preview is not None),
            _given(preview=preview),
        )

    def save_checkpoint(self, job_id: str, token: str, checkpoint: bytes) -> None:
        """Keep what another worker needs to go on from here; until the job ends, or the next checkpoint.

        Raises:
            LeaseLost: as :meth:`renew`.
        """
        self._change_held(job_id, token, lambda job: job, {"checkpoint": checkpoint})

    def checkpoint(self, job_id: str) -> bytes | None:
        """The latest checkpoint, if there is one."""
        return self._file(job_id, "checkpoint")

    def save_snapshot(self, job_id: str, token: str, snapshot: Snapshot, picture: bytes) -> None:
        """Keep the picture of one step for as long as the job is there, in the place of an earlier one of that step.

        Raises:
            LeaseLost: as :meth:`renew`.
        """
        self._change_held(job_id, token, lambda job: job, snapshot=(snapshot, picture))

    @abstractmethod
    def snapshots(self, job_id: str) -> list[Snapshot]:
        """What is known of the snapshots so far, in order of their steps."""

    @abstractmethod
    def snapshot(self, job_id: str, step: int) -> bytes | None:
        """The picture of one step, if it was kept."""

    def requeue(self, job_id: str, token: str) -> None:
        """Give a running job back because its worker shuts down; this attempt does not count.

        The job is queued again, or ends as canceled when that was asked for.  The caller sees to the message.

        Raises:
            LeaseLost: as :meth:`renew`.
        """
        self._change_held(job_id, token, lambda job: transitions.given_back(job, self._settings))

    def abandon(self, job_id: str, token: str) -> Job:
        """Give a running job up because its worker cannot go on, as if its lease had run out: this attempt counts.

        The job as it is afterwards: queued again, which the caller sees to, or ended, as :meth:`start` says.

        Raises:
            LeaseLost: as :meth:`renew`.
        """
        return self._change_held(job_id, token, lambda job: transitions.recovered(job, self._settings))

    def recover(self) -> list[Job]:
        """Take every running job back whose worker let the lease run out; the jobs as they are afterwards.

        Such a job is queued again, and the caller sees to its message; or it ends, as :meth:`start` says.
        """

        def rule(job: Job, holder: str | None, _: str | None) -> Job:
            if job.status is not Status.PROCESSING or holder is not None:
                raise LeaseLost
            return transitions.recovered(job, self._settings)

        recovered: list[Job] = []
        cursor: str | None = None
        while True:
            page = self.list_jobs(status=Status.PROCESSING, limit=100, cursor=cursor)
            for job in page.items:
                with suppress(LeaseLost, UnknownJob, ExpiredJob):
                    recovered.append(self._change(job.id, rule))
            cursor = page.next_cursor
            if cursor is None:
                return recovered

    def finish(
        self,
        job_id: str,
        token: str,
        *,
        status: Status,
        output: Output | None = None,
        error: JobError | None = None,
        metrics: Metrics | None = None,
        result: bytes | None = None,
        preview: bytes | None = None,
    ) -> Job:
        """End a running job and release its lease; it expires ``result_ttl_seconds`` later.

        Args:
            status: final; ``succeeded`` needs ``output`` and ``result``, ``failed`` needs ``error``.
            metrics: laid over those that the store measured.

        Raises:
            LeaseLost: as :meth:`renew`.
            ValueError: the arguments do not fit the status.
        """
        return self._change_held(
            job_id,
            token,
            lambda job: transitions.finished(
                job,
                self._settings,
                status=status,
                output=output,
                error=error,
                metrics=metrics,
                has_result=result is not None,
                new_preview=preview is not None,
            ),
            _given(result=result, preview=preview),
        )

    @abstractmethod
    def due_webhooks(self, limit: int) -> list[str]:
        """The ids of so many jobs at most that have events to be sent now, those that wait longest first."""

    @abstractmethod
    def take_webhooks(self, job_id: str, seconds: float) -> list[Event]:
        """Take the events of a job that are due, the oldest first; nobody else gets them meanwhile.

        None when there is nothing to send, or no such job.

        Args:
            seconds: what sending one of them may take; those that are not settled in time are due again.
        """

    @abstractmethod
    def settle_webhook(self, job_id: str, event: Event, retry_at: float | None = None) -> None:
        """Forget an event that was taken, or have it wait, as it is given, until this Unix time.

        Nothing happens when it is gone, or when a newer one has come in its place.
        """

    def result(self, job_id: str) -> bytes:
        """The file that the job made.

        Raises:
            JobNotFinished: the job has not succeeded, or not yet.
        """
        if self.get(job_id).status is not Status.SUCCEEDED:
            raise JobNotFinished
        result = self._file(job_id, "result")
        if result is None:
            raise ExpiredJob  # between the two reads
        return result

    def preview(self, job_id: str) -> bytes | None:
        """The latest intermediate image, if there is one."""
        self.get(job_id)
        return self._file(job_id, "preview")

    @abstractmethod
    def delete(self, job_id: str) -> None:
        """Forget a job and every byte of it; its worker, if any, loses the lease.  An expired one is forgotten too."""

    @abstractmethod
    def ping(self) -> None:
        """Return when the store answers."""

    def close(self) -> None:
        """Let go of connections and threads."""
        self._news.close()

    @abstractmethod
    def _listen(self) -> Generator[Heard, None, None]:
        """What changes from now on, as :class:`~jobs.news.News` asks for it; deleting is a change."""

    @abstractmethod
    def _look(self, job_ids: list[str]) -> Mapping[str, State]:
        """The present states of these jobs, at once; those that another version has written are left out."""

    @abstractmethod
    def _file(self, job_id: str, name: FileName) -> bytes | None:
        """What a worker wrote besides the job, if it did."""

    @abstractmethod
    def _change(
        self,
        job_id: str,
        rule: Rule,
        files: Mapping[FileName, bytes] = NO_FILES,
        *,
        snapshot: tuple[Snapshot, bytes] | None = None,
        token: str | None = None,
    ) -> Job:
        """Put what ``rule`` makes of a job in its place, with these files, as if nothing else happened meanwhile.

        The rule is called at least once and has no side effects; what it raises ends the change.  A job that is
        processing afterwards is leased to ``token`` from now on, if one is given; any other has no lease.  One that
        has ended has no checkpoint.  A change of status begins the time to live of all that belongs to the job anew.
        What its webhook is to be told of the change waits from now on; but progress is not, within
        ``webhook_progress_seconds`` of the last that was.
        """

    def _change_held(
        self,
        job_id: str,
        token: str,
        rule: Callable[[Job], Job],
        files: Mapping[FileName, bytes] = NO_FILES,
        *,
        snapshot: tuple[Snapshot, bytes] | None = None,
    ) -> Job:
        """Change a job that must be leased to ``token``, or was to it last and is to nobody since."""

        def held_rule(job: Job, holder: str | None, last: str | None) -> Job:
            if job.status is not Status.PROCESSING or token != (holder or last):
                raise LeaseLost
            return rule(job)

        try:
            return self._change(job_id, held_rule, files, snapshot=snapshot, token=token)
        except (UnknownJob, ExpiredJob):
            raise LeaseLost from None


def _given(**files: bytes | None) -> dict[FileName, bytes]:
    return {cast(FileName, name): data for name, data in files.items() if data is not None}
