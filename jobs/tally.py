"""What has become of all jobs since the first: how many, how long they waited, how long they took.

A store adds :func:`increments` in the same step in which a job changes, so that each job counts once, whatever dies on
the way, and the figures are the same whichever process is asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from jobs.contract import Job, Method, Status

#: Upper bounds of the histograms in seconds; what is longer has no bound.
BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)

#: How much of the mean is the latest job's: the last five or so make most of it.
WEIGHT_OF_LATEST = 0.2

Span = Literal["run", "wait"]


@dataclass(frozen=True)
class Histogram:
    """How long something took.

    Attributes:
        counts: how many took at most each of :data:`BOUNDS`, and how many there were in all.
        total: seconds of all together.
    """

    counts: tuple[int, ...]
    total: float


@dataclass(frozen=True)
class Tally:
    """All figures, by the names that :func:`increments` and :func:`mean_field` give them."""

    amounts: Mapping[str, float]

    def accepted(self, method: Method) -> int:
        """Jobs that were taken."""
        return self._count(_accepted(method))

    def ended(self, status: Status | Literal["deleted"], method: Method) -> int:
        """Jobs that ended so; ``deleted`` are those that were forgotten before they had ended."""
        return self._count(_ended(status, method))

    def histogram(self, span: Span, method: Method) -> Histogram:
        """Of the jobs that had begun: how long their last start took, or how long they waited for the first."""
        bounds = [*map(str, BOUNDS), "inf"]
        counts = accumulate(self._count(_span(span, method, bound)) for bound in bounds)
        return Histogram(tuple(counts), self.amounts.get(_span(span, method, "sum"), 0.0))

    def mean(self, method: Method) -> float | None:
        """Seconds that a job takes these days; None before the first has succeeded."""
        return self.amounts.get(mean_field(method))

    def _count(self, field: str) -> int:
        return round(self.amounts.get(field, 0))


def increments(old: Job | None, new: Job | None) -> dict[str, float]:
    """What a change of a job adds to the tally.

    Args:
        old: None when the job is new.
        new: None when the job is deleted.
    """
    if new is None:
        return {_ended("deleted", old.method): 1} if old and not old.status.is_final else {}
    if old is None:
        return {_accepted(new.method): 1}
    added: dict[str, float] = {}
    waited = new.metrics.queue_seconds
    if waited is not None and old.metrics.queue_seconds is None:
        added |= _sample("wait", new.method, waited)
    if new.status.is_final and not old.status.is_final:
        added[_ended(new.status, new.method)] = 1
        took = run_seconds(new)
        if took is not None:
            added |= _sample("run", new.method, took)
    return added


def run_seconds(job: Job) -> float | None:
    """How long a job that has ended was painted since its last start; None when it never was, or only queued again."""
    if job.started_at is None or job.completed_at is None:
        return None
    return max(0.0, (job.completed_at - job.started_at).total_seconds())


def mean_sample(old: Job, new: Job) -> float | None:
    """What the mean time of a method learns of a change: the seconds of a job that has succeeded, else nothing."""
    succeeded = new.status is Status.SUCCEEDED and not old.status.is_final
    return run_seconds(new) if succeeded else None


def mean_field(method: Method) -> str:
    """Where the mean time of a method is."""
    return f"mean:{method}"


def _sample(span: Span, method: Method, seconds: float) -> dict[str, float]:
    bound = next((str(bound) for bound in BOUNDS if seconds <= bound), "inf")
    return {_span(span, method, bound): 1, _span(span, method, "sum"): seconds}


def _accepted(method: Method) -> str:
    return f"accepted:{method}"


def _ended(status: str, method: Method) -> str:
    return f"ended:{status}:{method}"


def _span(span: Span, method: Method, bound: str) -> str:
    return f"{span}:{method}:{bound}"
