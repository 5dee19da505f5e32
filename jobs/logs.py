"""The log of every process: one format, the job and the request in each line that is about one, and no secrets."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from pythonjsonlogger.json import JsonFormatter
from typing_extensions import override

from jobs.settings import Settings

#: The job that the running code is about, and the request that it answers; each line of the log carries them.
#: A new thread has those of nobody: run what it does in a copy of the context.
job_in_hand: ContextVar[str | None] = ContextVar("job_in_hand", default=None)
request_in_hand: ContextVar[str | None] = ContextVar("request_in_hand", default=None)

#: Libraries that would tell the addresses that they ask, with all that stands in them.
_TALKATIVE = ("httpx", "httpcore")

#: Libraries that would tell what is wrong with a file in its own words: whoever sent it is told.
_QUOTING = ("PIL", "tifffile")

#: Loggers of servers that bring handlers of their own.  Not that of uvicorn's access log, which ours replaces.
_SERVERS = ("uvicorn", "uvicorn.error", "uvicorn.asgi")

#: What is left out of every line, traces included: logins and queries of addresses, and keys in headers.
_SECRETS = (
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s\"'\\@?#]*@", re.IGNORECASE), r"\1***@"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s\"'\\?#]*\?)[^\s\"'\\#]+", re.IGNORECASE), r"\1***"),
    (re.compile(r"\b(Bearer\s+|x-api-key['\"\\]*[:=,]\s*['\"\\]*)[^\s\"'\\,]+", re.IGNORECASE), r"\1***"),
)


@contextmanager
def about(job_id: str) -> Iterator[None]:
    """What is logged within is about this job."""
    token = job_in_hand.set(job_id)
    try:
        yield
    finally:
        job_in_hand.reset(token)


def set_up(settings: Settings) -> None:
    """Sends the log of this process to its standard error, in the format and from the level of the settings on.

    It takes the place of what was set up before, also of a server's own handlers.
    """
    handler = logging.StreamHandler()
    handler.addFilter(_add_context)
    handler.setFormatter(_Json() if settings.log_format == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for name in _SERVERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _QUOTING:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _add_context(record: logging.LogRecord) -> bool:
    record.job_id, record.request_id = job_in_hand.get(), request_in_hand.get()
    return True


def _without_secrets(line: str) -> str:
    for pattern, replacement in _SECRETS:
        line = pattern.sub(replacement, line)
    return line


class _Text(logging.Formatter):
    """``[time LEVEL logger] message (job ..., request ...)``."""

    def __init__(self) -> None:
        super().__init__("[%(asctime)s %(levelname)s %(name)s] %(message)s")

    @override
    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        named = {"job": getattr(record, "job_id", None), "request": getattr(record, "request_id", None)}
        # Many messages say themselves which job they are about.
        context = [f"{name} {value}" for name, value in named.items() if value and value not in record.message]
        return f"{line} ({', '.join(context)})" if context else line

    @override
    def format(self, record: logging.LogRecord) -> str:
        return _without_secrets(super().format(record))


class _Json(JsonFormatter):
    """One object a line: ``time``, ``level``, ``logger``, ``message``, ``job_id``, ``request_id`` and what is extra."""

    def __init__(self) -> None:
        super().__init__(
            ["asctime", "levelname", "name", "message"],
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "trace"},
            # Celery's own fields: the task's arguments and the like.
            reserved_attrs=[*logging.makeLogRecord({}).__dict__, "taskName", "data", "color_message"],
            json_ensure_ascii=False,
        )

    @override
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")

    @override
    def format(self, record: logging.LogRecord) -> str:
        return _without_secrets(super().format(record))
