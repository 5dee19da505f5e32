"""``POST /masks``: the mask that ``auto_mask`` would find, to look at before painting."""

from typing import Any, cast

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from api.body import sent_body
from api.deps import AnswerRoomDep, BackendDep, CallerDep
from api.errors import invalid_fields, problems
from api.forms import FormReader
from api.job_form import AUTO_MASKS
from api.schema import request_body
from api.uploads import find_mask
from nst_core.options import AutoMask
from nst_core.picture import encode

router = APIRouter(tags=["jobs"])

_DEFAULT: AutoMask = "subject"

_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["content"],
    "properties": {
        "content": {
            "type": "string",
            "format": "binary",
            "description": "The image that shall be painted. It is turned upright by its EXIF orientation.",
        },
        "auto_mask": {
            "type": "string",
            "enum": list(AUTO_MASKS),
            "default": _DEFAULT,
            "description": "What shall be white in the mask.",
        },
    },
    "additionalProperties": False,
}

_MASK = {
    "description": "The mask, grey and of the image's size, white where it would be painted.",
    "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
}


@router.post(
    "/masks",
    response_class=Response,
    responses=problems(400, 408, 413, 415, 422, 503) | {200: _MASK},
    openapi_extra={"requestBody": request_body(_FORM)},
    summary="Find a mask",
)
async def create_mask(request: Request, backend: BackendDep, caller: CallerDep, take_answer: AnswerRoomDep) -> Response:
    """The mask that a job with this `auto_mask` would be painted by.  Nothing is kept.

    It may be sent, or a better one, as `mask` of a job.
    """
    async with sent_body(request, backend) as (body, take):
        reader = FormReader(body, files=("content",), texts={"auto_mask": str}, repeatable=())
        reader.require("content")
        kind = reader.text("auto_mask") or _DEFAULT
        if kind not in AUTO_MASKS:
            reader.refuse("auto_mask", f"must be one of {', '.join(AUTO_MASKS)}")
        if reader.errors:
            raise invalid_fields(list(reader.errors.items()))
        sent = [("content", file) for file in reader.files["content"]]
        ((_, content),) = await backend.fetcher.open(sent, take, caller)
        asked = (content.read(), cast(AutoMask, kind), backend.settings)
        mask = await to_thread.run_sync(find_mask, *asked, limiter=backend.decoders)
        png = await to_thread.run_sync(encode, mask, limiter=backend.decoders)
    take_answer(len(png))
    return Response(png, media_type="image/png")
