"""``POST /jobs``: a request becomes a job in the queue."""

from dataclasses import asdict
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.acceptance import accept, accepting_router, let_in
from api.backend import Backend, caller_of
from api.body import sent_body
from api.deps import BackendDep
from api.errors import invalid_fields
from api.idempotency import IdempotencyDep
from api.job_form import MANY_FILES, Submission, read_submission, resolve_size
from api.schema import job_form_schema
from api.settings import ApiSettings
from api.uploads import CheckedImage, check_image, find_mask, narrow_images
from api.waiting import WaitDep
from api.webhook_form import check_webhook
from jobs.contract import Job, JobInput, Urls, new_job_id, now
from nst_core.options import FastOptions, GatysOptions

#: The longest side that a WebP file can have.
_WEBP_LARGEST_SIDE = 16_383


#: By the field in which they were sent.
Images = dict[str, list[CheckedImage]]


def make_router(settings: ApiSettings) -> APIRouter:
    """The endpoint, described with the bounds that these settings make."""
    return accepting_router(
        "/jobs",
        create_job,
        job_form_schema(settings),
        tag="jobs",
        summary="Paint an image in the style of another",
        refusals=(400, 408, 409, 410, 413, 415, 422, 503),
    )


async def create_job(
    request: Request,
    response: Response,
    backend: BackendDep,
    wait: WaitDep,
    again: IdempotencyDep,
) -> Job:
    """Queue a job.  What cannot be painted is refused here; the answer says where to ask for the result.

    With `Prefer: wait=N` the answer is the finished job (200), if it ends within N seconds.
    """
    await let_in(backend, again)
    job, images = await _read_job(request, backend)
    return await accept(job, images, backend, wait, again, request, response)


async def _read_job(request: Request, backend: Backend) -> tuple[Job, dict[str, bytes]]:
    """What a request makes: the job and its images, by the names that the store gives them."""
    settings, decoders = backend.settings, backend.decoders
    # One more file than there may be, so that too many are told by their own name.
    async with sent_body(request, backend, max_files=3 + 2 * settings.max_job_styles) as (body, take):
        submission = await run_in_threadpool(read_submission, body, settings, backend.gallery)
        await check_webhook(submission.webhook, backend.fetcher, caller_of(request))
        sent = [(name, file) for name, files in submission.files.items() for file in files]
        images: Images = {}
        for name, file in await backend.fetcher.open(sent, take, caller_of(request)):
            images.setdefault(name, []).append(await check_image(name, file, settings, decoders))
    if submission.auto_mask:
        # A worker finds the same one, or would fail where none is found.
        content = images["content"][0].data
        await to_thread.run_sync(find_mask, content, submission.auto_mask, settings, limiter=decoders)
    job = _make_job(submission, images, settings)
    stored = {_stored_as(name, k): image.data for name, checked in images.items() for k, image in enumerate(checked)}
    return job, stored


def _stored_as(name: str, k: int) -> str:
    """How the store calls the kth image of a field."""
    return f"{name}.{k}" if name in MANY_FILES else name.removesuffix("_image")


def _make_job(submission: Submission, images: Images, settings: ApiSettings) -> Job:
    frame = (images.get("content") or images["style"])[0]
    options = resolve_size(submission, frame.width, frame.height, settings)
    errors = _shape_errors(options, images)
    if submission.file.output_format == "webp" and options.size > _WEBP_LARGEST_SIDE:
        errors.append(("output_format", f"a WebP image has sides of at most {_WEBP_LARGEST_SIDE} pixels"))
    errors += [
        ("mask", f"mask {k} is black everywhere: nothing would be painted in its style")
        for k, mask in enumerate(images.get("mask", []), 1)
        if mask.black
    ]
    if errors:
        raise invalid_fields(errors)
    params: dict[str, Any] = asdict(options)
    if submission.style_ids:
        params["style_id"] = ",".join(submission.style_ids)
    if submission.method == "gatys":
        params["preset"] = submission.preset
    params |= {"auto_mask": submission.auto_mask, **asdict(submission.file)}
    digests = {name: [image.sha256 for image in checked] for name, checked in images.items()}
    job_id = new_job_id()
    return Job(
        id=job_id,
        method=submission.method,
        created_at=now(),
        input=JobInput(
            params=params,
            content_sha256=next(iter(digests.get("content", [])), None),
            style_sha256=digests.get("style", []),
            mask_sha256=digests.get("mask", []),
            init_sha256=next(iter(digests.get("init_image", [])), None),
        ),
        priority=submission.handling.priority,
        ttl_seconds=submission.handling.ttl_seconds,
        metadata=submission.metadata,
        webhook=submission.webhook,
        urls=Urls.of(job_id),
    )


def _shape_errors(options: GatysOptions | FastOptions, images: Images) -> list[tuple[str, str]]:
    """Images so elongated that nothing is left of their short side."""
    frame = "content" if "content" in images else "style"
    scaled = [(frame, images[frame][0], options.size)]
    if isinstance(options, GatysOptions):
        scaled += [("style", style, options.style_size or options.size) for style in images.get("style", [])]
    return list(dict.fromkeys(narrow_images(scaled)))
