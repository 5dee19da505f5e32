"""One suite for every store."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
import redis
from redis.client import Pipeline

from jobs.contract import Job, JobError, JobInput, Metrics, Output, Progress, Snapshot, Status, Urls, new_job_id, now
from jobs.errors import (
    ExpiredJob,
    JobNotFinished,
    JobsError,
    LeaseLost,
    StoreUnavailable,
    TooManyJobs,
    UnknownJob,
)
from jobs.protocol import Store
from jobs.settings import Settings
from jobs.store import RedisStore

IMAGES = {"content": b"content \x00\xff", "style.0": b"style"}
FAILURE = JobError(code="out_of_memory", message="too large")

MakeStore = Callable[[Settings], Store]


def a_job(job_id: str | None = None) -> Job:
    job_id = job_id or new_job_id()
    job_input = JobInput(params={"size": 64}, content_sha256="c" * 64, style_sha256=["5" * 64])
    return Job(id=job_id, created_at=now(), input=job_input, urls=Urls.of(job_id))


def add_job(store: Store, job_id: str | None = None) -> str:
    job = a_job(job_id)
    store.create(job, IMAGES)
    return job.id


def start(store: Store, job_id: str, token: str = "a") -> Job:
    job = store.start(job_id, token)
    assert job is not None
    return job


def succeed(store: Store, job_id: str, token: str = "a", **more: bytes) -> Job:
    output = Output(url="r", media_type="image/png", width=64, height=48, bytes=6, sha256="0" * 64)
    return store.finish(job_id, token, status=Status.SUCCEEDED, output=output, result=b"result", **more)


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("the condition never came true")


def error_of(call: Callable[[], object]) -> type[Exception] | None:
    try:
        call()
    except JobsError as error:
        return type(error)
    return None


# Owners


def add_owned(store: Store, owner: str, **more: int) -> str:
    job = a_job()
    store.create(job, IMAGES, owner=owner, **more)
    return job.id


def test_a_job_has_an_owner_or_none(store: Store) -> None:
    owned, free = add_owned(store, "ada"), add_job(store)
    assert (store.owner(owned), store.owner(free)) == ("ada", "")
    start(store, owned)
    succeed(store, owned)
    assert store.owner(owned) == "ada"
    store.delete(owned)
    for job_id in (owned, new_job_id()):
        with pytest.raises(UnknownJob):
            store.owner(job_id)


def test_jobs_of_one_owner_are_listed_in_pages(store: Store) -> None:
    ids = {name: [add_owned(store, name) for _ in range(5)] for name in ("ada", "bob")}
    add_job(store)
    for name, added in ids.items():
        start(store, added[1])
        found: list[str] = []
        cursor = None
        while True:
            page = store.list_jobs(owner=name, limit=2, cursor=cursor)
            found += [job.id for job in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == added[::-1]
        running = store.list_jobs(owner=name, status=Status.PROCESSING)
        assert [job.id for job in running.items] == [added[1]]
        assert len(store.list_jobs(owner=name, status=Status.QUEUED).items) == 4
    store.delete(ids["ada"][0])
    assert len(store.list_jobs(owner="ada").items) == 4
    assert store.list_jobs(owner="eve").items == []
    assert len(store.list_jobs().items) == 10


def test_an_owner_has_so_many_jobs_pending_at_most(store: Store) -> None:
    first, second = (add_owned(store, "ada", most_pending=2) for _ in range(2))
    start(store, first)
    with pytest.raises(TooManyJobs):
        add_owned(store, "ada", most_pending=2)
    assert len(store.list_jobs().items) == 2
    add_owned(store, "bob", most_pending=2)
    succeed(store, first)
    third = add_owned(store, "ada", most_pending=2)
    store.request_cancel(second)
    store.delete(third)
    for _ in range(2):
        add_owned(store, "ada", most_pending=2)
    with pytest.raises(TooManyJobs):
        add_owned(store, "ada", most_pending=2)


def test_jobs_that_are_sent_at_once_do_not_pass_the_limit(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        errors = list(pool.map(lambda _: error_of(lambda: add_owned(store, "ada", most_pending=3)), range(24)))
    assert errors.count(None) == 3
    assert errors.count(TooManyJobs) == 21


def test_expired_jobs_of_an_owner_do_not_count(make_store: MakeStore) -> None:
    store = make_store(Settings(pending_ttl_seconds=1))
    job_id = add_owned(store, "ada", most_pending=1)
    wait_until(lambda: error_of(lambda: store.get(job_id)) is ExpiredJob)
    assert store.owner(job_id) == "ada"
    assert store.list_jobs(owner="ada").items == []
    add_owned(store, "ada", most_pending=1)


def test_nothing_of_an_owner_stays_in_redis(redis_url: str) -> None:
    store = RedisStore.connect(redis_url, Settings(pending_ttl_seconds=1, tombstone_ttl_seconds=1))
    with redis.Redis.from_url(redis_url) as client:
        deleted = add_owned(store, "ada")
        start(store, deleted)
        succeed(store, deleted)
        assert {key.decode() for key in client.scan_iter("nst:jobs*:of:ada")} == {
            "nst:jobs:of:ada",
            "nst:jobs:succeeded:of:ada",
        }
        store.delete(deleted)
        assert client.keys() == [b"nst:tally"]
        # Its owner never comes back: the other indexes are swept with the next jobs, its own expire.
        expired = add_owned(store, "bob")
        assert 0 < client.ttl("nst:jobs:of:bob") <= Settings().result_ttl_seconds
        wait_until(lambda: error_of(lambda: store.get(expired)) is UnknownJob)
        for _ in range(10):
            add_owned(store, "ada")
        assert client.zscore("nst:jobs", expired) is None
        assert client.zscore("nst:jobs:queued", expired) is None
    store.close()


# Keeping and reading


def test_a_job_is_kept_with_its_images(store: Store) -> None:
    job = a_job()
    store.create(job, IMAGES)
    assert store.get(job.id) == job
    assert {name: store.image(job.id, name) for name in IMAGES} == IMAGES
    assert {name: store.image_size(job.id, name) for name in IMAGES} == {name: len(IMAGES[name]) for name in IMAGES}
    with pytest.raises(KeyError):
        store.image(job.id, "init")
    assert store.image_size(job.id, "init") == 0
    assert store.preview(job.id) is None
    with pytest.raises(JobNotFinished):
        store.result(job.id)


def test_a_job_that_never_was_is_unknown(store: Store) -> None:
    job_id = new_job_id()
    for call in (store.get, store.preview, store.result, store.delete, store.request_cancel):
        with pytest.raises(UnknownJob):
            call(job_id)
    with pytest.raises(UnknownJob):
        store.image(job_id, "content")
    assert store.image_size(job_id, "content") == 0
    assert store.start(job_id, "a") is None
    with pytest.raises(LeaseLost):
        store.renew(job_id, "a")


def test_times_are_utc(store: Store) -> None:
    job_id = add_job(store)
    started_at = start(store, job_id).started_at
    assert started_at is not None
    assert started_at.tzname() == "UTC"


# The life of a job


def test_a_job_lives_from_queued_to_succeeded(store: Store) -> None:
    job_id = add_job(store)
    job = start(store, job_id)
    assert (job.status, job.attempt) == (Status.PROCESSING, 1)
    assert job.started_at
    assert job.metrics.queue_seconds is not None
    assert job.metrics.queue_seconds >= 0
    store.update(job_id, "a", progress=Progress(fraction=0.5, step=5, total_steps=10, preview_id=99))
    assert store.get(job_id).progress == Progress(fraction=0.5, step=5, total_steps=10, preview_id=0)
    store.update(job_id, "a", progress=Progress(fraction=0.6), preview=b"one")
    store.update(job_id, "a", progress=Progress(fraction=0.7, total_steps=10, eta_seconds=1), preview=b"two")
    assert (store.get(job_id).progress.preview_id, store.preview(job_id)) == (2, b"two")
    assert store.renew(job_id, "a") is False
    done = store.finish(
        job_id,
        "a",
        status=Status.SUCCEEDED,
        output=Output(url="r", media_type="image/png", width=64, height=48, bytes=6, sha256="0" * 64),
        metrics=Metrics(run_seconds=2.0, device="cpu"),
        result=b"result",
        preview=b"three",
    )
    assert done == store.get(job_id)
    assert done.status is Status.SUCCEEDED
    assert done.progress == Progress(fraction=1, step=10, total_steps=10, preview_id=3)
    assert done.completed_at
    assert done.expires_at
    assert (done.expires_at - done.completed_at).total_seconds() == Settings().result_ttl_seconds
    assert (done.metrics.run_seconds, done.metrics.device) == (2.0, "cpu")
    assert done.metrics.queue_seconds == job.metrics.queue_seconds
    assert (store.result(job_id), store.preview(job_id)) == (b"result", b"three")
    assert store.image(job_id, "content") == IMAGES["content"]


def test_a_failed_job_has_an_error_and_no_result(store: Store) -> None:
    job_id = add_job(store)
    start(store, job_id)
    store.update(job_id, "a", progress=Progress(fraction=0.5))
    job = store.finish(job_id, "a", status=Status.FAILED, error=FAILURE)
    assert (job.status, job.error, job.progress.fraction) == (Status.FAILED, FAILURE, 0.5)
    with pytest.raises(JobNotFinished):
        store.result(job_id)


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELED])
def test_nothing_leaves_a_final_status(store: Store, status: Status) -> None:
    job_id = add_job(store)
    start(store, job_id)
    if status is Status.SUCCEEDED:
        succeed(store, job_id)
    else:
        store.finish(job_id, "a", status=status, error=FAILURE if status is Status.FAILED else None)
    before = store.get(job_id)
    assert store.start(job_id, "a") is None
    assert store.request_cancel(job_id) == before
    for write in (
        lambda: store.renew(job_id, "a"),
        lambda: store.update(job_id, "a", progress=Progress(), preview=b"late"),
        lambda: store.requeue(job_id, "a"),
        lambda: succeed(store, job_id),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert store.get(job_id) == before


def test_the_end_of_a_job_must_fit_its_status(store: Store) -> None:
    job_id = add_job(store)
    start(store, job_id)
    for status, error, result in (
        (Status.PROCESSING, None, None),
        (Status.SUCCEEDED, None, b"result"),
        (Status.FAILED, None, None),
        (Status.CANCELED, FAILURE, None),
        (Status.CANCELED, None, b"result"),
    ):
        with pytest.raises(ValueError, match=r"status|job that"):
            store.finish(job_id, "a", status=status, error=error, result=result)
    assert store.get(job_id).status is Status.PROCESSING


# Cancelling


def test_a_queued_job_is_canceled_at_once(store: Store) -> None:
    job_id = add_job(store)
    job = store.request_cancel(job_id)
    assert (job.status, job.attempt) == (Status.CANCELED, 0)
    assert job.cancel_requested_at
    assert job.completed_at
    assert job.expires_at
    assert store.request_cancel(job_id) == job
    assert store.start(job_id, "a") is None


def test_a_running_job_is_only_asked_to_end(store: Store) -> None:
    job_id = add_job(store)
    start(store, job_id)
    job = store.request_cancel(job_id)
    assert job.status is Status.PROCESSING
    assert job.cancel_requested_at
    assert store.request_cancel(job_id) == job
    assert store.renew(job_id, "a") is True
    assert store.finish(job_id, "a", status=Status.CANCELED).status is Status.CANCELED


def test_cancelling_a_job_whose_worker_died_ends_it(make_store: MakeStore) -> None:
    store = make_store(Settings(lease_seconds=0.1))
    job_id = add_job(store)
    start(store, job_id)

    def cancelled() -> bool:
        return store.request_cancel(job_id).status is Status.CANCELED

    wait_until(cancelled)


def test_a_job_that_was_asked_to_end_is_not_taken_over(make_store: MakeStore) -> None:
    store = make_store(Settings(lease_seconds=0.1))
    job_id = add_job(store)
    start(store, job_id)
    store.request_cancel(job_id)

    def ended() -> bool:
        assert store.start(job_id, "b") is None
        return store.get(job_id).status is Status.CANCELED

    wait_until(ended)


# Leases


def test_of_many_starters_one_wins(store: Store) -> None:
    job_id = add_job(store)
    together = threading.Barrier(8)

    def compete(number: int) -> Job | None:
        together.wait()
        return store.start(job_id, f"worker {number}")

    with ThreadPoolExecutor(8) as pool:
        won = [job for job in pool.map(compete, range(8)) if job]
    assert len(won) == 1
    assert store.get(job_id).attempt == 1


def test_changes_at_the_same_time_do_not_lose_each_other(store: Store) -> None:
    job_id = add_job(store)
    start(store, job_id)
    with ThreadPoolExecutor(8) as pool:
        updates = [
            pool.submit(store.update, job_id, "a", progress=Progress(step=step), preview=b"preview")
            for step in range(30)
        ]
        pool.submit(store.request_cancel, job_id).result()
        for update in updates:
            update.result()
    job = store.get(job_id)
    assert job.progress.preview_id == 30
    assert job.cancel_requested_at


def test_a_job_is_taken_over_and_its_first_worker_can_write_no_more(make_store: MakeStore) -> None:
    store = make_store(Settings(lease_seconds=0.1))
    job_id = add_job(store)
    start(store, job_id, "slow")
    store.update(job_id, "slow", progress=Progress(fraction=0.5, step=5), preview=b"slow")
    wait_until(lambda: store.start(job_id, "next") is not None)
    for write in (
        lambda: store.renew(job_id, "slow"),
        lambda: store.update(job_id, "slow", progress=Progress(fraction=0.9), preview=b"late"),
        lambda: store.requeue(job_id, "slow"),
        lambda: succeed(store, job_id, "slow"),
        lambda: store.finish(job_id, "slow", status=Status.FAILED, error=FAILURE),
    ):
        with pytest.raises(LeaseLost):
            write()
    job = store.get(job_id)
    assert (job.status, job.attempt, job.progress) == (Status.PROCESSING, 2, Progress(preview_id=1))
    assert store.preview(job_id) == b"slow"


def test_a_worker_goes_on_after_its_lease_ran_out_when_nobody_took_the_job(make_store: MakeStore) -> None:
    store = make_store(Settings(lease_seconds=0.3))
    job_id = add_job(store)
    start(store, job_id)
    time.sleep(0.4)
    with pytest.raises(LeaseLost):
        store.renew(job_id, "b")
    assert store.renew(job_id, "a") is False
    assert store.start(job_id, "b") is None  # it is held again
    time.sleep(0.4)
    assert succeed(store, job_id).status is Status.SUCCEEDED
    assert store.result(job_id) == b"result"


def test_a_job_that_was_recovered_is_its_first_worker_s_no_more(make_store: MakeStore) -> None:
    store = make_store(Settings(lease_seconds=0.1))
    job_id = add_job(store)
    start(store, job_id)
    wait_until(lambda: bool(store.recover()))
    with pytest.raises(LeaseLost):
        store.renew(job_id, "a")
    with pytest.raises(LeaseLost):
        succeed(store, job_id)
    assert store.get(job_id).status is Status.QUEUED


def test_a_job_that_kills_its_workers_fails(make_store: MakeStore) -> None:
    store = make_store(Settings(lease_seconds=0.1, max_attempts=2))
    job_id = add_job(store)
    start(store, job_id, "first")
    wait_until(lambda: store.start(job_id, "second") is not None)

    def failed() -> bool:
        assert store.start(job_id, "third") is None
        return store.get(job_id).status is Status.FAILED

    wait_until(failed)
    job = store.get(job_id)
    assert job.error
    assert job.error.code == "worker_lost"
    assert job.attempt == 2
    assert job.expires_at


def test_a_job_that_is_given_back_is_queued_and_its_attempt_does_not_count(store: Store) -> None:
    job_id = add_job(store)
    for token in ("a", "b", "c", "d"):
        assert start(store, job_id, token).attempt == 1
        store.requeue(job_id, token)
        assert store.get(job_id).status is Status.QUEUED
        with pytest.raises(LeaseLost):
            store.renew(job_id, token)


def test_a_job_that_was_asked_to_end_is_not_queued_again(store: Store) -> None:
    job_id = add_job(store)
    start(store, job_id)
    store.request_cancel(job_id)
    store.requeue(job_id, "a")
    assert store.get(job_id).status is Status.CANCELED


def test_a_job_that_is_given_up_is_queued_and_its_attempt_counts(make_store: MakeStore) -> None:
    store = make_store(Settings(max_attempts=2))
    job_id = add_job(store)
    for attempt, status in ((1, Status.QUEUED), (2, Status.FAILED)):
        assert start(store, job_id, f"{attempt}").attempt == attempt
        assert store.abandon(job_id, f"{attempt}").status is status
        with pytest.raises(LeaseLost):
            store.renew(job_id, f"{attempt}")
    job = store.get(job_id)
    assert job.error
    assert (job.error.code, job.attempt) == ("worker_lost", 2)


def test_jobs_of_dead_workers_are_recovered(make_store: MakeStore) -> None:
    store = make_store(Settings(lease_seconds=0.1, max_attempts=2))
    asked, dying, waiting = (add_job(store) for _ in range(3))
    start(store, asked)
    store.request_cancel(asked)
    start(store, dying)
    recovered: dict[str, Job] = {}

    def gather() -> bool:
        recovered.update({job.id: job for job in store.recover()})
        return len(recovered) == 2

    wait_until(gather)
    assert {job_id: job.status for job_id, job in recovered.items()} == {
        asked: Status.CANCELED,
        dying: Status.QUEUED,
    }
    assert store.recover() == []
    assert start(store, dying, "b").attempt == 2
    wait_until(lambda: bool(store.recover()))
    job = store.get(dying)
    assert job.error
    assert job.error.code == "worker_lost"
    assert store.get(waiting).attempt == 0


def test_a_job_whose_worker_lives_is_left_to_it(store: Store) -> None:
    job_id = add_job(store)
    start(store, job_id)
    assert store.recover() == []
    assert store.renew(job_id, "a") is False


# Lists


def pages(store: Store, **query: object) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    for _ in count():
        page = store.list_jobs(cursor=cursor, **query)  # type: ignore[arg-type]
        found += [job.id for job in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found
    raise AssertionError


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 7])
def test_a_list_is_newest_first_and_its_pages_join(store: Store, limit: int) -> None:
    ids = sorted(add_job(store) for _ in range(6))
    assert pages(store, limit=limit) == ids[::-1]
    assert len(store.list_jobs(limit=limit).items) == min(limit, 6)


def test_an_empty_list(store: Store) -> None:
    page = store.list_jobs()
    assert (page.items, page.next_cursor) == ([], None)


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("owner", ["", "ada"])
def test_the_pages_of_few_among_many_jobs_join(
    store: Store, monkeypatch: pytest.MonkeyPatch, owner: str, limit: int
) -> None:
    monkeypatch.setattr("jobs.store._LOOKED_AT_ONCE", 3)
    monkeypatch.setattr("jobs.store._MOST_LOOKED_AT", 8)
    few = []
    for number in range(40):
        job = a_job(f"01K000000000000000000000{number:02}")
        if number in (0, 1, 2, 21, 39):
            job = job.model_copy(update={"method": "train"})
            few.append(job.id)
        store.create(job, IMAGES, owner=owner)
    assert pages(store, method="train", owner=owner, limit=limit) == few[::-1]
    assert pages(store, method="fast", owner=owner, limit=limit) == []


def test_a_page_ends_when_so_many_jobs_were_looked_at(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.store._LOOKED_AT_ONCE", 10)
    monkeypatch.setattr("jobs.store._MOST_LOOKED_AT", 20)
    store = RedisStore.connect(redis_url, Settings())
    ids = sorted(add_job(store) for _ in range(50))
    page = store.list_jobs(method="train", limit=1)
    assert (page.items, page.next_cursor) == ([], ids[-22])  # two, and ten twice
    assert len(store.list_jobs(limit=40).items) == 40
    store.close()


def test_no_job_is_skipped_or_repeated_while_jobs_come_and_go(store: Store) -> None:
    ids = [f"01K000000000000000000000{number:02}" for number in range(10, 90, 10)]
    for job_id in ids:
        add_job(store, job_id)
    first = store.list_jobs(limit=3)
    add_job(store, "01K00000000000000000000099")
    store.delete(ids[7])  # on the first page
    store.delete(ids[5])  # the cursor itself
    store.delete(ids[3])  # still to come
    second = store.list_jobs(limit=3, cursor=first.next_cursor)
    assert [job.id for job in first.items] == [ids[7], ids[6], ids[5]]
    assert [job.id for job in second.items] == [ids[4], ids[2], ids[1]]
    third = store.list_jobs(limit=3, cursor=second.next_cursor)
    assert [job.id for job in third.items] == [ids[0]]
    assert third.next_cursor is None


def test_a_list_by_status_follows_the_jobs(store: Store) -> None:
    ids = [add_job(store) for _ in range(4)]
    start(store, ids[0])
    start(store, ids[1])
    succeed(store, ids[1])
    store.request_cancel(ids[2])
    expected = {
        Status.QUEUED: [ids[3]],
        Status.PROCESSING: [ids[0]],
        Status.SUCCEEDED: [ids[1]],
        Status.CANCELED: [ids[2]],
        Status.FAILED: [],
    }
    assert {status: pages(store, status=status, limit=1) for status in Status} == expected
    assert len(pages(store, method="gatys", limit=3)) == 4
    assert pages(store, method="other", limit=3) == []


# Forgetting


def test_a_deleted_job_leaves_nothing_and_its_worker_learns_of_it(store: Store) -> None:
    job_id = add_job(store)
    start(store, job_id)
    store.update(job_id, "a", progress=Progress(), preview=b"preview")
    store.delete(job_id)
    with pytest.raises(LeaseLost):
        store.renew(job_id, "a")
    with pytest.raises(LeaseLost):
        store.update(job_id, "a", progress=Progress(), preview=b"preview")
    with pytest.raises(LeaseLost):
        succeed(store, job_id)
    for call in (store.get, store.preview, store.delete):
        with pytest.raises(UnknownJob):
            call(job_id)
    assert pages(store) == []


def test_a_finished_job_expires_with_all_it_has(make_store: MakeStore) -> None:
    store = make_store(Settings(result_ttl_seconds=1))
    expiring, staying = add_job(store), add_job(store)
    start(store, expiring)
    succeed(store, expiring, preview=b"preview")
    wait_until(lambda: error_of(lambda: store.get(expiring)) is ExpiredJob)
    for call in (store.preview, store.result, store.request_cancel):
        with pytest.raises(ExpiredJob):
            call(expiring)
    with pytest.raises(ExpiredJob):
        store.image(expiring, "content")
    assert store.start(expiring, "a") is None
    assert pages(store) == [staying]
    store.delete(expiring)
    with pytest.raises(UnknownJob):
        store.get(expiring)


def test_a_job_that_nobody_paints_expires_and_is_forgotten(make_store: MakeStore) -> None:
    store = make_store(Settings(pending_ttl_seconds=1, tombstone_ttl_seconds=1))
    job_id = add_job(store)
    wait_until(lambda: error_of(lambda: store.get(job_id)) is ExpiredJob)
    wait_until(lambda: error_of(lambda: store.get(job_id)) is UnknownJob)


# Redis alone


@pytest.mark.parametrize("change", ["lease", "job"])
def test_a_write_is_void_when_the_job_changes_under_it(redis_url: str, change: str) -> None:
    store = RedisStore.connect(redis_url, Settings())
    job_id = add_job(store)
    start(store, job_id)
    calls = []

    def slow_rule(job: Job, holder: str | None, _: str | None) -> Job:
        calls.append(holder)
        if len(calls) == 1:  # between what this rule saw and its write
            with redis.Redis.from_url(redis_url) as other:
                if change == "lease":
                    other.set(f"nst:job:{job_id}:lease", "b")
                else:
                    store.request_cancel(job_id)
        if holder != "a":
            raise LeaseLost
        return job.evolve(progress=Progress(step=7))

    if change == "lease":
        with pytest.raises(LeaseLost):
            store._change(job_id, slow_rule, token="a")
        assert calls == ["a", "b"]
        assert store.get(job_id).progress.step == 0
    else:
        job = store._change(job_id, slow_rule, token="a")
        assert calls == ["a", "a"]
        assert job.cancel_requested_at
    store.close()


def test_a_deleted_job_leaves_no_key(redis_url: str) -> None:
    store = RedisStore.connect(redis_url, Settings())
    with redis.Redis.from_url(redis_url) as client:
        ids = [add_job(store) for _ in range(3)]
        for job_id in ids[1:]:
            start(store, job_id)
            store.update(job_id, "a", progress=Progress(), preview=b"preview")
        succeed(store, ids[2])
        for job_id in ids:
            store.delete(job_id)
        assert list(client.scan_iter()) == [b"nst:tally"]  # which counts them
    store.close()


def test_every_key_of_a_job_expires(redis_url: str) -> None:
    store = RedisStore.connect(redis_url, Settings())
    with redis.Redis.from_url(redis_url) as client:
        job_id = add_job(store)
        assert all(client.ttl(key) > 0 for key in client.scan_iter("nst:job:*"))
        start(store, job_id)
        store.update(job_id, "a", progress=Progress(), preview=b"preview")
        assert len(list(client.scan_iter("nst:job:*"))) == 6
        assert all(client.ttl(key) > 0 for key in client.scan_iter("nst:job:*"))
        succeed(store, job_id)
        lifetimes = {key: client.ttl(key) for key in client.scan_iter("nst:job:*")}
        known = lifetimes.pop(f"nst:job:{job_id}:known".encode())
        assert len(lifetimes) == 4
        assert all(0 < ttl <= Settings().result_ttl_seconds < known for ttl in lifetimes.values())
    store.close()


def test_expired_jobs_leave_the_index_when_new_ones_come(redis_url: str) -> None:
    store = RedisStore.connect(redis_url, Settings())
    with redis.Redis.from_url(redis_url) as client:
        expired = [add_job(store) for _ in range(3)]
        for job_id in expired:
            client.delete(f"nst:job:{job_id}")
        new = [add_job(store).encode() for _ in range(10)]
        assert client.zrange("nst:jobs", 0, -1) == client.zrange("nst:jobs:queued", 0, -1) == new
    store.close()


def test_a_job_of_another_version_stands_in_nobody_s_way(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    store = RedisStore.connect(redis_url, Settings())
    with redis.Redis.from_url(redis_url) as client:
        junk, orphan = add_job(store), add_job(store)
        for job_id in (junk, orphan):
            start(store, job_id)
            client.delete(f"nst:job:{job_id}:lease")
        client.set(f"nst:job:{junk}", '{"id": "x", "wallpaper": true}')
        new = add_job(store)
        assert pages(store, limit=1) == [new, orphan]
        assert [job.id for job in store.recover()] == [orphan]
        assert f"job {junk} cannot be read" in caplog.text
        store.delete(junk)
        assert not list(client.scan_iter(f"nst:job:{junk}*"))
    store.close()


def test_a_store_that_is_away_says_so() -> None:
    store = RedisStore.connect("redis://127.0.0.1:1/0", Settings())
    for call in (store.ping, store.list_jobs, lambda: add_job(store), lambda: store.get("x")):
        with pytest.raises(StoreUnavailable):
            call()
    for change in (lambda: store.start("x", "a"), lambda: store.renew("x", "a"), lambda: store.delete("x")):
        with pytest.raises(StoreUnavailable):
            change()


def test_a_full_redis_refuses_new_jobs_as_unavailable(redis_url: str) -> None:
    store = RedisStore.connect(redis_url, Settings())
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory", "1")
        try:
            with pytest.raises(StoreUnavailable):
                add_job(store)
        finally:
            client.config_set("maxmemory", "0")
        assert list(client.scan_iter()) == []
    store.close()


def test_a_checkpoint_is_kept_until_the_job_ends(store: Store) -> None:
    job_id = add_job(store)
    start(store, job_id)
    assert store.checkpoint(job_id) is None
    store.save_checkpoint(job_id, "a", b"first")
    store.save_checkpoint(job_id, "a", b"second")
    with pytest.raises(LeaseLost):
        store.save_checkpoint(job_id, "b", b"of somebody else")
    store.requeue(job_id, "a")
    assert store.checkpoint(job_id) == b"second"
    start(store, job_id, "b")
    assert store.checkpoint(job_id) == b"second"
    succeed(store, job_id, "b")
    assert store.checkpoint(job_id) is None


def test_a_write_of_files_outlasts_the_renewals_of_its_own_lease(store: Store) -> None:
    job_id = add_job(store)
    start(store, job_id)
    calls: list[str] = []

    def rule(job: Job, holder: str | None, last: str | None) -> Job:
        calls.append(job.id)
        store.renew(job_id, "a")  # as the heartbeat does while a large file is on its way
        return job

    store._change(job_id, rule, {"checkpoint": b"large"}, token="a")
    assert calls == [job_id]
    assert store.checkpoint(job_id) == b"large"


def a_snapshot(step: int, width: int = 64) -> Snapshot:
    return Snapshot(step=step, url=f"s/{step}", width=width, height=48, bytes=7)


def test_snapshots_are_kept_in_order_of_their_steps(store: Store) -> None:
    job_id = add_job(store)
    assert (store.snapshots(job_id), store.snapshot(job_id, 2)) == ([], None)
    start(store, job_id)
    for step in (10, 2, 1000):
        store.save_snapshot(job_id, "a", a_snapshot(step), b"step %d" % step)
    with pytest.raises(LeaseLost):
        store.save_snapshot(job_id, "b", a_snapshot(3), b"of somebody else")
    assert store.snapshots(job_id) == [a_snapshot(step) for step in (2, 10, 1000)]
    assert [store.snapshot(job_id, step) for step in (2, 10, 1000, 3)] == [b"step 2", b"step 10", b"step 1000", None]
    succeed(store, job_id)
    assert len(store.snapshots(job_id)) == 3
    assert store.snapshot(job_id, 1000) == b"step 1000"


def test_a_job_that_starts_again_replaces_its_snapshots(store: Store) -> None:
    job_id = add_job(store)
    start(store, job_id)
    for step in (1, 2):
        store.save_snapshot(job_id, "a", a_snapshot(step), b"first")
    store.requeue(job_id, "a")
    assert len(store.snapshots(job_id)) == 2
    start(store, job_id, "b")
    store.save_snapshot(job_id, "b", a_snapshot(1, width=32), b"again")
    assert store.snapshots(job_id) == [a_snapshot(1, width=32), a_snapshot(2)]
    assert [store.snapshot(job_id, step) for step in (1, 2)] == [b"again", b"first"]


def test_snapshots_expire_and_are_deleted_with_their_job(make_store: MakeStore) -> None:
    store = make_store(Settings(result_ttl_seconds=1))
    expiring, deleted = add_job(store), add_job(store)
    for job_id in (expiring, deleted):
        start(store, job_id)
        store.save_snapshot(job_id, "a", a_snapshot(1), b"picture")
    store.delete(deleted)
    for call in (store.snapshots, lambda job_id: store.snapshot(job_id, 1)):
        with pytest.raises(UnknownJob):
            call(deleted)
    succeed(store, expiring)
    wait_until(lambda: error_of(lambda: store.get(expiring)) is ExpiredJob)
    for call in (store.snapshots, lambda job_id: store.snapshot(job_id, 1)):
        with pytest.raises(ExpiredJob):
            call(expiring)


def test_nothing_in_redis_stays_for_good(redis_url: str) -> None:
    store = RedisStore.connect(redis_url, Settings())
    job_id = add_job(store)
    start(store, job_id)
    store.save_snapshot(job_id, "a", a_snapshot(1), b"picture")
    with redis.Redis.from_url(redis_url) as client:

        def lasting() -> set[bytes]:
            return {key for key in client.scan_iter() if client.ttl(key) == -1}

        indexes = {b"nst:jobs", b"nst:jobs:processing", b"nst:jobs:processing:gatys", b"nst:tally"}
        assert lasting() == indexes
        assert client.ttl(f"nst:job:{job_id}:snapshots") > Settings().result_ttl_seconds
        succeed(store, job_id)
        assert lasting() == {b"nst:jobs", b"nst:jobs:succeeded", b"nst:tally"}
        for name in ("snapshots", "steps"):
            assert 0 < client.ttl(f"nst:job:{job_id}:{name}") <= Settings().result_ttl_seconds
    store.close()


# Answers that are lost


def test_what_was_done_is_not_done_again_when_its_answer_is_lost(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = Pipeline._execute_transaction
    lost = 0

    def lose_every_other(pipe: Pipeline, *arguments: Any) -> list[Any]:
        nonlocal lost
        answer = execute(pipe, *arguments)
        lost += 1
        if lost % 2:
            pipe.watching = True  # Redis's answer would have ended that
            raise redis.ConnectionError
        return answer

    store = RedisStore.connect(redis_url, Settings())
    monkeypatch.setattr(Pipeline, "_execute_transaction", lose_every_other)
    job_id = add_job(store)
    assert start(store, job_id).attempt == 1
    assert succeed(store, job_id).status is Status.SUCCEEDED
    tally = store.tally()
    assert (tally.accepted("gatys"), tally.ended(Status.SUCCEEDED, "gatys")) == (1, 1)
    assert lost == 6
    store.close()
