"""The job: what a client asks for, what a worker does, what both see of it.

            ┌──────────────────────────────┐
            │                              v
         queued ──> processing ──> succeeded | failed | canceled

Nothing leaves a final status.
"""

from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field
from ulid import ULID

from nst_core.options import FastOptions, GatysOptions, StyleTrainingOptions

#: The engines: optimisation of the image (Gatys et al. 2016), one pass of a trained network (Johnson et al. 2016).
Engine = Literal["gatys", "fast"]

#: What a job does: it paints with an engine, or it trains a style for the second.
Method = Literal[Engine, "train"]

#: What the receiver of a webhook may be told of: that a job has come to a status, or how far it is.
WebhookEvent = Literal["processing", "progress", "succeeded", "failed", "canceled"]

#: Jobs of a higher one are taken first.
Priority = Literal["high", "normal", "low"]

Options = GatysOptions | FastOptions | StyleTrainingOptions

#: What each engine is told.
ENGINE_OPTIONS: dict[Engine, type[GatysOptions] | type[FastOptions]] = {"gatys": GatysOptions, "fast": FastOptions}

#: What each job is told.
OPTIONS_OF: dict[Method, type[Options]] = {"gatys": GatysOptions, "fast": FastOptions, "train": StyleTrainingOptions}


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def new_job_id() -> str:
    """A ULID: 26 characters that sort by time of creation."""
    return str(ULID())


class Status(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"  #: accepted, no worker has taken it yet
    PROCESSING = "processing"  #: a worker paints it
    SUCCEEDED = "succeeded"  #: the result is there
    FAILED = "failed"  #: it ended with an error
    CANCELED = "canceled"  #: the client stopped it

    @property
    def is_final(self) -> bool:
        """Whether the job has ended, one way or another."""
        return self in (Status.SUCCEEDED, Status.FAILED, Status.CANCELED)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Progress(_Model):
    """How far a running job is."""

    fraction: float = Field(default=0.0, ge=0, le=1, description="Work done, weighted by its cost.")
    step: int = Field(default=0, ge=0, description="Iterations or training steps done; of `fast` there is one.")
    total_steps: int = Field(default=0, ge=0, description="Iterations or training steps in all.")
    message: str = Field(default="", description="What happens now, for people.")
    loss: float | None = Field(default=None, description="The weighted loss at this step.")
    eta_seconds: float | None = Field(default=None, description="Estimated seconds to the end.")
    preview_id: int = Field(default=0, ge=0, description="Changes when there is a new preview; 0: none yet.")


class QueuePlace(_Model):
    """How long a job still takes, as far as anybody can know; told with a single job that has not ended."""

    position: int | None = Field(
        default=None,
        ge=1,
        description="Place among the jobs of its method that wait, 1 for the next; else null.",
    )
    eta_seconds: float | None = Field(
        default=None, ge=0, description="Estimated seconds to the job's end; null when unknown."
    )


class JobInput(_Model):
    """What was asked for."""

    params: dict[str, Any] = Field(description="Every parameter with the value in force.")
    content_sha256: str | None = Field(
        default=None, description="Of the content image's file, as it was sent; null without one."
    )
    style_sha256: list[str] = Field(description="Of each style image's file; empty for a style of the gallery.")
    mask_sha256: list[str] = Field(default_factory=list, description="Of each mask's file.")
    init_sha256: str | None = Field(default=None, description="Of the initial image's file, when one was sent.")
    photograph_sha256: list[str] = Field(
        default_factory=list, description="Of each photograph that was sent for a training."
    )

    @property
    def files(self) -> dict[str, str]:
        """The digests of all files, each with the name that the file has in the store."""
        found = {"content": self.content_sha256, "init": self.init_sha256}
        for name in ("style", "mask", "photograph"):
            found |= {f"{name}.{k}": digest for k, digest in enumerate(getattr(self, f"{name}_sha256"))}
        return {digest: name for name, digest in found.items() if digest is not None}


class Output(_Model):
    """The result of a job that succeeded."""

    url: str = Field(description="As `urls.result`.")
    media_type: str
    width: int
    height: int
    bytes: int
    sha256: str = Field(description="Of the file; its ETag is the same in quotes.")
    losses: dict[str, float] = Field(default_factory=dict, description="The losses reached, by name.")
    similarity: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description="Structural similarity (SSIM) of the grey result to the grey content, 1 for the same; null for "
        "a training, and without a content.",
    )


class JobError(_Model):
    """Why a job failed."""

    code: str = Field(description="Stable, for programs: invalid_image, out_of_memory, timeout, worker_lost, ...")
    message: str = Field(description="For people.")


class ScaleSeconds(_Model):
    """What one scale of the pyramid took."""

    width: int = Field(description="Of the image at this scale, in pixels.")
    height: int
    iterations: int
    seconds: float = Field(ge=0)


class Metrics(_Model):
    """Where the time went, and on what."""

    queue_seconds: float | None = None
    load_seconds: float | None = Field(default=None, description="Loading the network; 0 when it was warm.")
    run_seconds: float | None = None
    stages: list[ScaleSeconds] = Field(
        default_factory=list, description="Of these, what each scale of `gatys` took; empty for the others."
    )
    device: str | None = None
    encoder: str | None = Field(default=None, description="The encoder that made the result; null for `fast`.")


class Snapshot(_Model):
    """The picture after one iteration of `gatys`, at the size that it had then."""

    step: int = Field(ge=1, description="Iterations done.")
    url: str = Field(description="Where the picture is, relative to the root of the API.")
    media_type: Literal["image/jpeg"] = "image/jpeg"
    width: int
    height: int
    bytes: int


class SnapshotList(_Model):
    """The snapshots of a job in order of their steps."""

    items: list[Snapshot]


class Urls(_Model):
    """Where the parts of a job are, relative to the root of the API: without a leading slash.

    Resolved against the address under which the API is reached, with a slash at its end (``https://host/nst/``), they
    are right also behind a proxy that serves it under a sub-path.
    """

    self: str
    result: str
    preview: str
    snapshots: str
    events: str
    cancel: str

    @classmethod
    def of(cls, job_id: str) -> Self:
        """The addresses of one job."""
        base = f"jobs/{job_id}"
        parts = {name: f"{base}/{name}" for name in ("result", "preview", "snapshots", "events", "cancel")}
        return cls(self=base, **parts)


class Webhook(_Model):
    """Who is told of a job."""

    url: str = Field(description="Where the events are sent. Without its query in lists.")
    events: list[WebhookEvent]


class Job(_Model):
    """A job as clients see it; changed only through :meth:`evolve`."""

    id: str
    status: Status = Status.QUEUED
    revision: int = Field(default=0, ge=0, description="Grows with every change of the job.")
    method: Method = "gatys"
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    expires_at: datetime | None = Field(default=None, description="When a finished job and its images are forgotten.")
    cancel_requested_at: datetime | None = None
    attempt: int = Field(
        default=0, ge=0, description="Starts by a worker, but for those it gave back while shutting down."
    )
    priority: Priority = "normal"
    ttl_seconds: int | None = Field(
        default=None,
        description="Seconds after its end for which the job is kept; null: as long as the server keeps jobs.",
    )
    queue: QueuePlace = Field(
        default=QueuePlace(), description="Told of a single job that has not ended; in lists its fields are null."
    )
    progress: Progress = Progress()
    input: JobInput
    output: Output | None = None
    error: JobError | None = None
    metadata: dict[str, Any] = Field(default_factory=dict, description="The client's own, kept as it was sent.")
    webhook: Webhook | None = Field(default=None, description="Who is told of this job, if somebody is.")
    metrics: Metrics = Metrics()
    urls: Urls

    @property
    def options(self) -> Options:
        """The engine's share of the parameters; the others say which style, and how the result is written.

        Raises:
            InvalidOptions: the job was made by another version, whose options these are not.
        """
        engine, params = OPTIONS_OF[self.method], self.input.params
        return engine.from_mapping({f.name: params[f.name] for f in fields(engine) if f.name in params})

    @property
    def for_lists(self) -> Self:
        """As it is shown to those who do not ask for it by its id: the query of a webhook may hold a secret."""
        if self.webhook is None:
            return self
        url = urlsplit(self.webhook.url)._replace(query="", fragment="").geturl()
        return self.model_copy(update={"webhook": self.webhook.model_copy(update={"url": url})})

    def evolve(self, **changes: Any) -> Self:
        """A copy with some fields changed, validated; the next revision."""
        return self.model_validate({**self.model_dump(), "revision": self.revision + 1, **changes})


class JobPage(_Model):
    """One page of a list of jobs, newest first."""

    items: list[Job] = Field(description="May be fewer than `limit`, or none, though there is a `next_cursor`.")
    next_cursor: str | None = Field(
        default=None, description="Give it as `cursor` to get the next page; null at the end."
    )
