"""The fields of how a job is handled, in the form of every job: before whom it is taken, and how long it is kept."""

from dataclasses import dataclass
from typing import Any, cast, get_args

from api.forms import FormReader
from jobs.contract import Priority
from jobs.settings import Settings

PRIORITIES: tuple[Priority, ...] = get_args(Priority)

#: The types of its fields.
FIELDS: dict[str, Any] = {"priority": str, "ttl_seconds": int}


@dataclass(frozen=True, kw_only=True)
class Handling:
    """What a client asked for.

    Attributes:
        ttl_seconds: for how long the finished job is kept; None: as the settings say.
    """

    priority: Priority = "normal"
    ttl_seconds: int | None = None


def handling_schema(settings: Settings) -> dict[str, dict[str, Any]]:
    """The fields as JSON schemas, for the OpenAPI document."""
    return {
        "priority": {
            "type": "string",
            "enum": list(PRIORITIES),
            "default": Handling.priority,
            "description": "Jobs of a higher priority are taken first; those of the same one in their order.",
        },
        "ttl_seconds": {
            "type": "integer",
            "minimum": 1,
            "maximum": settings.result_ttl_seconds,
            "description": "Seconds after its end for which the job is kept, with its images and its result. "
            "Default: as long as the server keeps jobs.",
        },
    }


def read_handling(reader: FormReader, settings: Settings) -> Handling:
    """What a form says; what is wrong with its fields is noted in the reader."""
    priority = reader.text("priority") or Handling.priority
    if priority not in PRIORITIES:
        reader.refuse("priority", f"must be one of {', '.join(PRIORITIES)}")
    seconds = reader.whole_number("ttl_seconds")
    most = settings.result_ttl_seconds
    if seconds is not None and not 1 <= seconds <= most:
        reader.refuse("ttl_seconds", f"must be between 1 and {most} on this server (NST_RESULT_TTL_SECONDS)")
    return Handling(priority=cast(Priority, priority), ttl_seconds=seconds)
