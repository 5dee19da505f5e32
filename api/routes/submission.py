"""``POST /jobs``: a form becomes a job in the queue."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.acceptance import accept, accepting_router
from api.deps import CeleryDep, DecodersDep, GalleryDep, SettingsDep, StoreDep
from api.errors import invalid_fields
from api.job_form import Submission, read_submission, resolve_size
from api.multipart import multipart_form
from api.schema import job_form_schema
from api.settings import ApiSettings
from api.uploads import CheckedImage, check_image, narrow_images
from api.waiting import WaitDep
from jobs.contract import Job, JobInput, Urls, new_job_id, now
from nst_core.options import FastOptions, GatysOptions

#: The longest side that a WebP file can have.
_WEBP_LARGEST_SIDE = 16_383

#: How the store calls the images.
_STORED_AS = {"content": "content", "style": "style.0", "init_image": "init"}


def make_router(settings: ApiSettings) -> APIRouter:
    """The endpoint, described with the bounds that these settings make."""
    return accepting_router(
        "/jobs",
        create_job,
        job_form_schema(settings),
        tag="jobs",
        summary="Paint an image in the style of another",
        refusals=(400, 413, 415, 422, 503),
    )


async def create_job(
    request: Request,
    response: Response,
    settings: SettingsDep,
    store: StoreDep,
    celery: CeleryDep,
    decoders: DecodersDep,
    gallery: GalleryDep,
    wait: WaitDep,
) -> Job:
    """Queue a job.  What cannot be painted is refused here; the answer says where to ask for the result.

    With `Prefer: wait=N` the answer is the finished job (200), if it ends within N seconds.
    """
    async with multipart_form(request, settings) as form:
        submission = await run_in_threadpool(read_submission, form, settings, gallery)
        images = {
            name: await check_image(name, upload, settings, decoders) for name, upload in submission.files.items()
        }
    job = _make_job(submission, images, settings)
    stored = {_STORED_AS[name]: image.data for name, image in images.items()}
    return await accept(job, stored, store, celery, wait, request, response)


def _make_job(submission: Submission, images: dict[str, CheckedImage], settings: ApiSettings) -> Job:
    content = images["content"]
    options = resolve_size(submission, content.width, content.height, settings)
    errors = _shape_errors(options, images)
    if submission.output_format == "webp" and options.size > _WEBP_LARGEST_SIDE:
        errors.append(("output_format", f"a WebP image has sides of at most {_WEBP_LARGEST_SIDE} pixels"))
    if errors:
        raise invalid_fields(errors)
    params: dict[str, Any] = asdict(options)
    if submission.style_id is not None:
        params["style_id"] = submission.style_id
    params |= {"output_format": submission.output_format, "quality": submission.quality}
    job_id = new_job_id()
    return Job(
        id=job_id,
        method=submission.method,
        created_at=now(),
        input=JobInput(
            params=params,
            content_sha256=content.sha256,
            style_sha256=[images["style"].sha256] if "style" in images else [],
            init_sha256=images["init_image"].sha256 if "init_image" in images else None,
        ),
        metadata=submission.metadata,
        urls=Urls.of(job_id),
    )


def _shape_errors(options: GatysOptions | FastOptions, images: dict[str, CheckedImage]) -> list[tuple[str, str]]:
    """Images so elongated that nothing is left of their short side."""
    long_sides = {"content": options.size}
    if isinstance(options, GatysOptions):
        long_sides["style"] = options.style_size or options.size
    return narrow_images((name, images[name], long_side) for name, long_side in long_sides.items())
