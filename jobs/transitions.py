"""How a job changes: pure functions from a job to the next, which every store applies in its own atomic way."""

from datetime import timedelta

from jobs.contract import Job, JobError, Metrics, Output, Progress, Status, now
from jobs.settings import Settings


def lifetime(job: Job, settings: Settings) -> int:
    """Seconds for which a job is kept that has its status from now on."""
    if not job.status.is_final:
        return settings.pending_ttl_seconds
    return job.ttl_seconds or settings.result_ttl_seconds


def canceled(job: Job, settings: Settings, *, held: bool) -> Job:
    """The job after a client asked to cancel it; ``held`` says whether a worker has its lease."""
    if job.status.is_final or (held and job.cancel_requested_at):
        return job
    asked = job.evolve(cancel_requested_at=job.cancel_requested_at or now())
    return asked if held else _ended(asked, settings, Status.CANCELED)


def started(job: Job, settings: Settings) -> Job:
    """The job after a worker took it: processing, or ended when it shall not be tried any more."""
    spent = _spent(job, settings)
    if spent:
        return spent
    at = now()
    waited = (at - job.created_at).total_seconds()
    metrics = job.metrics
    if metrics.queue_seconds is None:
        metrics = metrics.model_copy(update={"queue_seconds": max(0.0, waited)})
    return job.evolve(
        status=Status.PROCESSING,
        started_at=at,
        attempt=job.attempt + 1,
        progress=Progress(preview_id=job.progress.preview_id),
        metrics=metrics,
    )


def recovered(job: Job, settings: Settings) -> Job:
    """The job after its worker died: queued for another attempt, or ended when it shall not be tried any more."""
    return _spent(job, settings) or job.evolve(status=Status.QUEUED, started_at=None)


def progressed(job: Job, progress: Progress, *, new_preview: bool) -> Job:
    """The job after its worker told how far it is."""
    return job.evolve(progress=progress.model_copy(update={"preview_id": job.progress.preview_id + new_preview}))


def given_back(job: Job, settings: Settings) -> Job:
    """The job after its worker gave it back: queued as if this attempt had not been, or canceled as was asked."""
    if job.cancel_requested_at:
        return _ended(job, settings, Status.CANCELED)
    return job.evolve(status=Status.QUEUED, started_at=None, attempt=job.attempt - 1)


def finished(
    job: Job,
    settings: Settings,
    *,
    status: Status,
    output: Output | None,
    error: JobError | None,
    metrics: Metrics | None,
    has_result: bool,
    new_preview: bool,
) -> Job:
    """The job after its worker ended it.

    Raises:
        ValueError: the arguments do not fit the status.
    """
    if not status.is_final:
        raise ValueError(f"{status} is not a final status")
    succeeded = status is Status.SUCCEEDED
    if succeeded != (output is not None) or succeeded != has_result:
        raise ValueError("a job that succeeded has an output and a result, others have neither")
    if (status is Status.FAILED) != (error is not None):
        raise ValueError("a job that failed has an error, others have none")
    measured = {name: value for name, value in metrics or () if value is not None}
    progress: dict[str, object] = {"preview_id": job.progress.preview_id + new_preview, "eta_seconds": None}
    if succeeded:
        progress |= {"fraction": 1.0, "step": job.progress.total_steps}
    return _ended(
        job,
        settings,
        status,
        output=output,
        error=error,
        metrics=job.metrics.model_copy(update=measured),
        progress=job.progress.model_copy(update=progress),
    )


def _spent(job: Job, settings: Settings) -> Job | None:
    """The end of a job that no worker shall start again; None for others."""
    if job.cancel_requested_at:
        return _ended(job, settings, Status.CANCELED)
    if job.attempt >= settings.max_attempts:
        times = "once" if job.attempt == 1 else f"{job.attempt} times"
        error = JobError(code="worker_lost", message=f"The job was started {times} and its worker was lost each time.")
        return _ended(job, settings, Status.FAILED, error=error)
    return None


def _ended(job: Job, settings: Settings, status: Status, **changes: object) -> Job:
    at, ended = now(), job.model_copy(update={"status": status})
    return job.evolve(
        status=status, completed_at=at, expires_at=at + timedelta(seconds=lifetime(ended, settings)), **changes
    )
