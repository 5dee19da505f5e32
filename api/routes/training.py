"""``POST /styles``: a painting becomes a job that trains a style."""

from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from ulid import ULID

from api.acceptance import accept, accepting_router, let_in
from api.backend import Backend, caller_of
from api.body import sent_body
from api.deps import BackendDep
from api.errors import Problem, invalid_fields
from api.idempotency import Idempotency, IdempotencyDep
from api.schema import style_form_schema
from api.settings import ApiSettings
from api.style_form import MAX_PHOTOGRAPHS, StyleRequest, read_style_request
from api.uploads import CheckedImage, check_image, narrow_images
from api.waiting import WaitDep
from api.webhook_form import check_webhook
from jobs.contract import Job, JobInput, Urls, new_job_id, now
from jobs.errors import ExpiredJob, StoreUnavailable, TooManyStyles, UnknownJob, UnreadableJob
from nst_core.errors import UnknownStyle
from nst_core.options import PHOTOGRAPH_SIDE

#: A job that has claimed an id is in the store after this time, or never will be.
_NOT_STORED_YET = timedelta(minutes=1)


def make_router(settings: ApiSettings) -> APIRouter:
    """The endpoint, described with the bounds that these settings make."""
    return accepting_router(
        "/styles",
        create_style,
        style_form_schema(settings),
        tag="styles",
        summary="Train a style",
        refusals=(400, 403, 408, 409, 410, 413, 415, 422, 503),
    )


async def create_style(
    request: Request,
    response: Response,
    backend: BackendDep,
    wait: WaitDep,
    again: IdempotencyDep,
) -> Job:
    """Queue the training of a style on a painting.

    The job's preview and result are a sample photograph in the new style; when it has succeeded, the style is in the
    gallery.
    """
    await let_in(backend, again)
    job, images = await _read_job(request, backend)
    style_id = job.input.params["style_id"]
    if await run_in_threadpool(again.earlier, job) is None:
        await run_in_threadpool(_claim, style_id, job, backend, again)
    try:
        return await accept(job, images, backend, wait, again, request, response)
    except (Problem, StoreUnavailable):
        with suppress(StoreUnavailable):
            await run_in_threadpool(_release, style_id, job, backend)
        raise


def _release(style_id: str, job: Job, backend: Backend) -> None:
    """Let others train a style of this id, unless the job is there after all."""
    try:
        backend.store.get(job.id)
    except UnknownJob:
        backend.gallery.added.release(style_id, job.id)


async def _read_job(request: Request, backend: Backend) -> tuple[Job, dict[str, bytes]]:
    """What a request makes: the job and its images, by the names that the store gives them."""
    settings, decoders = backend.settings, backend.decoders
    # One more file than photographs and a painting, so that too many are told by their own name.
    async with sent_body(request, backend, max_files=2 + MAX_PHOTOGRAPHS) as (body, take):
        asked = await run_in_threadpool(read_style_request, body, settings)
        await check_webhook(asked.webhook, backend.fetcher, caller_of(request))
        files = await backend.fetcher.open(asked.files, take, caller_of(request))
        painting, *photographs = [await check_image(name, file, settings, decoders) for name, file in files]
    _check_shapes(asked, painting, photographs)
    stored = {"style.0": painting.data} | {f"photograph.{k}": sent.data for k, sent in enumerate(photographs)}
    return _make_job(asked, painting, photographs), stored


def _claim(style_id: str, job: Job, backend: Backend, again: Idempotency) -> None:
    """See that the style can be added, that there is room, and that nobody else is training one of this id."""
    gallery, settings = backend.gallery, backend.settings

    def is_over(job_id: str) -> bool:
        try:
            return backend.store.get(job_id).status.is_final
        except (ExpiredJob, UnreadableJob):
            return True
        except UnknownJob:  # deleted; or claimed a moment ago and not stored yet
            return ULID.parse(job_id).datetime < now() - _NOT_STORED_YET

    try:
        with suppress(UnknownStyle):
            _ = gallery[style_id]
            raise _taken(f"There is a style {style_id!r} already.")
        holder = gallery.added.claim(style_id, job.id, settings.pending_ttl_seconds, is_over, settings.max_styles)
        if holder != job.id:
            raise _taken(f"Another job is training a style {style_id!r}.")
    except (Problem, TooManyStyles, StoreUnavailable):
        with suppress(StoreUnavailable):
            again.release(job)
        raise


def _taken(detail: str) -> Problem:
    return Problem(409, "style_exists", detail, errors=[("id", detail)])


def _check_shapes(asked: StyleRequest, painting: CheckedImage, photographs: list[CheckedImage]) -> None:
    """Images so small or elongated that there is nothing to learn from."""
    images = [("style", painting, size) for size in asked.options.style_size]
    for photograph in photographs:
        longest = max(photograph.width, photograph.height)
        images.append(("photograph", photograph, min(PHOTOGRAPH_SIDE, longest)))
    if errors := narrow_images(images):
        raise invalid_fields(errors)


def _make_job(asked: StyleRequest, painting: CheckedImage, photographs: list[CheckedImage]) -> Job:
    job_id = new_job_id()
    params = {"style_id": asked.id, **asked.about, "keep_color": asked.keep_color, **asdict(asked.options)}
    return Job(
        id=job_id,
        method="train",
        created_at=now(),
        input=JobInput(
            params=params | {"output_format": "png", "quality": None},
            style_sha256=[painting.sha256],
            photograph_sha256=[photograph.sha256 for photograph in photographs],
        ),
        priority=asked.handling.priority,
        ttl_seconds=asked.handling.ttl_seconds,
        metadata=asked.metadata,
        webhook=asked.webhook,
        urls=Urls.of(job_id),
    )
