"""Settings of the front end."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from api.cors import Origins
from api.hosts import HostNames
from jobs.settings import OptionalPath, Settings
from nst_core.options import LARGEST_SIDE, SMALLEST_SIDE


def _sub_path(path: str) -> str:
    if path and (not path.startswith("/") or path.endswith("/")):
        raise ValueError("must begin with a slash and not end with one")
    return path


class ApiSettings(Settings):
    """What the front end needs to know; each field is read from the environment as ``NST_`` and its name."""

    root_path: Annotated[str, AfterValidator(_sub_path)] = Field(
        default="", description="Path under which a proxy serves the API, such as /nst; empty for the root."
    )
    api_keys: SecretStr | None = Field(
        default=None,
        description="Keys of those who may use the API, `name:key` separated by commas; none: everybody may.",
    )
    api_keys_file: OptionalPath = Field(
        default=None, description="File of further keys, JSON or TOML, which may have limits of their own."
    )
    rate_limit_per_minute: int = Field(
        default=0, ge=0, description="Requests of one key in a minute, or of one address without keys; 0: any number."
    )
    max_queued_per_key: int = Field(
        default=0,
        ge=0,
        description="Jobs of one key that wait and run, or of one address without keys; 0: any number.",
    )
    max_bytes_per_day: int = Field(
        default=0, ge=0, description="Bytes that one key may send in a day, or one address without keys; 0: any number."
    )
    cors_origins: Origins = Field(
        default=[],
        description="Origins whose pages may use the API from a browser, separated by commas, or * for all.",
    )
    allowed_hosts: HostNames = Field(
        default=[],
        description="Names by which the API may be asked for without keys besides addresses and names of private "
        "networks, separated by commas, or * for any.",
    )
    default_size: int = Field(
        default=512,
        ge=SMALLEST_SIDE,
        le=LARGEST_SIDE,
        description="Long side of a result in pixels when a job names none and its content is larger.",
    )
    max_size: int = Field(
        default=4096,
        ge=SMALLEST_SIDE,
        le=LARGEST_SIDE,
        description="Longest side in pixels to which a job may ask an image to be scaled.",
    )
    default_encoder: Literal["compact", "vgg16", "vgg19"] = Field(
        default="compact", description="Encoder of jobs that name none."
    )
    default_training_steps: int = Field(
        default=2000, ge=1, le=10_000_000, description="Steps of the training of a new style when none are named."
    )
    max_training_minutes: float = Field(
        default=30.0, ge=0.01, le=100_000, description="Longest training of a new style in minutes."
    )
    max_training_pixels: int = Field(
        default=1_048_576, ge=4096, description="Most pixels of one step of a training: batch times crop times crop."
    )
    max_job_styles: int = Field(
        default=8, ge=1, le=100, description="Most styles of one job, and most masks: an image each."
    )
    max_snapshots: int = Field(
        default=100, ge=1, description="Most snapshots of one job; Redis keeps each until the job expires."
    )
    max_upload_bytes: int = Field(default=25_000_000, ge=1, description="Largest image file in bytes.")
    max_request_bytes: int = Field(default=64_000_000, ge=1, description="Largest body of a request in bytes.")
    max_bodies_bytes: int = Field(
        default=512_000_000,
        ge=1,
        description="Bytes of all bodies, and of the files that were fetched for them, in hand at the same time; "
        "further ones are refused. At least `NST_MAX_REQUEST_BYTES` in any case.",
    )
    body_timeout_seconds: float = Field(
        default=60.0, ge=0.1, le=86_400, description="Longest that the body of a request may take to arrive."
    )
    max_answers_bytes: int = Field(
        default=256_000_000,
        ge=1,
        description="Bytes of all files on their way to clients, in memory at the same time; further ones are refused, "
        "but for one that is alone.",
    )
    answer_timeout_seconds: float = Field(
        default=120.0,
        ge=0.1,
        le=86_400,
        description="Longest that a client may read nothing of an answer that is being sent; then it gets no more.",
    )
    max_queued_jobs: int = Field(
        default=1000, ge=0, description="Jobs that wait at the same time; further ones are refused. 0: any number."
    )
    max_redis_percent: int = Field(
        default=90,
        ge=1,
        le=100,
        description="Part of Redis's `maxmemory` in percent; when so much is taken, new jobs are refused.",
    )
    idempotency_seconds: int = Field(
        default=86_400, ge=1, description="Seconds for which the `Idempotency-Key` of a request is known."
    )
    max_wait_seconds: int = Field(
        default=60,
        ge=0,
        le=3600,
        description="Longest that a request may prefer to wait for the end of a job (`Prefer`).",
    )
    max_waiting: int = Field(
        default=100,
        ge=1,
        description="Requests that wait for the end of a job at the same time; further ones are answered at once.",
    )
    url_fetches: int = Field(
        default=8, ge=1, description="URLs of files that are fetched at the same time; further ones wait."
    )
    max_event_streams: int = Field(
        default=500, ge=1, description="Streams of events that are open at the same time; further ones are refused."
    )
    events_keepalive_seconds: float = Field(
        default=15.0, ge=0.1, le=3600, description="Seconds after which a stream without events sends a comment."
    )
    decoders: int = Field(
        default=2,
        ge=1,
        description="Images decoded, bodies in JSON parsed, masks found, and sheets and animations made, at the same "
        "time; each takes memory.",
    )
