"""Running one job, whatever its end."""

import io
from collections.abc import Callable, Collection
from hashlib import sha256
from pathlib import Path
from time import sleep
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from jobs.contract import Job, Status
from jobs.errors import StoreUnavailable, UnknownJob
from jobs.memory import MemoryStore
from nst_core.checkpoint import Checkpoint
from nst_core.encoders import Compact, Encoder
from nst_core.image import to_tensor
from nst_core.picture import decode
from nst_core.pretrained import load_encoder
from nst_core.similarity import structural_similarity
from worker import heartbeat
from worker.runner import Runner
from worker.settings import WorkerSettings

AddJob = Callable[..., Job]
UseEncoder = Callable[[Encoder], None]


class Trap(Compact):
    """The compact encoder, with something that happens at the nth call."""

    def __init__(self, action: Callable[[], object], call: int = 4) -> None:
        real = load_encoder("compact")
        assert isinstance(real, Compact)
        widths = (real.get_submodule(f"convolutions.{block}_1").out_channels for block in range(1, 6))
        super().__init__({name: head.out_channels for name, head in real.heads.items()}, tuple(widths))
        self.load_state_dict(real.state_dict())
        self.eval().requires_grad_(False)
        self.action, self.left = action, call

    def forward(self, image: Tensor, layers: Collection[str], *, thin: int = 1) -> dict[str, Tensor]:
        self.left -= 1
        if self.left == 0:
            self.action()
        return super().forward(image, layers, thin=thin)


def raising(error: BaseException, call: int = 4) -> Trap:
    def action() -> None:
        raise error

    return Trap(action, call)


@pytest.fixture(autouse=True)
def _quick_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "LOOK_EVERY", 0.01)


def test_a_job_that_succeeds(runner: Runner, store: MemoryStore, add_job: AddJob) -> None:
    job_id = add_job(precision="float32").id
    assert runner.run(job_id)
    job, result = store.get(job_id), store.result(job_id)
    assert (job.status, job.attempt, job.error) == (Status.SUCCEEDED, 1, None)
    picture = Image.open(io.BytesIO(result))
    assert (picture.format, picture.size) == ("PNG", (64, 43))
    assert job.output is not None
    assert job.output.model_dump(exclude={"losses", "similarity"}) == {
        "url": f"jobs/{job_id}/result",
        "media_type": "image/png",
        "width": 64,
        "height": 43,
        "bytes": len(result),
        "sha256": sha256(result).hexdigest(),
    }
    assert job.output.losses.keys() >= {"total", "content", "style", "tv", "style relu1_1"}
    assert (job.metrics.device, job.metrics.encoder) == ("cpu", "compact")
    assert job.metrics.load_seconds is not None
    assert job.metrics.load_seconds > 0
    assert job.metrics.run_seconds is not None
    assert (job.progress.fraction, job.progress.step, job.progress.total_steps) == (1, 3, 3)
    # One preview per iteration but the last, and the result's.
    assert job.progress.preview_id == 3
    preview = store.preview(job_id)
    assert preview is not None
    assert Image.open(io.BytesIO(preview)).format == "JPEG"


def test_an_encoder_stays_warm(runner: Runner, store: MemoryStore, add_job: AddJob) -> None:
    runner.warm_up()
    job_id = add_job().id
    runner.run(job_id)
    assert store.get(job_id).metrics.load_seconds == 0


def test_warming_up_leaves_what_cannot_be_had_to_its_jobs(
    store: MemoryStore,
    settings: WorkerSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    runner = Runner(store, settings.model_copy(update={"warm_encoders": "vgg19, compact", "weights_dir": tmp_path}))
    runner.warm_up()
    assert ("compact", False) in runner.encoders
    assert "the encoder vgg19 is not loaded" in caplog.text


@pytest.mark.parametrize("name", ["content", "style.0"])
def test_a_damaged_image(runner: Runner, store: MemoryStore, add_job: AddJob, png: bytes, name: str) -> None:
    job_id = add_job(images={name: png[:200]}).id
    assert runner.run(job_id)
    assert failure(store, job_id)[0] == "invalid_image"


def test_options_of_another_version(runner: Runner, store: MemoryStore, add_job: AddJob) -> None:
    job_id = add_job(size=63).id
    assert runner.run(job_id)
    assert failure(store, job_id)[0] == "invalid_options"


def test_an_unexpected_error_keeps_its_details_to_the_log(
    runner: Runner, store: MemoryStore, add_job: AddJob, use_encoder: UseEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    use_encoder(raising(FileNotFoundError(2, "No such file", "/home/secret/path")))
    job_id = add_job().id
    assert runner.run(job_id)
    code, message = failure(store, job_id)
    assert code == "internal"
    assert "secret" not in message
    assert "Traceback" not in message
    assert "/home/secret/path" in caplog.text


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_an_optimisation_that_diverges(
    runner: Runner, store: MemoryStore, add_job: AddJob, use_encoder: UseEncoder, optimizer: str
) -> None:
    encoder = load_encoder("compact")
    torch.nn.init.constant_(encoder.get_submodule("convolutions.1_1").weight, float("nan"))
    use_encoder(encoder)
    job_id = add_job(optimizer=optimizer).id
    assert runner.run(job_id)
    assert failure(store, job_id)[0] == "diverged"


def allocate_everything() -> None:
    torch.empty(2**50)


def out_of_gpu_memory() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory.")


@pytest.mark.parametrize("action", [allocate_everything, out_of_gpu_memory])
def test_a_picture_that_does_not_fit_into_memory(
    runner: Runner, store: MemoryStore, add_job: AddJob, use_encoder: UseEncoder, action: Callable[[], None]
) -> None:
    use_encoder(Trap(action))
    too_large, after = add_job().id, add_job().id
    assert runner.run(too_large)
    assert failure(store, too_large)[0] == "out_of_memory"
    assert runner.run(after)
    assert store.get(after).status is Status.SUCCEEDED


def test_a_job_that_is_canceled_stops(
    runner: Runner, store: MemoryStore, add_job: AddJob, use_encoder: UseEncoder
) -> None:
    job_id = add_job(iterations=10_000).id
    use_encoder(Trap(lambda: store.request_cancel(job_id)))
    assert runner.run(job_id)
    job = store.get(job_id)
    assert (job.status, job.error) == (Status.CANCELED, None)
    assert job.progress.step < 10_000


def test_a_job_that_is_deleted_stops(
    runner: Runner, store: MemoryStore, add_job: AddJob, use_encoder: UseEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = add_job(iterations=10_000).id
    use_encoder(Trap(lambda: store.delete(job_id)))
    assert runner.run(job_id)
    with pytest.raises(UnknownJob):
        store.get(job_id)
    assert "thrown away" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_worker_that_was_taken_for_dead_writes_nothing(
    runner: Runner, store: MemoryStore, add_job: AddJob, use_encoder: UseEncoder
) -> None:
    job_id = add_job(iterations=10_000).id

    def taken_over() -> None:
        store._entries[job_id].leased_until = 0
        assert store.start(job_id, "another worker") is not None

    use_encoder(Trap(taken_over))
    assert runner.run(job_id)
    job = store.get(job_id)
    assert (job.status, job.attempt) == (Status.PROCESSING, 2)
    assert store.renew(job_id, "another worker") is False


@pytest.mark.parametrize("signal", [SystemExit(0), KeyboardInterrupt()])
def test_a_worker_that_shuts_down_gives_its_job_back(
    runner: Runner, store: MemoryStore, add_job: AddJob, use_encoder: UseEncoder, signal: BaseException
) -> None:
    use_encoder(raising(signal))
    job_id = add_job().id
    with pytest.raises(type(signal)):
        runner.run(job_id)
    job = store.get(job_id)
    assert (job.status, job.attempt, job.started_at) == (Status.QUEUED, 0, None)
    # The next one finds it, and nothing is wrong with the runner either.
    assert runner.run(job_id)
    assert store.get(job_id).status is Status.SUCCEEDED


@pytest.mark.parametrize(
    ("most", "overdue", "goes_on_after", "learned", "least_alike"),
    [
        (10**9, 1.0, 32, True, 1.0),
        (10**9, 1e15, 25, True, 1.0),
        (150_000, 1.0, 25, True, 1.0),
        (40_000, 1.0, 32, False, 0.95),
        (1_000, 1.0, None, False, 1.0),
    ],
    ids=["whole", "not for long", "light", "image", "none"],
)
def test_a_checkpoint_is_kept_as_often_and_as_large_as_it_may_be(
    store: MemoryStore,
    settings: WorkerSettings,
    add_job: AddJob,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    overdue: float,
    goes_on_after: int | None,
    learned: bool,
    least_alike: float,
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr("worker.runner._OVERDUE", overdue)
    often = {"checkpoint_seconds": 1e-9, "max_checkpoint_bytes": most}
    runner = Runner(store, settings.model_copy(update=often))
    undisturbed = add_job(iterations=45, scales=1, precision="float32").id
    assert runner.run(undisturbed)

    # One call for the content, one for the style, and one for each iteration: it ends in the 33rd.
    runner.encoders._encoders["compact", False] = raising(SystemExit(0), call=35)
    job_id = add_job(iterations=45, scales=1, precision="float32").id
    with pytest.raises(SystemExit):
        runner.run(job_id)
    assert store.get(job_id).status is Status.QUEUED
    kept = store.checkpoint(job_id)
    assert (kept is not None) == (goes_on_after is not None)
    if kept is not None:
        assert len(kept) <= most
        assert bool(Checkpoint.from_bytes(kept, torch.device("cpu")).learned) == learned
    assert runner.run(job_id)
    assert (f"the picture goes on after iteration {goes_on_after}" in caplog.text) == (kept is not None)
    assert store.get(job_id).status is Status.SUCCEEDED
    pictures = [to_tensor(decode(store.result(each))) for each in (job_id, undisturbed)]
    assert structural_similarity(*pictures) >= least_alike - 1e-6


def test_a_job_that_reaches_the_hard_limit_is_not_given_back(
    runner: Runner, store: MemoryStore, add_job: AddJob, use_encoder: UseEncoder
) -> None:
    runner.settings = runner.settings.model_copy(update={"time_limit_seconds": 1, "time_limit_grace_seconds": 0})

    def hang() -> None:
        sleep(0.6)
        raise SystemExit(0)  # what Celery's SIGTERM makes

    use_encoder(Trap(hang))
    job_id = add_job().id
    with pytest.raises(SystemExit):
        runner.run(job_id)
    assert failure(store, job_id)[0] == "timeout"


def test_a_job_is_painted_by_one_worker_at_a_time(runner: Runner, store: MemoryStore, add_job: AddJob) -> None:
    job_id = add_job().id
    store.start(job_id, "another worker")
    assert runner.run(job_id) is False
    assert store.get(job_id).attempt == 1


def test_nothing_is_done_for_a_job_that_is_over_or_gone(runner: Runner, store: MemoryStore, add_job: AddJob) -> None:
    canceled, deleted = add_job().id, add_job().id
    before = store.request_cancel(canceled)
    store.delete(deleted)
    assert runner.run(canceled) is True
    assert runner.run(deleted) is True
    assert store.get(canceled) == before


def test_a_store_that_is_away_costs_no_job(
    runner: Runner, store: MemoryStore, add_job: AddJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(job_id: str, name: str) -> bytes:
        raise StoreUnavailable

    monkeypatch.setattr(store, "image", away)
    job_id = add_job().id
    with pytest.raises(StoreUnavailable):
        runner.run(job_id)
    # Not failed: when its lease has run out, the reaper brings it back.
    assert store.get(job_id).status is Status.PROCESSING


def test_a_finished_picture_waits_for_a_store_that_is_away(
    runner: Runner, store: MemoryStore, add_job: AddJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, calls = store.finish, []

    def away_once(*arguments: Any, **more: Any) -> Job:
        calls.append(arguments)
        if len(calls) == 1:
            raise StoreUnavailable
        return finish(*arguments, **more)

    monkeypatch.setattr(store, "finish", away_once)
    job_id = add_job().id
    assert runner.run(job_id)
    assert store.get(job_id).status is Status.SUCCEEDED


def test_an_end_whose_answer_was_lost_is_no_lost_lease(
    runner: Runner,
    store: MemoryStore,
    add_job: AddJob,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    finish, calls = store.finish, []

    def unheard_once(job_id: str, *arguments: Any, **more: Any) -> None:
        calls.append(job_id)
        finish(job_id, *arguments, **more)
        if len(calls) == 1:
            raise StoreUnavailable

    monkeypatch.setattr(store, "finish", unheard_once)
    job_id = add_job().id
    assert runner.run(job_id)
    assert f"job {job_id}: succeeded" in caplog.text
    assert "thrown away" not in caplog.text


def test_a_finished_picture_outlives_its_lease(
    runner: Runner, store: MemoryStore, add_job: AddJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, calls = store.finish, []

    def away_for_longer_than_the_lease(job_id: str, *arguments: Any, **more: Any) -> Job:
        calls.append(job_id)
        if len(calls) == 1:
            store._entries[job_id].leased_until = 0
            raise StoreUnavailable
        assert store.start(job_id, "another worker") is None  # the heartbeat has it again
        return finish(job_id, *arguments, **more)

    monkeypatch.setattr(store, "finish", away_for_longer_than_the_lease)
    job_id = add_job().id
    assert runner.run(job_id)
    assert store.get(job_id).status is Status.SUCCEEDED


def failure(store: MemoryStore, job_id: str) -> tuple[str, str]:
    """Code and message of a job that failed."""
    job = store.get(job_id)
    assert job.status is Status.FAILED
    assert job.output is None
    assert job.error is not None
    return job.error.code, job.error.message


def test_a_device_that_is_not_there_fails_the_job(
    store: MemoryStore, settings: WorkerSettings, add_job: AddJob
) -> None:
    runner = Runner(store, settings.model_copy(update={"device": "cuda:77"}))
    runner.warm_up()  # tells, and leaves it to the jobs
    job_id = add_job().id
    assert runner.run(job_id)
    job = store.get(job_id)
    assert job.error is not None
    assert (job.status, job.error.code) == (Status.FAILED, "device_unavailable")
    assert "cuda:77" in job.error.message
