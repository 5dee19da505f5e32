"""Settings that the front end and the workers share; each process subclasses them and builds them in its factory."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, DirectoryPath, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _known_scheme(url: str) -> str:
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must begin with redis://, rediss:// or unix://")
    return url


def _none_if_empty(path: object) -> object:
    """An empty variable is one that is not set; as a path it would be the folder in which the process runs."""
    return path or None


OptionalPath = Annotated[Path | None, BeforeValidator(_none_if_empty)]


class Settings(BaseSettings):
    """What every process needs to know; each field is read from the environment as ``NST_`` and its name."""

    model_config = SettingsConfigDict(env_prefix="NST_", frozen=True, extra="ignore")

    redis_url: Annotated[str, AfterValidator(_known_scheme)] = Field(
        default="redis://127.0.0.1:6379/0",
        description="Where Redis is: redis://host:port/db, rediss:// for TLS, or unix:///path/of/socket?db=0.",
    )
    result_ttl_seconds: int = Field(
        default=7 * 86_400, ge=1, description="Seconds that a finished job, its images and its result are kept."
    )
    pending_ttl_seconds: int = Field(
        default=14 * 86_400,
        ge=1,
        description="Seconds that a job is kept which no worker finishes; a start begins them anew.",
    )
    tombstone_ttl_seconds: int = Field(
        default=7 * 86_400, ge=1, description="Seconds after a job's expiry in which it answers 410 rather than 404."
    )
    lease_seconds: float = Field(
        default=30.0,
        ge=0.1,
        description="Seconds after the last sign of life of a worker until another may take its job over.",
    )
    time_limit_seconds: int = Field(
        default=3600,
        ge=1,
        description="Hard limit of one job in seconds; the worker's process is killed when it is reached.",
    )
    time_limit_grace_seconds: int = Field(
        default=30,
        ge=0,
        description="Seconds before the hard limit at which a job is asked to end and fails with timeout.",
    )
    max_attempts: int = Field(
        default=3,
        ge=1,
        description="Starts of one job, counting those whose worker died, before it fails with worker_lost.",
    )
    max_image_pixels: int = Field(
        default=50_000_000, ge=1, description="Most pixels, width times height, of an image that is sent."
    )
    max_image_side: int = Field(default=16_384, ge=1, description="Longest side in pixels of an image that is sent.")
    training_images: OptionalPath = Field(
        default=None,
        description="Folder of photographs, on the workers, on which new styles are trained: COCO or any; without one, "
        "a training needs photographs of its own.",
    )
    styles_dir: Annotated[DirectoryPath | None, BeforeValidator(_none_if_empty)] = Field(
        default=None,
        description="Folder of the gallery of fast styles; by default the one that comes with the program.",
    )

    @property
    def soft_time_limit_seconds(self) -> int:
        """The limit at which a job is asked to end: the hard one less the grace, but at least 1 second."""
        return max(1, self.time_limit_seconds - self.time_limit_grace_seconds)
