"""The pictures of some iterations reach the store, whatever happens on the way."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from jobs.contract import Job, Snapshot, Status
from jobs.errors import StoreUnavailable
from jobs.memory import MemoryStore
from worker import heartbeat
from worker.runner import Runner

AddJob = Callable[..., Job]


@pytest.fixture(autouse=True)
def _quick_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "LOOK_EVERY", 0.01)


def steps(store: MemoryStore, job_id: str) -> list[int]:
    return [snapshot.step for snapshot in store.snapshots(job_id)]


@pytest.mark.parametrize(
    ("every", "kept"), [(None, []), (1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (5, [5]), (100, [5])], ids=str
)
def test_every_nth_picture_is_kept_and_the_last(
    runner: Runner, store: MemoryStore, add_job: AddJob, every: int | None, kept: list[int]
) -> None:
    job_id = add_job(iterations=5, snapshot_every=every).id
    assert runner.run(job_id)
    assert store.get(job_id).status is Status.SUCCEEDED
    assert steps(store, job_id) == kept


def test_a_snapshot_is_the_picture_at_the_size_that_it_had(runner: Runner, store: MemoryStore, add_job: AddJob) -> None:
    job_id = add_job(iterations=4, scales=2, size=128, snapshot_every=1).id
    assert runner.run(job_id)
    sizes = []
    for snapshot in store.snapshots(job_id):
        data = store.snapshot(job_id, snapshot.step)
        assert data is not None
        picture = Image.open(io.BytesIO(data))
        assert picture.format == "JPEG"
        assert (snapshot.width, snapshot.height, snapshot.bytes) == (*picture.size, len(data))
        assert snapshot.url == f"jobs/{job_id}/snapshots/{snapshot.step}"
        sizes.append(picture.size)
    assert sizes[0] == (64, 43)
    assert sizes[-1] == (128, 85)
    result = Image.open(io.BytesIO(store.result(job_id)))
    difference = np.asarray(picture.convert("RGB"), float) - np.asarray(result.convert("RGB"), float)
    assert np.abs(difference).mean() < 8  # the noise of a JPEG


def test_what_a_store_could_not_take_is_written_when_it_is_back(
    runner: Runner, store: MemoryStore, add_job: AddJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, refused = store.save_snapshot, []

    def away_for_a_while(job_id: str, token: str, snapshot: Snapshot, picture: bytes) -> None:
        if len(refused) < 2:
            refused.append(snapshot.step)
            raise StoreUnavailable
        save(job_id, token, snapshot, picture)

    monkeypatch.setattr(store, "save_snapshot", away_for_a_while)
    job_id = add_job(iterations=6, snapshot_every=1).id
    assert runner.run(job_id)
    assert refused == [1, 1]
    assert steps(store, job_id) == [1, 2, 3, 4, 5, 6]


def test_the_end_of_a_job_waits_for_its_snapshots(
    runner: Runner, store: MemoryStore, add_job: AddJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, refused = store.save_snapshot, []

    def away_until_all_is_painted(job_id: str, token: str, snapshot: Snapshot, picture: bytes) -> None:
        # The progress is that of the report before.
        if store.get(job_id).progress.step < 5:
            refused.append(snapshot.step)
            raise StoreUnavailable
        assert store.get(job_id).status is Status.PROCESSING
        save(job_id, token, snapshot, picture)

    monkeypatch.setattr(store, "save_snapshot", away_until_all_is_painted)
    job_id = add_job(iterations=6, snapshot_every=2).id
    assert runner.run(job_id)
    assert set(refused) == {2}
    assert store.get(job_id).status is Status.SUCCEEDED
    assert steps(store, job_id) == [2, 4, 6]


def test_a_canceled_job_keeps_the_snapshots_that_it_took(
    runner: Runner, store: MemoryStore, add_job: AddJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = store.save_snapshot

    def cancel_at_the_third(job_id: str, token: str, snapshot: Snapshot, picture: bytes) -> None:
        save(job_id, token, snapshot, picture)
        if snapshot.step == 3:
            store.request_cancel(job_id)

    monkeypatch.setattr(store, "save_snapshot", cancel_at_the_third)
    job_id = add_job(iterations=10_000, snapshot_every=1).id
    assert runner.run(job_id)
    assert store.get(job_id).status is Status.CANCELED
    kept = steps(store, job_id)
    assert 3 <= len(kept) < 10_000
    assert kept == list(range(1, len(kept) + 1))


def test_a_job_that_starts_again_has_each_step_once(runner: Runner, store: MemoryStore, add_job: AddJob) -> None:
    job_id = add_job(iterations=4, snapshot_every=2).id
    assert store.start(job_id, "dying") is not None
    store.save_snapshot(job_id, "dying", Snapshot(step=2, url="old", width=1, height=1, bytes=3), b"old")
    store.requeue(job_id, "dying")
    assert runner.run(job_id)
    assert steps(store, job_id) == [2, 4]
    assert store.snapshot(job_id, 2) != b"old"
    assert store.snapshots(job_id)[0].url == f"jobs/{job_id}/snapshots/2"


def test_a_fast_job_has_no_snapshots(runner: Runner, store: MemoryStore, add_fast_job: AddJob) -> None:
    job_id = add_fast_job().id
    assert runner.run(job_id)
    assert store.get(job_id).status is Status.SUCCEEDED
    assert steps(store, job_id) == []
