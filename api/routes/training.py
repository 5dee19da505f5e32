"""``POST /styles``: a painting becomes a job that trains a style."""

from dataclasses import asdict

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.acceptance import ACCEPTED, accept
from api.deps import CeleryDep, DecodersDep, GalleryDep, SettingsDep, StoreDep
from api.errors import Problem, invalid_fields, problems
from api.multipart import multipart_form
from api.schema import style_form_schema
from api.settings import ApiSettings
from api.style_form import MAX_PHOTOGRAPHS, NewStyle, read_new_style
from api.uploads import CheckedImage, check_image
from jobs.contract import Job, JobInput, Status, Urls, new_job_id, now
from jobs.gallery import ServiceGallery
from jobs.protocol import Store
from nst_core.errors import UnknownStyle
from nst_core.options import SHORTEST_SIDE


def make_router(settings: ApiSettings) -> APIRouter:
    """The endpoint, described with the bounds that these settings make."""
    router = APIRouter(tags=["styles"])
    body = {"required": True, "content": {"multipart/form-data": {"schema": style_form_schema(settings)}}}
    router.add_api_route(
        "/styles",
        create_style,
        methods=["POST"],
        status_code=202,
        response_model=Job,
        responses=problems(400, 403, 409, 413, 415, 422, 503) | ACCEPTED,
        openapi_extra={"requestBody": body},
        summary="Train a style",
    )
    return router


async def create_style(
    request: Request,
    response: Response,
    settings: SettingsDep,
    store: StoreDep,
    celery: CeleryDep,
    decoders: DecodersDep,
    gallery: GalleryDep,
) -> Job:
    """Queue the training of a style on a painting.

    The job's preview and result are a sample photograph in the new style; when it has succeeded, the style is in the
    gallery.
    """
    async with multipart_form(request, settings, max_files=1 + MAX_PHOTOGRAPHS) as form:
        new = read_new_style(form, settings)
        await run_in_threadpool(_see_that_the_id_is_free, new.id, gallery, store)
        painting, *photographs = [await check_image(name, file, settings, decoders) for name, file in new.files]
    _check_shapes(painting, photographs)
    stored = {"style.0": painting.data} | {f"photograph.{k}": sent.data for k, sent in enumerate(photographs)}
    return await accept(_make_job(new, painting, photographs), stored, store, celery, request, response)


def _see_that_the_id_is_free(style_id: str, gallery: ServiceGallery, store: Store) -> None:
    """Two trainings of one id that are sent at the same moment both pass; the slower one fails at its end."""
    try:
        _ = gallery[style_id]
    except UnknownStyle:
        pass
    else:
        raise _taken(f"There is a style {style_id!r} already.")
    for status in (Status.QUEUED, Status.PROCESSING):
        cursor: str | None = None
        while True:
            page = store.list_jobs(status=status, method="train", limit=100, cursor=cursor)
            for job in page.items:
                if job.input.params.get("style_id") == style_id:
                    raise _taken(f"The job {job.id} is training a style {style_id!r}.")
            cursor = page.next_cursor
            if cursor is None:
                break


def _taken(detail: str) -> Problem:
    return Problem(409, "style_exists", detail, errors=[("id", detail)])


def _check_shapes(painting: CheckedImage, photographs: list[CheckedImage]) -> None:
    """Images that are too small to learn from."""
    images = [("style", painting), *(("photograph", photograph) for photograph in photographs)]
    errors = [
        (name, f"is {image.width} x {image.height} pixels; the short side must have at least {SHORTEST_SIDE}")
        for name, image in images
        if min(image.width, image.height) < SHORTEST_SIDE
    ]
    if errors:
        raise invalid_fields(errors)


def _make_job(new: NewStyle, painting: CheckedImage, photographs: list[CheckedImage]) -> Job:
    job_id = new_job_id()
    params = {"style_id": new.id, **new.about, "keep_color": new.keep_color, **asdict(new.options)}
    return Job(
        id=job_id,
        method="train",
        created_at=now(),
        input=JobInput(
            params=params | {"output_format": "png", "quality": None},
            style_sha256=[painting.sha256],
            photograph_sha256=[photograph.sha256 for photograph in photographs],
        ),
        metadata=new.metadata,
        urls=Urls.of(job_id),
    )
