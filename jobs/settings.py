"""Settings that the front end and the workers share; each process subclasses them and builds them in its factory."""

from base64 import b64decode
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, DirectoryPath, Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _known_scheme(url: str) -> str:
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must begin with redis://, rediss:// or unix://")
    return url


def _none_if_empty(value: object) -> object:
    """An empty variable is one that is not set; as a path it would be the folder in which the process runs."""
    return value or None


def _without_commas(text: object) -> object:
    """The parts of a list that is written in one variable."""
    return [part.strip().lower() for part in text.split(",") if part.strip()] if isinstance(text, str) else text


#: What the Standard Webhooks specification asks of a key, in bytes.
_SECRET_BYTES = range(24, 65)


def _signing_keys(secret: SecretStr) -> SecretStr:
    for whole in signing_keys(secret):
        prefix, _, key = whole.partition("_")
        try:
            long_enough = len(b64decode(key, validate=True)) in _SECRET_BYTES
        except ValueError:
            long_enough = False
        if prefix != "whsec" or not long_enough:
            raise ValueError("must be whsec_ and 24 to 64 bytes in base64, or several of these separated by commas")
    return secret


def signing_keys(secret: SecretStr) -> list[str]:
    """The keys with which webhooks are signed, each by itself."""
    return [key.strip() for key in secret.get_secret_value().split(",")]


SigningKeys = Annotated[SecretStr, AfterValidator(_signing_keys)]
OptionalSigningKeys = Annotated[SigningKeys | None, BeforeValidator(_none_if_empty)]
OptionalPath = Annotated[Path | None, BeforeValidator(_none_if_empty)]
OptionalFolder = Annotated[DirectoryPath | None, BeforeValidator(_none_if_empty)]


Port = Annotated[int, Field(ge=1, le=65_535)]

#: Perhaps with a port; an IPv6 address stands in brackets.
HostName = Annotated[str, StringConstraints(pattern=r"^(\[[0-9a-f:.]+\]|[^\s:/@\[\]]+)(:[0-9]{1,5})?$")]


class Settings(BaseSettings):
    """What every process needs to know; each field is read from the environment as ``NST_`` and its name."""

    # What cannot be read may be a secret that was mistyped.
    model_config = SettingsConfigDict(env_prefix="NST_", frozen=True, extra="ignore", hide_input_in_errors=True)

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
        default=8.0,
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
    webhook_secret: OptionalSigningKeys = Field(
        default=None,
        description="The key with which webhooks are signed, whsec_ and 24 to 64 bytes in base64; or several, "
        "separated by commas, with each of which they are; without one, jobs with a webhook are refused.",
    )
    webhook_progress_seconds: float = Field(
        default=5.0, ge=0.1, description="Seconds between two webhooks that tell of the progress of one job, at least."
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
    max_styles: int = Field(
        default=500,
        ge=0,
        description="Most styles that users may add, with those in training; 0 lets nobody add one.",
    )
    styles_dir: OptionalFolder = Field(
        default=None,
        description="Folder of the gallery of fast styles; by default the one that comes with the program.",
    )
    url_ports: Annotated[tuple[Port, ...], NoDecode, BeforeValidator(_without_commas)] = Field(
        default=(80, 443), description="Ports of URLs that may be fetched or called, separated by commas."
    )
    url_allowed_hosts: Annotated[frozenset[HostName], NoDecode, BeforeValidator(_without_commas)] = Field(
        default=frozenset(),
        description="Hosts that may be fetched from and called although their addresses are not public, separated by "
        "commas: files.lan, or files.lan:8080 for a port that is not allowed otherwise.",
    )
    url_timeout_seconds: float = Field(
        default=20.0, gt=0, le=600, description="Longest that a URL may take, with its redirects."
    )
    url_max_redirects: int = Field(default=3, ge=0, le=20, description="Most redirects of a URL that is fetched.")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="What is logged: DEBUG, INFO, WARNING or ERROR, and what is graver."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Lines of the log for people (text), or one JSON object each (json)."
    )

    @property
    def soft_time_limit_seconds(self) -> int:
        """The limit at which a job is asked to end: the hard one less the grace, but at least 1 second."""
        return max(1, self.time_limit_seconds - self.time_limit_grace_seconds)
