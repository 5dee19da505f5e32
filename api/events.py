"""A job's way as server-sent events.

The id of an event says what a client has that has read so far, in three parts: the job's status, its progress, its
preview.  What differs from that is what it is sent.  So ids need no memory and mean the same to every process.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NamedTuple, Self
from zlib import crc32

from fastapi.sse import format_sse_event

from api.watching import Watch
from jobs.contract import Job
from jobs.errors import ExpiredJob, UnknownJob

#: Milliseconds after which a client that lost the connection shall ask again.
RETRY_MS = 2000

_KEEPALIVE = format_sse_event(comment="keep-alive")


class Had(NamedTuple):
    """What a client has of a job; empty where it has nothing."""

    status: str = ""
    progress: str = ""
    preview: str = ""

    @classmethod
    def of(cls, job: Job) -> Self:
        """All that there is of a job."""
        asked = "-canceling" if job.cancel_requested_at and not job.status.is_final else ""
        return cls(
            f"{job.status}-{job.attempt}{asked}",
            f"{crc32(job.progress.model_dump_json().encode()):08x}",
            str(job.progress.preview_id),
        )

    @classmethod
    def from_id(cls, event_id: str | None) -> Self:
        """What a client has whose last event had this id; nothing if it is none of ours."""
        parts = (event_id or "").split(".")
        return cls(*parts) if len(parts) == len(cls._fields) else cls()

    @property
    def id(self) -> str:
        """Of the event with which a client has this."""
        return ".".join(self)


async def event_stream(
    watch: Watch, last_event_id: str | None, keepalive_seconds: float, gone: Callable[[UnknownJob | ExpiredJob], Any]
) -> AsyncIterator[bytes]:
    """The events of a job, without what the client has, until the job has ended or is gone, or the server stops.

    Args:
        keepalive_seconds: after so long without an event there is a comment.
        gone: makes the data of the event that tells of a job that is not there any more.
    """
    had = Had.from_id(last_event_id)
    yield format_sse_event(retry=RETRY_MS)
    while True:
        try:
            async with asyncio.timeout(keepalive_seconds):
                job = await anext(watch, None)
        except TimeoutError:
            yield _KEEPALIVE
            continue
        except (UnknownJob, ExpiredJob) as error:
            yield format_sse_event(event="gone", data_str=json.dumps(gone(error)))
            return
        if job is None:
            return
        for name, data, had_then in _news(job, had):
            had = had_then
            yield format_sse_event(event=name, data_str=data, id=had.id)
        if job.status.is_final:
            return


def _news(job: Job, had: Had) -> Iterator[tuple[str, str, Had]]:
    """The events for a client that has so much: name, data, and what it has then."""
    now = Had.of(job)
    if job.status.is_final:
        yield "done", job.model_dump_json(), now
        return
    if had.status != now.status:
        had = had._replace(status=now.status)
        yield "status", job.model_dump_json(), had
    if had.progress != now.progress:
        had = had._replace(progress=now.progress)
        yield "progress", job.progress.model_dump_json(), had
    if had.preview != now.preview and job.progress.preview_id:
        had = had._replace(preview=now.preview)
        data = {"preview_id": job.progress.preview_id, "url": job.urls.preview}
        yield "preview", json.dumps(data), had
