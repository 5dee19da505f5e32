"""What a job tells of its picture, and its PNG of how it was painted."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from jobs.contract import Job, Status
from jobs.memory import MemoryStore
from nst_core.image import to_tensor
from nst_core.record import KEY, Record
from nst_core.similarity import structural_similarity
from worker.runner import Runner

AddJob = Callable[..., Job]


def finished(runner: Runner, store: MemoryStore, job: Job) -> tuple[Job, bytes]:
    assert runner.run(job.id)
    job = store.get(job.id)
    assert job.status is Status.SUCCEEDED, job.error
    return job, store.result(job.id)


def record(png: bytes) -> dict[str, Any]:
    with Image.open(io.BytesIO(png)) as image:
        document: dict[str, Any] = json.loads(image.text[KEY])
    return document


def test_the_similarity_is_that_of_the_result_to_the_content(
    runner: Runner, store: MemoryStore, add_job: AddJob, png: bytes
) -> None:
    job, result = finished(runner, store, add_job(precision="float32", init="noise"))
    assert job.output is not None
    painted, content = (Image.open(io.BytesIO(data)).convert("RGB") for data in (result, png))
    expected = structural_similarity(to_tensor(painted), to_tensor(content, painted.size))
    assert job.output.similarity == pytest.approx(expected)
    assert -1 < expected < 1


def test_each_scale_is_told(runner: Runner, store: MemoryStore, add_job: AddJob) -> None:
    job, _ = finished(runner, store, add_job(size=128, scales=2, iterations=5, precision="float32"))
    assert [(s.width, s.height) for s in job.metrics.stages] == [(64, 43), (128, 85)]
    assert sum(s.iterations for s in job.metrics.stages) == 5
    assert all(s.seconds > 0 for s in job.metrics.stages)


def test_a_png_tells_how_it_was_painted(runner: Runner, store: MemoryStore, add_job: AddJob) -> None:
    job, result = finished(runner, store, add_job(precision="auto", preset="poster"))
    told = record(result)
    assert told["method"] == "gatys"
    precision = told["input"]["params"].pop("precision")
    assert precision in ("float32", "bfloat16")
    assert told["input"]["params"] | {"precision": "auto"} == job.input.params
    assert told["input"]["content_sha256"] == job.input.content_sha256
    assert told["input"]["style_sha256"] == job.input.style_sha256
    assert job.output is not None
    assert told["output"] == {"losses": job.output.losses, "similarity": job.output.similarity}
    assert told["metrics"] == {"device": "cpu"}
    # What was finished once more is the same file.
    assert finished(runner, store, add_job(precision="auto", preset="poster"))[1] == result


def test_the_document_of_a_job_is_a_record_too(runner: Runner, store: MemoryStore, add_job: AddJob) -> None:
    job, result = finished(runner, store, add_job(precision="float32"))
    read = Record.from_file(job.model_dump_json().encode())
    assert read.params == Record.from_file(result).params
    assert read.style_sha256 == Record.from_file(result).style_sha256


def test_a_fast_picture_names_the_weights_of_its_styles(
    runner: Runner, store: MemoryStore, add_fast_job: AddJob
) -> None:
    job, result = finished(runner, store, add_fast_job(precision="float32"))
    told = record(result)
    assert told["method"] == "fast"
    assert told["input"]["params"]["style_id"] == "waves"
    assert told["input"]["weights_sha256"] == [runner.models.gallery["waves"].weights_sha256]
    assert job.output is not None
    assert job.output.similarity == told["output"]["similarity"]
    assert -1 <= told["output"]["similarity"] < 1
    assert job.metrics.stages == []


def test_a_texture_is_painted_without_a_content(
    runner: Runner, store: MemoryStore, add_job: AddJob, png: bytes
) -> None:
    job = add_job(content_weight=0.0, init="noise", precision="float32", content=None)
    job, result = finished(runner, store, job)
    assert job.output is not None
    assert job.output.similarity is None
    with Image.open(io.BytesIO(result)) as picture:
        assert picture.size == (64, 43)  # the style's aspect ratio
    assert record(result)["input"]["content_sha256"] is None
