"""Faults on purpose, and how the runner takes them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from jobs.contract import Job, Status
from jobs.memory import MemoryStore
from worker import faults
from worker.runner import DeviceLost, Runner

AddJob = Callable[..., Job]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Faults put here happen."""
    unhook = faults.hook(tmp_path)
    yield tmp_path
    unhook()


def test_without_a_fault_nothing_happens(folder: Path, runner: Runner, store: MemoryStore, add_job: AddJob) -> None:
    (folder / "README").touch()
    job_id = add_job().id
    assert runner.run(job_id)
    assert store.get(job_id).status is Status.SUCCEEDED
    assert (folder / "README").exists()


def test_out_of_memory_fails_the_job_by_name_and_the_next_is_painted(
    folder: Path, runner: Runner, store: MemoryStore, add_job: AddJob
) -> None:
    (folder / "oom.1").touch()
    unlucky, after = add_job().id, add_job().id
    for job_id in (unlucky, after):
        assert runner.run(job_id)
    error = store.get(unlucky).error
    assert error
    assert error.code == "out_of_memory"
    assert store.get(after).status is Status.SUCCEEDED


def test_out_of_memory_is_met_with_smaller_tiles_once(
    folder: Path, runner: Runner, store: MemoryStore, add_job: AddJob
) -> None:
    (folder / "oom").touch()
    job_id = add_job(size=512, iterations=1).id
    assert runner.run(job_id)
    assert store.get(job_id).status is Status.SUCCEEDED


def test_out_of_memory_a_fast_style_is_painted_in_strips(
    folder: Path, runner: Runner, store: MemoryStore, add_fast_job: AddJob
) -> None:
    (folder / "oom").touch()
    job_id = add_fast_job().id
    assert runner.run(job_id)
    assert store.get(job_id).status is Status.SUCCEEDED
    assert not (folder / "oom").exists()


def test_a_cuda_error_gives_the_job_to_another_process(
    folder: Path, runner: Runner, store: MemoryStore, add_job: AddJob
) -> None:
    job_id = add_job().id
    for attempt, status in ((1, Status.QUEUED), (2, Status.QUEUED), (3, Status.FAILED)):
        (folder / "cuda").touch()
        with pytest.raises(DeviceLost):
            runner.run(job_id)
        job = store.get(job_id)
        assert (job.attempt, job.status) == (attempt, status)
    assert job.error
    assert job.error.code == "worker_lost"


def test_each_file_is_one_fault(folder: Path) -> None:
    for name in ("oom.2", "cuda.1"):
        (folder / name).touch()
    assert [faults._take(folder) for _ in range(3)] == ["cuda", "oom", None]


def test_the_errors_are_those_of_torch() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        faults.KINDS["oom"]()
    with pytest.raises(torch.AcceleratorError, match="CUDA error"):
        faults.KINDS["cuda"]()
