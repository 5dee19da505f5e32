"""What goes wrong, as RFC 9457 problem documents.

A problem has a stable ``code`` for programs beside the ``detail`` for people, and shows neither a trace nor a path.
"""

import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from jobs.errors import (
    ExpiredJob,
    JobNotFinished,
    JobsError,
    OutboundError,
    StoreFull,
    StoreUnavailable,
    StyleNotRemovable,
    TooManyStyles,
    UnknownJob,
    UnreadableJob,
    URLTooLarge,
)
from nst_core.errors import UnknownStyle

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

#: Seconds after which a client may try again what Redis could not serve.
RETRY_AFTER = "5"


class FieldError(BaseModel):
    """What is wrong with one field."""

    pointer: str = Field(description="The field, as a JSON pointer in a fragment.", examples=["#/size"])
    detail: str = Field(description="What is wrong, for people.")


class ProblemDocument(BaseModel):
    """Why a request was not served (RFC 9457)."""

    type: str = Field(default="about:blank", description="Always about:blank; `code` tells problems apart.")
    title: str = Field(description="The phrase of the HTTP status.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened, for people.")
    instance: str = Field(description="The path that was asked for.")
    code: str = Field(description="Stable, for programs.", examples=["invalid_options"])
    errors: list[FieldError] | None = Field(default=None, description="The fields that were refused, if it is that.")


class Problem(Exception):
    """A request cannot be served.

    Args:
        status: of the answer.
        code: stable, for programs.
        detail: for people.
        errors: (field, detail) for each field that was refused.
        headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: list[tuple[str, str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers

    def document(self, path: str) -> dict[str, Any]:
        """What a client that asked for this path is told."""
        document = ProblemDocument(
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            instance=path,
            code=self.code,
            errors=[FieldError(pointer=_pointer(name), detail=text) for name, text in self.errors]
            if self.errors
            else None,
        )
        return document.model_dump(exclude_none=True)

    def response(self, request: Request) -> JSONResponse:
        """The problem as an answer to a request."""
        content = self.document(request.url.path)
        return JSONResponse(content, self.status, headers=self.headers, media_type=MEDIA_TYPE)


def invalid_fields(errors: list[tuple[str, str]], code: str = "invalid_options") -> Problem:
    """422 for fields with values that cannot be taken."""
    detail = "; ".join(f"{name}: {text}" for name, text in errors[:3])
    return Problem(422, code, detail + ("; ..." if len(errors) > 3 else ""), errors=errors)


def url_problem(error: OutboundError, field: str) -> Problem:
    """422 for a URL that cannot be had, 413 for one with too many bytes, with the field in which it was sent."""
    status = 413 if isinstance(error, URLTooLarge) else 422
    return Problem(status, error.code, f"{field}: {error}", errors=[(field, str(error))])


def as_problem(error: JobsError) -> Problem:
    """What the contract of the jobs refused, as clients are told; KeyError for what none can be told."""
    status = _JOBS_STATUSES[type(error)]
    if status == 503:
        logger.warning("%s (%r)", error, error.__cause__)
    return Problem(status, error.code, str(error), headers={"Retry-After": RETRY_AFTER} if status == 503 else None)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of an endpoint that may answer with problems of these statuses, for the OpenAPI document."""
    return {status: {"model": ProblemDocument, "description": HTTPStatus(status).phrase} for status in statuses}


def add_error_handlers(app: FastAPI) -> None:
    """Make everything that goes wrong in an application a problem document.

    The handlers are coroutines, as plain functions would be given a thread each.
    """

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> JSONResponse:
        return error.response(request)

    @app.exception_handler(UnknownJob)
    @app.exception_handler(UnreadableJob)
    @app.exception_handler(ExpiredJob)
    @app.exception_handler(JobNotFinished)
    @app.exception_handler(StoreUnavailable)
    @app.exception_handler(TooManyStyles)
    @app.exception_handler(StyleNotRemovable)
    async def jobs_error(request: Request, error: JobsError) -> JSONResponse:
        return as_problem(error).response(request)

    @app.exception_handler(UnknownStyle)
    async def unknown_style(request: Request, error: UnknownStyle) -> JSONResponse:
        return Problem(404, error.code, str(error)).response(request)

    @app.exception_handler(HTTPException)
    async def http_exception(request: Request, error: HTTPException) -> JSONResponse:
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_allowed(request))
        return Problem(error.status_code, code, str(error.detail), headers=headers).response(request)

    @app.exception_handler(RequestValidationError)
    async def validation_error(request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [(str(item["loc"][-1]), str(item["msg"])) for item in error.errors()]
        return invalid_fields(errors, "invalid_query").response(request)


_JOBS_STATUSES: dict[type[JobsError], int] = {
    UnknownJob: 404,
    ExpiredJob: 410,
    UnreadableJob: 410,
    JobNotFinished: 409,
    StoreUnavailable: 503,
    StoreFull: 503,
    TooManyStyles: 409,
    StyleNotRemovable: 403,
}


def _allowed(request: Request) -> list[str]:
    """The methods of an address, of all its routes: Starlette names those of the first one only."""

    def is_served(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

    methods = [method for method in ("GET", "POST", "PUT", "PATCH", "DELETE") if is_served(method)]
    return [*methods, "HEAD"] if "GET" in methods else methods


def _pointer(name: str) -> str:
    """RFC 6901, in the fragment of a URI; names that clients made up are cut short."""
    return "#/" + quote(name[:100].replace("~", "~0").replace("/", "~1"), safe="~$&'()*+,;=:@!")
