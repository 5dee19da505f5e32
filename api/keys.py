"""API keys: who may call, and how much each may ask for.

They come from ``NST_API_KEYS``, as ``name:key`` separated by commas, and from the file ``NST_API_KEYS_FILE``, which may
hold digests instead of keys and limits of its own for each.  No error tells a key.
"""

import hmac
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from api.settings import ApiSettings

#: Characters of a key at least.
SHORTEST_KEY = 16

_KEY = re.compile(r"[!-~]+")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much a caller may ask for; 0: as much as it likes."""

    requests_per_minute: int
    queued_jobs: int
    bytes_per_day: int

    def __bool__(self) -> bool:
        return any((self.requests_per_minute, self.queued_jobs, self.bytes_per_day))


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who sent a request.

    Attributes:
        name: of its key; without keys its address, after an ``@``.
        has_key: which is so for all callers or for none.
    """

    name: str
    has_key: bool
    limits: Limits

    @property
    def sees(self) -> str:
        """Whose jobs it may see and end; empty: everybody's."""
        return self.name if self.has_key else ""

    @property
    def owner(self) -> str:
        """Under whose name its jobs are kept; empty: nobody's, since nobody will ask."""
        return self.name if self.has_key or self.limits.queued_jobs else ""


class InvalidKeys(ValueError):
    """The keys of the settings cannot be used; the message names the setting and the entry, and never a key."""


class _Entry(BaseModel):
    """A key as the file has it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    key: SecretStr | None = None
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-fA-F]{64}$")
    requests_per_minute: int | None = Field(default=None, ge=0)
    queued_jobs: int | None = Field(default=None, ge=0)
    bytes_per_day: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if (self.key is None) == (self.sha256 is None):
            raise ValueError("needs either key or sha256")
        if self.key:
            text = self.key.get_secret_value()
            if len(text) < SHORTEST_KEY or not _KEY.fullmatch(text):
                raise ValueError(f"the key must have at least {SHORTEST_KEY} characters, of ASCII and without spaces")
        return self

    @property
    def digest(self) -> bytes:
        return bytes.fromhex(self.sha256) if self.sha256 else _digest(self.key.get_secret_value() if self.key else "")


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    keys: list[_Entry] = Field(min_length=1)


class KeyRing:
    """The keys that this server knows, as digests; false when there are none, and everybody may call."""

    def __init__(self, callers: dict[bytes, Caller]) -> None:
        self._callers = callers

    def __bool__(self) -> bool:
        return bool(self._callers)

    def __iter__(self) -> Iterator[Caller]:
        return iter(self._callers.values())

    @classmethod
    def read(cls, settings: ApiSettings) -> Self:
        """The keys of the settings.

        Raises:
            InvalidKeys: there is something wrong with them.
        """
        entries = _listed(settings.api_keys) + (_in_file(settings.api_keys_file) if settings.api_keys_file else [])
        default = default_limits(settings)
        callers: dict[bytes, Caller] = {}
        for entry in entries:
            if entry.name in (caller.name for caller in callers.values()) or entry.digest in callers:
                raise InvalidKeys(f"NST_API_KEYS, NST_API_KEYS_FILE: {entry.name!r} or its key is there twice")
            limits = {name: value for name in vars(default) if (value := getattr(entry, name)) is not None}
            callers[entry.digest] = Caller(name=entry.name, has_key=True, limits=Limits(**vars(default) | limits))
        return cls(callers)

    def caller(self, key: str) -> Caller | None:
        """Whose key this is.  The time that it takes tells nothing of the keys: all are compared, as digests."""
        digest, found = _digest(key), None
        for known, caller in self._callers.items():
            if hmac.compare_digest(known, digest):
                found = caller
        return found


def default_limits(settings: ApiSettings) -> Limits:
    """The limits of keys that have none of their own, and of addresses where there are no keys."""
    return Limits(
        requests_per_minute=settings.rate_limit_per_minute,
        queued_jobs=settings.max_queued_per_key,
        bytes_per_day=settings.max_bytes_per_day,
    )


def _digest(key: str) -> bytes:
    return sha256(key.encode()).digest()


def _listed(keys: SecretStr | None) -> list[_Entry]:
    entries = []
    for k, pair in enumerate(keys.get_secret_value().split(",") if keys else (), 1):
        name, colon, key = pair.strip().partition(":")
        if not colon:
            raise InvalidKeys(f"NST_API_KEYS: entry {k} is not name:key")
        try:
            entries.append(_Entry(name=name, key=SecretStr(key)))
        except ValidationError as error:
            raise InvalidKeys(f"NST_API_KEYS: entry {k}: {_reasons(error)}") from None
    return entries


def _in_file(path: Path) -> list[_Entry]:
    try:
        text = path.read_text()
        return _File.model_validate(tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)).keys
    except OSError as error:
        raise InvalidKeys(f"NST_API_KEYS_FILE: {error.strerror}") from None
    except ValidationError as error:
        raise InvalidKeys(f"NST_API_KEYS_FILE: {_reasons(error)}") from None
    except ValueError as error:  # of the parsers, and of bytes that are no text
        what = "TOML" if path.suffix == ".toml" else "JSON"
        raise InvalidKeys(f"NST_API_KEYS_FILE: not {what}: {type(error).__name__}") from None


def _reasons(error: ValidationError) -> str:
    return "; ".join(": ".join([".".join(map(str, e["loc"])), e["msg"]]).lstrip(": ") for e in error.errors())
