"""A runner over jobs in memory, small pictures, and encoders that misbehave."""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from PIL import Image

from jobs.contract import Job, JobInput, Urls, new_job_id, now
from jobs.memory import MemoryStore
from jobs.queue import make_celery
from nst_core.encoders import Encoder
from nst_core.options import StyleTrainingOptions
from worker.runner import Runner
from worker.settings import WorkerSettings

AddJob = Callable[..., Job]


@pytest.fixture
def celery(redis_url: str) -> Iterator[Celery]:
    """The way to the queue, in a real Redis."""
    app = make_celery(WorkerSettings(redis_url=redis_url))
    yield app
    app.close()


@pytest.fixture
def settings(styles_dir: Path, redis_url: str) -> WorkerSettings:
    return WorkerSettings(
        device="cpu", allow_download=False, report_seconds=0.001, styles_dir=styles_dir, redis_url=redis_url
    )


@pytest.fixture
def store(settings: WorkerSettings) -> MemoryStore:
    return MemoryStore(settings)


@pytest.fixture
def runner(store: MemoryStore, settings: WorkerSettings) -> Runner:
    return Runner(store, settings)


@pytest.fixture(scope="session")
def png() -> bytes:
    """A picture of 96 x 64 pixels."""
    file = io.BytesIO()
    Image.effect_noise((96, 64), 60).convert("RGB").save(file, "PNG")
    return file.getvalue()


def _count(images: Mapping[str, bytes], kind: str) -> int:
    return sum(name.startswith(f"{kind}.") for name in images)


@pytest.fixture
def add_job(store: MemoryStore, png: bytes) -> AddJob:
    """Puts a job of 3 iterations at 64 pixels into the store, with what is given changed."""

    def add(*, content: bytes | None = png, images: Mapping[str, bytes] | None = None, **params: Any) -> Job:
        params = {"size": 64, "iterations": 3, "output_format": "png", "quality": None, **params}
        job_id = new_job_id()
        images = ({"content": content} if content else {}) | {"style.0": png, **(images or {})}
        digests = {f"{kind}_sha256": ["5" * 64] * _count(images, kind) for kind in ("style", "mask")}
        job_input = JobInput(params=params, content_sha256="c" * 64 if content else None, **digests)
        job = Job(id=job_id, created_at=now(), input=job_input, urls=Urls.of(job_id))
        store.create(job, images)
        return job

    return add


@pytest.fixture
def add_fast_job(store: MemoryStore, png: bytes) -> AddJob:
    """Puts a fast job at 64 pixels into the store, with what is given changed."""

    def add(*, content: bytes = png, images: Mapping[str, bytes] | None = None, **params: Any) -> Job:
        params = {"size": 64, "style_id": "waves", "output_format": "png", "quality": None, **params}
        job_id = new_job_id()
        images = {"content": content, **(images or {})}
        masks = ["5" * 64] * _count(images, "mask")
        job_input = JobInput(params=params, content_sha256="c" * 64, style_sha256=[], mask_sha256=masks)
        job = Job(id=job_id, method="fast", created_at=now(), input=job_input, urls=Urls.of(job_id))
        store.create(job, images)
        return job

    return add


@pytest.fixture
def add_training(store: MemoryStore, png: bytes) -> AddJob:
    """Puts a training of 6 steps on two photographs of its own into the store, with what is given changed."""

    def add(*, photographs: int = 2, owner: str = "", **params: Any) -> Job:
        options = asdict(StyleTrainingOptions(steps=6, crop=64, style_size=(64,)))
        about = {"title": "Noise", "artist": "Chance", "year": "2026", "licence": "none", "keep_color": False}
        params = options | about | {"style_id": "noise", "output_format": "png", "quality": None} | params
        job_id = new_job_id()
        sent = ["6" * 64] * photographs
        job_input = JobInput(params=params, style_sha256=["5" * 64], photograph_sha256=sent)
        job = Job(id=job_id, method="train", created_at=now(), input=job_input, urls=Urls.of(job_id))
        images = {"style.0": png} | {f"photograph.{k}": png for k in range(photographs)}
        store.create(job, images, owner=owner)
        return job

    return add


@pytest.fixture
def use_encoder(runner: Runner) -> Callable[[Encoder], None]:
    """Puts an encoder in the place of the compact one."""

    def use(encoder: Encoder) -> None:
        runner.encoders._encoders["compact", False] = encoder

    return use
