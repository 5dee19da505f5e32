"""Files as answers, which a client that has them already is not sent again (RFC 9110, section 13)."""

import hashlib

from fastapi import Request, Response

from jobs.contract import Job, now


def matches(request: Request, etag: str) -> bool:
    """Whether ``If-None-Match`` names this entity, by the weak comparison that RFC 9110 asks for."""
    candidates = [candidate.strip() for candidate in request.headers.get("if-none-match", "").split(",")]
    return "*" in candidates or etag in (candidate.removeprefix("W/") for candidate in candidates)


def lasting_headers(job: Job, etag: str) -> dict[str, str]:
    """Headers of a file that never changes, and that may be kept for as long as its job is there."""
    remaining = int((job.expires_at - now()).total_seconds()) if job.expires_at else 0
    return {"ETag": f'"{etag}"', "Cache-Control": f"private, immutable, max-age={max(0, remaining)}"}


def named(name: str, media_type: str) -> dict[str, str]:
    """The header by which a file has a name where it is kept."""
    return {"Content-Disposition": f'inline; filename="{name}.{media_type.rpartition("/")[2]}"'}


def image_response(request: Request, data: bytes, media_type: str) -> Response:
    """An image that may be another one at the next request; its ``ETag`` is its SHA-256."""
    headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "Cache-Control": "private, no-cache"}
    if matches(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type, headers=headers)


def jpeg_response(request: Request, data: bytes) -> Response:
    """A JPEG, as :func:`image_response`."""
    return image_response(request, data, "image/jpeg")


def image_responses(*media_types: str) -> dict[int | str, dict[str, object]]:
    """The ``responses`` of an endpoint that answers with :func:`image_response`, for the OpenAPI document."""
    file = {"schema": {"type": "string", "format": "binary"}}
    return {
        200: {"description": "The picture.", "content": dict.fromkeys(media_types, file)},
        304: {"description": "The picture is the one that `If-None-Match` names."},
    }


#: The ``responses`` of an endpoint that answers with :func:`jpeg_response`.
JPEG_RESPONSES = image_responses("image/jpeg")
