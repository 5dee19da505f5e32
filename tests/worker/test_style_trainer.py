"""Jobs that train a style."""

import io
import shutil
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import redis
from PIL import Image

from jobs.contract import Job, Status
from jobs.errors import StoreUnavailable
from jobs.protocol import Store
from jobs.store import RedisStore
from jobs.styles import StyleStore
from nst_core.errors import UnknownStyle
from nst_core.style_training import StyleTraining
from worker.runner import Runner
from worker.settings import WorkerSettings

AddJob = Callable[..., Job]


@pytest.fixture
def store(settings: WorkerSettings) -> Iterator[Store]:
    """Where the styles are too: a worker that adds one must have its job there."""
    store = RedisStore.connect(settings.redis_url, settings)
    yield store
    store.close()


@pytest.fixture
def styles(runner: Runner) -> StyleStore:
    return runner.styles


def test_a_style_is_trained_kept_and_painted(
    runner: Runner, store: Store, styles: StyleStore, add_training: AddJob, add_fast_job: AddJob, styles_dir: Path
) -> None:
    job_id = add_training(owner="ada").id
    assert runner.run(job_id)
    job = store.get(job_id)
    assert job.status is Status.SUCCEEDED, job.error
    assert styles.owners(["noise"]) == {"noise": "ada"}
    assert (job.progress.step, job.progress.total_steps, job.metrics.encoder) == (6, 6, "compact")
    assert job.progress.preview_id >= 2  # the first report's and the result's
    assert job.output is not None
    assert job.output.losses.keys() >= {"total", "content", "style"}
    with Image.open(styles_dir / "sample.jpeg") as sample:
        assert Image.open(io.BytesIO(store.result(job_id))).size == sample.size
    style = styles.get("noise")
    assert (style.title, style.artist, style.year, style.licence) == ("Noise", "Chance", "2026", "none")
    assert (style.training["step"], style.training["photographs"], style.keeps_color) == (6, 2, False)
    assert style.weights_sha256 == sha256(styles.weights("noise")).hexdigest()
    assert Image.open(io.BytesIO(styles.thumbnail("noise"))).format == "JPEG"
    fast = add_fast_job(style_id="noise").id
    assert runner.run(fast)
    assert store.get(fast).status is Status.SUCCEEDED


def test_a_new_worker_goes_on_from_the_checkpoint(
    runner: Runner,
    store: Store,
    styles: StyleStore,
    settings: WorkerSettings,
    add_training: AddJob,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    undisturbed = add_training().id
    runner.run(undisturbed)
    expected = styles.weights("noise")
    styles.delete("noise")

    job_id = add_training().id
    seen: list[int] = []
    real = StyleTraining.run

    def run(self: StyleTraining) -> Any:
        for step in real(self):
            seen.append(step.step)
            if len(seen) == 4:
                raise SystemExit  # as a worker ends when it is told to
            yield step

    monkeypatch.setattr(StyleTraining, "run", run)
    often = Runner(store, settings.model_copy(update={"checkpoint_seconds": 1e-9}))
    with pytest.raises(SystemExit):
        often.run(job_id)
    assert store.get(job_id).status is Status.QUEUED
    assert store.checkpoint(job_id) is not None
    assert often.run(job_id)
    assert seen == [1, 2, 3, 4, 4, 5, 6]
    assert store.get(job_id).status is Status.SUCCEEDED
    assert store.checkpoint(job_id) is None
    assert styles.weights("noise") == expected


def test_a_checkpoint_of_another_training_is_left(runner: Runner, store: Store, add_training: AddJob) -> None:
    job_id = add_training().id
    store.start(job_id, "before")
    store.save_checkpoint(job_id, "before", b"of no use")
    store.requeue(job_id, "before")
    assert runner.run(job_id)
    assert store.get(job_id).status is Status.SUCCEEDED


def test_a_folder_of_photographs_takes_the_place_of_those_that_were_not_sent(
    store: Store, styles: StyleStore, settings: WorkerSettings, add_training: AddJob, png: bytes, tmp_path: Path
) -> None:
    (tmp_path / "one.png").write_bytes(png)
    (empty := tmp_path / "empty").mkdir()
    for folder, outcome in ((tmp_path, "succeeded"), (tmp_path / "no", "failed"), (empty, "failed"), (None, "failed")):
        job_id = add_training(photographs=0, style_id=f"noise_{outcome}").id
        Runner(store, settings.model_copy(update={"training_images": folder})).run(job_id)
        job = store.get(job_id)
        assert job.status == outcome
        if job.error:
            assert (job.error.code, str(tmp_path) in job.error.message) == ("training_failed", False)
            assert "NST_TRAINING_IMAGES" in job.error.message
    assert styles.get("noise_succeeded").training["photographs"] == 1


def test_a_canceled_training_leaves_no_style(
    runner: Runner, store: Store, styles: StyleStore, add_training: AddJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.heartbeat.LOOK_EVERY", 0.01)
    job_id = add_training(steps=100_000).id
    real = StyleTraining.run

    def run(self: StyleTraining) -> Any:
        for step in real(self):
            store.request_cancel(job_id)
            yield step

    monkeypatch.setattr(StyleTraining, "run", run)
    assert runner.run(job_id)
    assert store.get(job_id).status is Status.CANCELED
    with pytest.raises(UnknownStyle):
        styles.get("noise")


@pytest.mark.parametrize("what", ["deleted", "canceled", "taken over"])
def test_a_worker_that_lost_its_training_adds_no_style(
    runner: Runner,
    store: Store,
    styles: StyleStore,
    add_training: AddJob,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    monkeypatch.setattr("worker.heartbeat.LOOK_EVERY", 3600)  # the worker is not told
    job_id = add_training().id
    real = StyleTraining.trained

    def lose_job(self: StyleTraining, *arguments: Any) -> Any:
        if what == "deleted":
            store.delete(job_id)
        else:
            with redis.Redis.from_url(redis_url) as client:
                client.delete(f"nst:job:{job_id}:lease")  # as if it had run out
            if what == "canceled":
                store.request_cancel(job_id)
            else:
                assert store.start(job_id, "another worker") is not None
        return real(self, *arguments)

    monkeypatch.setattr(StyleTraining, "trained", lose_job)
    assert runner.run(job_id)
    assert styles.all() == []
    if what == "taken over":
        assert store.renew(job_id, "another worker") is False


def test_of_two_trainings_of_one_id_the_second_fails(
    runner: Runner, store: Store, styles: StyleStore, add_training: AddJob
) -> None:
    first, second = (add_training(title=title).id for title in ("First", "Second"))
    for job_id in (first, second):
        runner.run(job_id)
    error = store.get(second).error
    assert error is not None
    assert error.code == "style_exists"
    assert styles.get("noise").title == "First"


def test_a_style_too_many_fails(
    store: Store, styles: StyleStore, settings: WorkerSettings, add_training: AddJob
) -> None:
    job_id = add_training(steps=1).id
    Runner(store, settings.model_copy(update={"max_styles": 0})).run(job_id)
    error = store.get(job_id).error
    assert error is not None
    assert (error.code, "NST_MAX_STYLES" in error.message) == ("too_many_styles", True)
    assert styles.all() == []


def test_a_training_that_its_minutes_end_tells_how_far_it_came(
    runner: Runner, store: Store, styles: StyleStore, add_training: AddJob
) -> None:
    job_id = add_training(steps=1_000_000, minutes=1e-6).id
    runner.run(job_id)
    progress = store.get(job_id).progress
    assert (progress.fraction, progress.step, progress.total_steps) == (1, 1, 1)
    assert styles.get("noise").training["step"] == 1


def test_a_finished_training_waits_for_a_store_that_is_away(
    runner: Runner, store: Store, styles: StyleStore, add_training: AddJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, tries = StyleStore.add, []

    def away_at_first(self: StyleStore, *arguments: Any, **more: Any) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise StoreUnavailable
        add(self, *arguments, **more)

    monkeypatch.setattr(StyleStore, "add", away_at_first)
    monkeypatch.setattr("worker.runner.sleep", lambda seconds: None)
    job_id = add_training().id
    runner.run(job_id)
    assert store.get(job_id).status is Status.SUCCEEDED
    assert styles.get("noise").title == "Noise"


def test_a_gallery_without_styles_can_train_its_first(
    store: Store, settings: WorkerSettings, add_training: AddJob, styles_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "manifest.json").write_text('{"styles": []}')
    shutil.copy(styles_dir / "sample.jpeg", tmp_path)
    job_id = add_training(steps=1).id
    Runner(store, settings.model_copy(update={"styles_dir": tmp_path})).run(job_id)
    assert store.get(job_id).status is Status.SUCCEEDED


def test_what_an_optimisation_did_to_the_encoder_does_not_matter(
    runner: Runner, styles: StyleStore, add_training: AddJob, add_job: AddJob
) -> None:
    runner.run(add_training().id)
    expected = styles.weights("noise")
    styles.delete("noise")
    runner.run(add_job(pooling="max").id)
    runner.run(add_training().id)
    assert styles.weights("noise") == expected
