"""Settings of a worker process."""

from pydantic import Field

from jobs.settings import OptionalFolder, OptionalPath, Settings


class WorkerSettings(Settings):
    """What a worker needs to know besides the shared settings."""

    device: str = Field("auto", description="Where to paint: auto (CUDA, then MPS, then CPU), cpu, cuda, cuda:1, mps.")
    weights_dir: OptionalPath = Field(
        None, description="Folder of VGG weights written by `nst weights`; torchvision's cache is looked into besides."
    )
    allow_download: bool = Field(True, description="Whether VGG weights that are nowhere on this machine are fetched.")
    warm_encoders: str = Field(
        "compact", description="Encoders loaded before the first job, separated by commas; empty: none."
    )
    warm_styles: bool = Field(
        True, description="Whether the gallery's styles are loaded before the first job, as many as there is room for."
    )
    model_cache_mb: int = Field(
        512, ge=1, description="Memory in MB for the networks of fast styles; those used least recently make room."
    )
    preview_side: int = Field(384, ge=64, le=2048, description="Long side of the previews in pixels.")
    report_seconds: float = Field(
        0.5, gt=0, le=1, description="Seconds between two reports of progress, each with a preview."
    )
    checkpoint_seconds: float = Field(
        5.0, gt=0, description="Seconds between two checkpoints of a job, at least, from which another worker goes on."
    )
    max_checkpoint_bytes: int = Field(
        100_000_000, ge=0, description="Largest checkpoint in bytes; Redis keeps one of each running job."
    )
    reaper_seconds: float = Field(
        2.0, gt=0, description="Seconds between two searches for jobs whose worker has died; they are queued again."
    )
    finish_patience_seconds: float = Field(
        120.0, ge=0, description="Seconds for which a finished picture is kept while Redis cannot be reached."
    )
    webhook_attempts: int = Field(8, ge=1, le=50, description="Attempts to deliver one event of a webhook.")
    webhook_retry_seconds: float = Field(
        5.0, gt=0, description="Seconds from the first attempt to the second; each further wait is four times as long."
    )
    webhook_timeout_seconds: float = Field(
        10.0, gt=0, le=300, description="Seconds in which the receiver of a webhook must answer."
    )
    webhook_concurrency: int = Field(
        16, ge=1, le=1000, description="Webhooks sent at the same time by a worker that does nothing else."
    )
    worker_shutdown_seconds: float = Field(
        30.0, ge=0, description="Seconds that a running job gets after SIGTERM to end; then it is given back."
    )
    faults: OptionalFolder = Field(
        None, description="For tests only: a folder in which files name faults that happen to jobs on purpose."
    )
