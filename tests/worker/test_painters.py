"""Fast jobs; the iterative engine is in ``test_runner``."""

import io
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from jobs.contract import Job, Progress, Status
from jobs.errors import UnknownJob
from jobs.memory import MemoryStore
from nst_core.fast import paint_fast
from nst_core.fast_models import load_trunk, read_style
from nst_core.gallery import Gallery
from nst_core.options import FastOptions
from nst_core.transformer import FastStyle, TransformerNetwork
from worker import heartbeat
from worker.heartbeat import Heartbeat
from worker.runner import Runner
from worker.settings import WorkerSettings

AddJob = Callable[..., Job]

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _quick_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "LOOK_EVERY", 0.01)


@pytest.fixture
def beats(monkeypatch: pytest.MonkeyPatch) -> list[Heartbeat]:
    """The heartbeats of the jobs that were run."""
    made: list[Heartbeat] = []
    enter = Heartbeat.__enter__

    def remember(beat: Heartbeat) -> Heartbeat:
        made.append(beat)
        return enter(beat)

    monkeypatch.setattr(Heartbeat, "__enter__", remember)
    return made


def failure(store: MemoryStore, job_id: str) -> tuple[str, str]:
    """Code and message of a job that failed."""
    job = store.get(job_id)
    assert job.status is Status.FAILED
    assert job.error is not None
    return job.error.code, job.error.message


def test_a_fast_job_that_succeeds(
    runner: Runner, store: MemoryStore, add_fast_job: AddJob, png: bytes, styles_dir: Path
) -> None:
    job_id = add_fast_job(precision="float32", strength=0.5).id
    assert runner.run(job_id)
    job, result = store.get(job_id), store.result(job_id)
    assert (job.status, job.attempt, job.error) == (Status.SUCCEEDED, 1, None)
    assert job.output is not None
    similarity = job.output.similarity
    assert similarity is not None
    assert -1 <= similarity < 1
    assert job.output.model_dump() == {
        "url": f"jobs/{job_id}/result",
        "media_type": "image/png",
        "width": 64,
        "height": 43,
        "bytes": len(result),
        "sha256": sha256(result).hexdigest(),
        "losses": {},
        "similarity": similarity,
    }
    assert (job.metrics.device, job.metrics.encoder) == ("cpu", None)
    assert (job.progress.fraction, job.progress.step, job.progress.total_steps) == (1, 1, 1)
    assert (job.progress.loss, job.progress.preview_id) == (None, 1)
    preview = store.preview(job_id)
    assert preview is not None
    assert Image.open(io.BytesIO(preview)).format == "JPEG"
    gallery = Gallery(styles_dir)
    trunk = load_trunk(gallery).eval().requires_grad_(False)
    content, options = Image.open(io.BytesIO(png)), FastOptions(size=64, strength=0.5, precision="float32")
    expected = paint_fast(content, [FastStyle(trunk, read_style(gallery, "waves").vectors, (512,))], options)
    assert Image.open(io.BytesIO(result)).tobytes() == expected.tobytes()


def test_styles_differ(runner: Runner, store: MemoryStore, add_fast_job: AddJob) -> None:
    results = []
    for style_id in ("waves", "waves_color"):
        job_id = add_fast_job(style_id=style_id).id
        runner.run(job_id)
        results.append(store.result(job_id))
    assert results[0] != results[1]


def half_mask(left: bool) -> bytes:
    mask = Image.new("L", (96, 64), 0)
    mask.paste(255, (0, 0, 48, 64) if left else (48, 0, 96, 64))
    file = io.BytesIO()
    mask.save(file, "PNG")
    return file.getvalue()


def opened(result: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(result)).convert("RGB"), np.int16)


def test_several_trained_styles_are_painted_where_their_masks_are_white(
    runner: Runner, store: MemoryStore, add_fast_job: AddJob
) -> None:
    alone = []
    for style_id in ("waves", "waves_color"):
        runner.run(job_id := add_fast_job(style_id=style_id).id)
        alone.append(opened(store.result(job_id)))
    masks = {"mask.0": half_mask(left=True), "mask.1": half_mask(left=False)}
    runner.run(job_id := add_fast_job(style_id="waves,waves_color", images=masks).id)
    painted = opened(store.result(job_id))
    assert np.abs(painted[:, :30] - alone[0][:, :30]).max() <= 1
    assert np.abs(painted[:, 34:] - alone[1][:, 34:]).max() <= 1


def test_the_iterative_engine_paints_several_styles_by_masks(
    runner: Runner, store: MemoryStore, add_job: AddJob, png: bytes
) -> None:
    images = {"style.1": png, "mask.0": half_mask(left=True), "mask.1": half_mask(left=True)}
    runner.run(job_id := add_job(images=images).id)
    painted, original = (
        opened(store.result(job_id)),
        np.asarray(Image.open(io.BytesIO(png)).resize((64, 43), Image.Resampling.LANCZOS), np.int16),
    )
    assert np.array_equal(painted[:, 34:], original[:, 34:])
    assert not np.array_equal(painted[:, :30], original[:, :30])


@pytest.mark.parametrize("fast", [True, False])
def test_a_mask_may_be_found(
    runner: Runner, store: MemoryStore, add_job: AddJob, add_fast_job: AddJob, fast: bool
) -> None:
    disc = Image.new("RGB", (96, 64), (20, 30, 60))
    ImageDraw.Draw(disc).ellipse((30, 14, 66, 50), fill=(230, 180, 60))
    file = io.BytesIO()
    disc.save(file, "PNG")
    add = add_fast_job if fast else add_job
    runner.run(job_id := add(images={"content": file.getvalue()}, auto_mask="subject", size=96).id)
    changed = np.abs(opened(store.result(job_id)) - opened(file.getvalue())).max(2)
    assert changed[:8].max() == 0
    assert changed[20:44, 38:58].mean() > 1


@pytest.mark.parametrize("output_format", ["png", "webp", "tiff", "jpeg"])
def test_the_result_is_as_transparent_as_the_content(
    runner: Runner, store: MemoryStore, add_fast_job: AddJob, output_format: str
) -> None:
    content = Image.new("RGBA", (128, 64), (255, 0, 0, 0))
    content.paste((255, 0, 0, 255), (0, 0, 64, 64))
    file = io.BytesIO()
    content.save(file, "PNG")
    quality = 100 if output_format in ("webp", "jpeg") else None
    fields = {"size": 64, "strength": 0.0, "output_format": output_format, "quality": quality}
    job_id = add_fast_job(content=file.getvalue(), **fields).id
    runner.run(job_id)
    result = Image.open(io.BytesIO(store.result(job_id)))
    assert (result.size, result.mode) == ((64, 32), "RGB" if output_format == "jpeg" else "RGBA")
    pixels = np.array(result).astype(int)
    assert abs(pixels[16, 8] - [255, 0, 0, 255][: len(result.mode)]).max() <= 4
    assert (pixels[16, 56, 3] == 0) if "A" in result.mode else (pixels[16, 56].min() >= 251)


def test_a_style_stays_warm(
    runner: Runner,
    store: MemoryStore,
    add_fast_job: AddJob,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    told: list[str] = []
    update = store.update

    def listen(job_id: str, token: str, *, progress: Progress, **more: Any) -> None:
        told.append(progress.message)
        update(job_id, token, progress=progress, **more)

    monkeypatch.setattr(store, "update", listen)
    cold, warm = add_fast_job().id, add_fast_job().id
    runner.run(cold)
    runner.run(warm)
    assert told == ["loading the style waves", "painting", "painting"]
    assert store.get(cold).metrics.load_seconds
    assert store.get(warm).metrics.load_seconds == 0
    assert (runner.models.hits, runner.models.misses) == (1, 1)
    (line,) = [text for text in caplog.messages if text.startswith("style waves: loaded")]
    assert line.endswith("0 hits, 1 misses so far")


def test_warming_up_loads_the_network(
    store: MemoryStore, settings: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[Path] = []
    from_file = TransformerNetwork.from_file
    monkeypatch.setattr(TransformerNetwork, "from_file", lambda path: loads.append(path) or from_file(path))
    Runner(store, settings.model_copy(update={"warm_styles": False})).warm_up()
    assert loads == []
    runner = Runner(store, settings)
    runner.warm_up()
    assert "waves_color" in runner.models
    runner.models.get("waves")
    assert len(loads) == 1  # the trunk that both share


def test_warming_up_with_an_empty_gallery_loads_nothing(
    store: MemoryStore, settings: WorkerSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "manifest.json").write_text('{"styles": []}')
    Runner(store, settings.model_copy(update={"styles_dir": tmp_path})).warm_up()
    assert caplog.text == ""


def test_a_gallery_that_cannot_be_read_fails_its_jobs_alone(
    store: MemoryStore,
    settings: WorkerSettings,
    add_job: AddJob,
    add_fast_job: AddJob,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    runner = Runner(store, settings.model_copy(update={"styles_dir": tmp_path}))
    runner.warm_up()
    assert "the fast styles are not loaded" in caplog.text
    fast, gatys = add_fast_job().id, add_job().id
    runner.run(fast)
    runner.run(gatys)
    assert failure(store, fast)[0] == "weights_unavailable"
    assert store.get(gatys).status is Status.SUCCEEDED


def test_weights_that_are_damaged_fail_the_job(
    store: MemoryStore, settings: WorkerSettings, add_fast_job: AddJob, styles_dir: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(styles_dir, tmp_path / "styles"))
    (folder / "waves.safetensors").write_bytes(b"damaged")
    runner = Runner(store, settings.model_copy(update={"styles_dir": folder}))
    damaged, intact = add_fast_job().id, add_fast_job(style_id="waves_color").id
    runner.run(damaged)
    runner.run(intact)
    code, message = failure(store, damaged)
    assert code == "weights_unavailable"
    assert str(tmp_path) not in message
    assert store.get(intact).status is Status.SUCCEEDED


@pytest.mark.parametrize(
    ("params", "code"),
    [({"style_id": "gone"}, "unknown_style"), ({"strength": 2.0}, "invalid_options"), ({"size": 4}, "invalid_options")],
)
def test_what_the_front_end_of_another_version_let_through(
    runner: Runner, store: MemoryStore, add_fast_job: AddJob, params: dict[str, Any], code: str
) -> None:
    job_id = add_fast_job(**params).id
    assert runner.run(job_id)
    assert failure(store, job_id)[0] == code


def during_the_pass(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Does something while the network works."""
    forward = TransformerNetwork.forward

    def act(network: TransformerNetwork, image: Tensor, style: Tensor) -> Tensor:
        action()
        return forward(network, image, style)

    monkeypatch.setattr(TransformerNetwork, "forward", act)


def wait_until(condition: Callable[[], object]) -> None:
    while not condition():
        torch.ones(1)  # anything: the heartbeat's thread gets its turn


def test_a_fast_job_that_is_canceled_while_it_is_painted(
    runner: Runner,
    store: MemoryStore,
    add_fast_job: AddJob,
    beats: list[Heartbeat],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job_id = add_fast_job().id

    def cancel() -> None:
        store.request_cancel(job_id)
        wait_until(lambda: beats[-1].canceled)

    during_the_pass(monkeypatch, cancel)
    assert runner.run(job_id)
    assert store.get(job_id).status is Status.CANCELED


def test_a_fast_job_that_is_canceled_while_its_style_is_loaded_is_not_painted(
    runner: Runner,
    store: MemoryStore,
    add_fast_job: AddJob,
    beats: list[Heartbeat],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job_id = add_fast_job().id
    load = runner.models.get

    def cancel(style_id: str) -> tuple[TransformerNetwork, Tensor]:
        store.request_cancel(job_id)
        wait_until(lambda: beats[-1].canceled)
        return load(style_id)

    painted: list[str] = []
    monkeypatch.setattr(runner.models, "get", cancel)
    during_the_pass(monkeypatch, lambda: painted.append(job_id))
    assert runner.run(job_id)
    assert store.get(job_id).status is Status.CANCELED
    assert painted == []


def test_a_fast_job_that_is_deleted_while_it_is_painted(
    runner: Runner, store: MemoryStore, add_fast_job: AddJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = add_fast_job().id
    during_the_pass(monkeypatch, lambda: store.delete(job_id))
    assert runner.run(job_id)
    with pytest.raises(UnknownJob):
        store.get(job_id)
