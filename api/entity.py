"""Files as answers, which a client that has them already is not sent again (RFC 9110, section 13)."""

import hashlib

from fastapi import Request, Response


def matches(request: Request, etag: str) -> bool:
    """Whether ``If-None-Match`` names this entity, by the weak comparison that RFC 9110 asks for."""
    candidates = [candidate.strip() for candidate in request.headers.get("if-none-match", "").split(",")]
    return "*" in candidates or etag in (candidate.removeprefix("W/") for candidate in candidates)


def jpeg_response(request: Request, data: bytes) -> Response:
    """A JPEG that may be another one at the next request; its ``ETag`` is its SHA-256."""
    headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "Cache-Control": "private, no-cache"}
    if matches(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="image/jpeg", headers=headers)


#: The ``responses`` of an endpoint that answers with :func:`jpeg_response`, for the OpenAPI document.
JPEG_RESPONSES: dict[int | str, dict[str, object]] = {
    200: {"description": "A JPEG.", "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "The picture is the one that `If-None-Match` names."},
}
