"""The body of a request that makes something: a form, or a JSON object with the same fields."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NoReturn

from anyio import CapacityLimiter, to_thread
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.requests import Request

from api.backend import Backend
from api.errors import Problem
from api.multipart import MAX_FILES, body_too_large, limited, malformed, multipart_form
from api.room import Take
from api.settings import ApiSettings

Body = FormData | dict[str, Any]

FORM_TYPE = "multipart/form-data"
JSON_TYPE = "application/json"

#: Commas and opening brackets of a JSON body at most: each may be a value, which takes far more memory than its text.
MAX_VALUES = 20_000


@asynccontextmanager
async def sent_body(request: Request, backend: Backend, max_files: int = MAX_FILES) -> AsyncIterator[tuple[Body, Take]]:
    """What a request brings, read within limits, and what counts further bytes; uploaded files are closed afterwards.

    JSON takes several times its memory while it is parsed; as much of it is parsed at a time as images are decoded.

    Raises:
        Problem: 400 the body is broken off, or neither a form nor a JSON object, 408 it takes too long, 413 it or one
            of its files is larger than the settings allow, 415 it is of another type, 503 there is no room for it.
    """
    settings = backend.settings
    media_type, parameters = parse_options_header(request.headers.get("content-type"))
    if media_type not in (FORM_TYPE.encode(), JSON_TYPE.encode()):
        raise Problem(415, "unsupported_media_type", f"Send the fields as {FORM_TYPE} or {JSON_TYPE}.")
    if parameters.get(b"charset", b"utf-8").lower() != b"utf-8":
        raise Problem(415, "unsupported_media_type", "Send the fields in UTF-8.")
    length = request.headers.get("content-length", "")
    declared = int(length[:20]) if length.isdecimal() and length.isascii() else 0
    if declared > settings.max_request_bytes:
        raise body_too_large(settings)
    with backend.body_room.for_one(declared) as take:
        if media_type == JSON_TYPE.encode():
            yield await _json_object(request, settings, take, backend.decoders), take
        else:
            async with multipart_form(request, settings, take, max_files) as form:
                yield form, take


async def _json_object(request: Request, settings: ApiSettings, take: Take, limiter: CapacityLimiter) -> dict[str, Any]:
    body = bytearray()
    async for chunk in limited(request, settings, take):
        body += chunk
    return await to_thread.run_sync(_parse, body, limiter=limiter)


def _parse(body: bytearray) -> dict[str, Any]:
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > MAX_VALUES:
        raise malformed(f"The body has more than the limit of {MAX_VALUES} values.")
    try:
        value = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_refuse_constant)
        if b"\\u" in body:  # may write halves of surrogate pairs, which are no text that can be told again
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise malformed("The body is broken off, or is not JSON.") from None
    if not isinstance(value, dict):
        raise malformed("The body is not a JSON object.")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, item in pairs:
        if key in value:
            raise malformed(f"The key {key[:100]!r} is there twice.")
        value[key] = item
    return value


def _refuse_constant(constant: str) -> NoReturn:
    raise malformed(f"{constant} is not JSON.")
