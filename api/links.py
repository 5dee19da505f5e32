"""Files that a request names by URLs, brought here before anything is made of them."""

import base64
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from api.errors import Problem, invalid_fields, url_problem
from api.keys import Caller
from api.places import Turns
from api.room import Take
from api.settings import ApiSettings
from jobs.errors import OutboundError, URLTooLarge
from jobs.outbound import Resolve, check_url, fetch

_SCHEME = re.compile(r"(data|https?):", re.IGNORECASE)
_DATA = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)


@dataclass(frozen=True)
class Link:
    """A file somewhere else, or written in the URL itself.

    Attributes:
        field: in which it was sent.
        url: http, https, or ``data:`` with base64.
    """

    field: str
    url: str

    @property
    def is_known(self) -> bool:
        """Whether the URL is of a kind that files have."""
        return _SCHEME.match(self.url) is not None

    @property
    def is_remote(self) -> bool:
        """Whether the file has to be fetched."""
        return self.url[:5].lower() != "data:"


#: A file as a client sent it.
File = UploadFile | Link


class Fetcher:
    """Opens the files of requests, and fetches those that are elsewhere.

    Args:
        resolve: how host names become addresses.
    """

    def __init__(self, settings: ApiSettings, resolve: Resolve) -> None:
        self._settings = settings
        self._resolve = resolve
        self._fetches = Turns(settings.url_fetches)
        # Apart from them: to look at a URL takes a moment, to fetch a file as long as its server likes.
        self._checks = Turns(settings.url_fetches)

    async def open(self, sent: Iterable[tuple[str, File]], take: Take, caller: Caller) -> list[tuple[str, BinaryIO]]:
        """The files of one request, by the field to which each belongs, in their order.

        They are fetched one after the other, so that no more is kept than a request may bring.

        Args:
            take: counts the bytes that are fetched, as those of the body are.
            caller: whose turns the fetches take.

        Raises:
            Problem: 413 one of them, or all together, have too many bytes; 422 one cannot be had; 503 there is no room.
        """
        opened: list[tuple[str, BinaryIO]] = []
        room = self._settings.max_request_bytes
        for name, file in sent:
            if isinstance(file, UploadFile):
                opened.append((name, file.file))
                continue
            if file.is_remote:
                data = await self._fetches.call(caller, partial(self._fetched, file, room))
                take(len(data))
            else:
                data = await run_in_threadpool(self._unpacked, file)
            room -= len(data)
            opened.append((name, io.BytesIO(data)))
        return opened

    async def check(self, field: str, url: str, caller: Caller) -> None:
        """See that a URL that is not a file's may be called.

        Raises:
            Problem: 422, it may not, or its host has no address.
        """
        try:
            await self._checks.call(caller, partial(check_url, url, self._settings, self._resolve))
        except OutboundError as error:
            raise url_problem(error, field) from None

    def _fetched(self, link: Link, room: int) -> bytes:
        settings = self._settings
        most = min(settings.max_upload_bytes, room)
        try:
            return fetch(link.url, settings, max_bytes=most, resolve=self._resolve)
        except URLTooLarge as error:
            detail = f"{error} (NST_MAX_UPLOAD_BYTES)"
            if room < settings.max_upload_bytes:
                limit = f"{settings.max_request_bytes} bytes (NST_MAX_REQUEST_BYTES)"
                detail = f"With this file the request has more than the limit of {limit}."
            raise url_problem(type(error)(detail), link.field) from None
        except OutboundError as error:
            raise url_problem(error, link.field) from None

    def _unpacked(self, link: Link) -> bytes:
        head = _DATA.match(link.url)
        if head is None:
            raise invalid_fields([(link.field, "a data: URL must have the form data:image/png;base64,...")])
        try:
            data = base64.b64decode(link.url[head.end() :], validate=True)
        except ValueError:
            raise invalid_fields([(link.field, "the base64 of the data: URL is damaged")]) from None
        limit = self._settings.max_upload_bytes
        if len(data) > limit:
            detail = f"The file is larger than the limit of {limit} bytes (NST_MAX_UPLOAD_BYTES)."
            raise Problem(413, "upload_too_large", detail, errors=[(link.field, detail)])
        return data
