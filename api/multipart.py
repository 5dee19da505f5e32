"""The body of a multipart request, read within limits.

The limits hold while the body is read, so that a client cannot make the server keep more than they allow, whether or
not it tells the length beforehand.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from anyio import CancelScope, current_time
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from api.errors import RETRY_AFTER, Problem
from api.room import Take
from api.settings import ApiSettings

logger = logging.getLogger(__name__)

#: Parts of a body at most, unless a form says otherwise: more than there are fields, for lists that are repeated.
MAX_FILES = 8
MAX_FIELDS = 200

#: Bytes of a field that is not a file.
MAX_FIELD_BYTES = 65_536


@asynccontextmanager
async def multipart_form(
    request: Request, settings: ApiSettings, take: Take, max_files: int = MAX_FILES
) -> AsyncIterator[FormData]:
    """The fields and files of a request; the files are closed afterwards.

    Args:
        take: counts the bytes.

    Raises:
        Problem: 400 the body is broken off or not multipart, 408 it takes too long, 413 it or one of its files is
            larger than the settings allow, 503 there is no room for it.
    """
    parser = _LimitedParser(request, settings, take, max_files)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise malformed(error.message) from None
    except OSError as error:  # files of more than a megabyte are on disk
        logger.warning("A form cannot be kept in a temporary file: %s", error.strerror)
        detail = "The server's folder of temporary files takes no more. Try again later."
        raise Problem(503, "disk_full", detail, headers={"Retry-After": RETRY_AFTER}) from None
    try:
        if not parser.complete:
            parser.close()
            raise malformed("The body is broken off.")
        yield form
    finally:
        await form.close()


class _LimitedParser(MultiPartParser):
    """Starlette's parser, with a limit for each file and a mark for the end of the last part."""

    def __init__(self, request: Request, settings: ApiSettings, take: Take, max_files: int) -> None:
        super().__init__(
            request.headers,
            limited(request, settings, take),
            max_files=max_files,
            max_fields=MAX_FIELDS,
            max_part_size=MAX_FIELD_BYTES,
        )
        self.complete = False
        self._settings = settings
        self._part_bytes = 0

    def close(self) -> None:
        """Close all files, also one whose end did not come."""
        for file in self._files_to_close_on_error:
            file.close()

    def on_part_begin(self) -> None:
        super().on_part_begin()
        self._part_bytes = 0

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._part_bytes += end - start
        limit = self._settings.max_upload_bytes
        if self._current_part.file is not None and self._part_bytes > limit:
            name = self._current_part.field_name[:100]
            detail = f"The file is larger than the limit of {limit} bytes (NST_MAX_UPLOAD_BYTES)."
            raise Problem(413, "upload_too_large", detail, errors=[(name, detail)])
        super().on_part_data(data, start, end)

    def on_end(self) -> None:
        super().on_end()
        self.complete = True


async def limited(request: Request, settings: ApiSettings, take: Take) -> AsyncGenerator[bytes, None]:
    """The bytes of a body.

    Args:
        take: counts them.

    Raises:
        Problem: 400 the client went away, 408 they take longer, or 413 there are more than the settings allow, 503
            there is no room for them.
    """
    chunks, received, deadline = request.stream(), 0, current_time() + settings.body_timeout_seconds
    while True:
        with CancelScope(deadline=deadline) as patience:
            try:
                chunk = await anext(chunks, None)
            except ClientDisconnect:
                raise malformed("The client went away.") from None
        if patience.cancelled_caught:
            raise _too_slow(settings)
        if chunk is None:
            return
        received += len(chunk)
        if received > settings.max_request_bytes:
            raise body_too_large(settings)
        take(len(chunk))
        yield chunk


def body_too_large(settings: ApiSettings) -> Problem:
    """413 for a body over the limit."""
    limit = settings.max_request_bytes
    return Problem(
        413, "body_too_large", f"The request's body is larger than the limit of {limit} bytes (NST_MAX_REQUEST_BYTES)."
    )


def _too_slow(settings: ApiSettings) -> Problem:
    limit = f"{settings.body_timeout_seconds:g} seconds (NST_BODY_TIMEOUT_SECONDS)"
    detail = f"The request's body took longer than the limit of {limit}."
    return Problem(408, "body_too_slow", detail)


def malformed(detail: str) -> Problem:
    """400 for a body that cannot be read."""
    return Problem(400, "malformed_body", detail)
