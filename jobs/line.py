"""The line in which jobs wait for a worker: who is next, and how long it takes."""

from collections.abc import Sequence

from jobs.contract import Job, QueuePlace, Status, now
from jobs.protocol import Store
from jobs.queue import METHOD_QUEUES
from jobs.roster import Roster
from jobs.tally import Tally

#: Running jobs that are looked at to estimate a time, at most.
_MOST_RUNNING = 100


class Line:
    """Tells jobs their place.  Raises :class:`~jobs.errors.StoreUnavailable` when Redis cannot be reached."""

    def __init__(self, store: Store, roster: Roster) -> None:
        self.store, self.roster = store, roster

    def with_place(self, job: Job) -> Job:
        """The job with its place in line, if it has not ended."""
        return job if job.status.is_final else job.model_copy(update={"queue": self.place(job)})

    def place(self, job: Job) -> QueuePlace:
        """Where a job that has not ended stands."""
        ahead, tally = self.store.standing(job)
        if job.status is Status.PROCESSING:
            return _place(None, _remaining(job, tally))
        if ahead is None:  # it was taken a moment ago
            return QueuePlace()
        return _place(ahead + 1, self._eta(job, ahead, tally))

    def _eta(self, job: Job, ahead: int, tally: Tally) -> float | None:
        """Seconds to the end of a job that waits; None when nobody works on its queue, or nothing is known."""
        mean = tally.mean(job.method)
        if mean is None:
            return None
        serving = [set(worker.queues) for worker in self.roster.present() if METHOD_QUEUES[job.method] in worker.queues]
        if not serving:
            return None
        busy_with = set.union(*serving)
        processing = self.store.list_jobs(status=Status.PROCESSING, limit=_MOST_RUNNING).items
        running = [
            remaining
            for other in processing
            if METHOD_QUEUES[other.method] in busy_with and (remaining := _remaining(other, tally)) is not None
        ]
        return _start(running, ahead * mean, len(serving)) + mean


def _start(running: Sequence[float], ahead: float, workers: int) -> float:
    """Seconds until one of so many workers is free, after what runs and what waits before."""
    if not ahead:
        return min(running) if len(running) >= workers else 0.0
    return (sum(running) + ahead) / workers


def _remaining(job: Job, tally: Tally) -> float | None:
    """Seconds to the end of a running job: its own estimate, or what others took; None when neither is there."""
    if job.progress.eta_seconds is not None:
        return job.progress.eta_seconds
    mean = tally.mean(job.method)
    if mean is None or job.started_at is None:
        return None
    return max(0.0, mean - (now() - job.started_at).total_seconds())


def _place(position: int | None, eta: float | None) -> QueuePlace:
    return QueuePlace(position=position, eta_seconds=None if eta is None else round(eta, 1))
