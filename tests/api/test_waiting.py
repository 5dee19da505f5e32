"""``Prefer: wait``."""

import base64
import gc
import io
import json.decoder
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event
from time import sleep

import pytest
from PIL import Image

import api
from api.settings import ApiSettings
from jobs.contract import Job, JobInput, Status, Urls, new_job_id, now
from jobs.errors import StoreUnavailable
from jobs.news import Tell
from jobs.protocol import Store
from jobs.store import RedisStore
from tests.service import wait_for

APPLIED = "preference-applied"


@pytest.fixture
def job_id(store: Store) -> str:
    job_id = new_job_id()
    job_input = JobInput(params={"size": 64}, content_sha256="c", style_sha256=["s"])
    store.create(Job(id=job_id, created_at=now(), input=job_input, urls=Urls.of(job_id)), {"content": b"c"})
    return job_id


def only_job(store: Store) -> Job:
    while not (items := store.list_jobs().items):
        sleep(0.01)
    return items[0]


def test_an_accepted_job_is_answered_when_it_has_ended(client, store: Store, png: bytes) -> None:
    with ThreadPoolExecutor(1) as threads:
        files = {"content": png, "style": png}
        post = threads.submit(client.post, "/jobs", files=files, headers={"Prefer": "respond-async, wait=60"})
        store.request_cancel(only_job(store).id)
        response = post.result()
    job = response.json()
    assert (response.status_code, job["status"]) == (200, "canceled")
    assert response.headers["location"] == f"/jobs/{job['id']}"
    assert response.headers[APPLIED] == "wait=60"
    assert "retry-after" not in response.headers


def test_one_that_takes_longer_is_answered_as_accepted(client, png: bytes) -> None:
    response = client.post("/jobs", files={"content": png, "style": png}, headers={"Prefer": "wait=1"})
    assert (response.status_code, response.json()["status"]) == (202, "queued")
    assert {APPLIED, "retry-after"} <= set(response.headers)


def test_a_job_can_be_read_when_it_has_ended(client, store: Store, job_id: str) -> None:
    with ThreadPoolExecutor(1) as threads:
        get = threads.submit(client.get, f"/jobs/{job_id}", headers={"Prefer": "wait"})
        store.request_cancel(job_id)
        response = get.result()
    assert (response.status_code, response.json()["status"]) == (200, "canceled")


@pytest.mark.parametrize("header", [None, "wait=0", "respond-async", "awaiting=3", ""])
def test_without_the_preference_nobody_waits(client, job_id: str, header: str | None) -> None:
    response = client.get(f"/jobs/{job_id}", headers={"Prefer": header} if header is not None else {})
    assert (response.status_code, response.json()["status"]) == (200, "queued")
    assert APPLIED not in response.headers


def test_the_first_of_several_counts(client, job_id: str) -> None:
    response = client.get(f"/jobs/{job_id}", headers=[("Prefer", 'Wait="0"; x=1, wait=7'), ("Prefer", "wait=8")])
    assert APPLIED not in response.headers


@pytest.mark.parametrize("value", ["61", "-1", "1.5", "soon", "²", "9" * 30])
def test_a_wait_that_cannot_be_is_refused_before_the_job_is_made(client, store: Store, png: bytes, value: str) -> None:
    headers = {"Prefer": f"wait={value}".encode()}
    response = client.post("/jobs", files={"content": png, "style": png}, headers=headers)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_header")
    assert "at most 60 (NST_MAX_WAIT_SECONDS)" in response.json()["detail"]
    assert store.list_jobs().items == []


def test_when_too_many_wait_further_ones_are_answered_at_once(
    make_client, store: Store, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, watch = Event(), store.watch

    def told_watch(job_id: str, tell: Tell) -> AbstractContextManager[None]:
        waits.set()
        return watch(job_id, tell)

    monkeypatch.setattr(store, "watch", told_watch)
    with make_client(max_waiting=1) as client, ThreadPoolExecutor(1) as threads:
        first = threads.submit(client.get, f"/jobs/{job_id}", headers={"Prefer": "wait=60"})
        assert waits.wait(60)
        response = client.get(f"/jobs/{job_id}", headers={"Prefer": "wait=60"})
        assert response.json()["status"] == "queued"
        assert APPLIED not in response.headers
        store.request_cancel(job_id)
        assert first.result().json()["status"] == "canceled"


def test_a_job_that_was_accepted_is_answered_when_the_store_goes_away(
    client, store: Store, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(job_id: str) -> Job:
        raise StoreUnavailable

    get = store.get
    monkeypatch.setattr(store, "get", away)
    response = client.post("/jobs", files={"content": png, "style": png}, headers={"Prefer": "wait=5"})
    assert (response.status_code, response.json()["status"]) == (202, "queued")
    assert get(response.json()["id"]).status is Status.QUEUED


def test_a_job_that_is_deleted_while_somebody_waits_is_not_there(client, store: Store, job_id: str, png: bytes) -> None:
    with ThreadPoolExecutor(2) as threads:
        get = threads.submit(client.get, f"/jobs/{job_id}", headers={"Prefer": "wait=30"})
        wait_for(lambda: client.app.state.backend.waiters._taken)
        store.delete(job_id)
        assert (get.result().status_code, get.result().json()["code"]) == (404, "job_not_found")
        post = threads.submit(client.post, "/jobs", files={"content": png, "style": png}, headers={"Prefer": "wait=30"})
        job = only_job(store)
        wait_for(lambda: client.app.state.backend.waiters._taken)
        store.delete(job.id)
        assert (post.result().status_code, post.result().json()["id"]) == (202, job.id)


def test_a_request_that_waits_keeps_no_images(make_client, redis_url: str) -> None:
    settings = ApiSettings(redis_url=redis_url)
    client = make_client()
    client.app.state.backend.store = store = RedisStore.connect(redis_url, settings)
    big = io.BytesIO()
    Image.effect_noise((1000, 1000), 100).save(big, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(big.getvalue()).decode()}"

    def kept() -> int:
        """Bytes that the API keeps of what it has read."""
        gc.collect()
        readers = (base64.__file__, json.decoder.__file__, str(Path(api.__file__).parent / "*"))
        snapshot = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, name) for name in readers])
        return sum(trace.size for trace in snapshot.traces)

    tracemalloc.start()
    try:
        with ThreadPoolExecutor(1) as threads:
            post = threads.submit(
                client.post, "/jobs", json={"content_url": url, "style_url": url}, headers={"Prefer": "wait=60"}
            )
            job = only_job(store)
            wait_for(lambda: kept() < len(big.getvalue()) / 2)
            store.request_cancel(job.id)
            assert post.result().status_code == 200
    finally:
        tracemalloc.stop()
        store.close()


def test_a_job_that_was_waited_for_is_told_also_without_its_place(
    client, store: Store, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(job: Job) -> object:
        raise StoreUnavailable

    monkeypatch.setattr(store, "standing", away)
    response = client.get(f"/jobs/{job_id}", headers={"Prefer": "wait=1"})
    assert (response.status_code, response.json()["status"]) == (200, "queued")
    assert client.get(f"/jobs/{job_id}").status_code == 503
