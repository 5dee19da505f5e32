"""A server that has enough to do, or to keep."""

from collections.abc import Iterator
from time import sleep

import pytest
from redis import Redis

from api.backpressure import LOOK_SECONDS
from jobs.contract import Output, Progress, Status
from jobs.protocol import Store

ADA = "ada-0123456789abcdef"


def test_a_full_queue_takes_no_more(make_client, png: bytes) -> None:
    client = make_client(max_queued_jobs=2)
    sent = {"content": png, "style": png}
    first = client.post("/jobs", files=sent).json()["id"]
    assert client.post("/jobs", files=sent).status_code == 202
    for refused in (client.post("/jobs", files=sent), client.post("/styles", files={"style": png})):
        assert (refused.status_code, refused.json()["code"]) == (503, "queue_full")
        assert "NST_MAX_QUEUED_JOBS" in refused.json()["detail"]
        assert int(refused.headers["retry-after"]) > 0
    client.post(f"/jobs/{first}/cancel")
    assert client.post("/jobs", files=sent).status_code == 202


def test_a_full_queue_answers_what_was_sent_before(make_client, png: bytes) -> None:
    client = make_client(max_queued_jobs=1)

    def send(key: str):
        headers = {"Idempotency-Key": key}
        return client.post("/jobs", files={"content": png, "style": png}, headers=headers)

    first = send("a").json()["id"]
    again = send("a")
    assert (again.status_code, again.json()["id"]) == (202, first)
    assert send("b").json()["code"] == "queue_full"
    # Only what was sent before: a deleted job's key makes another one, for which there must be room.
    client.delete(f"/jobs/{first}")
    second = send("b").json()["id"]
    for _ in range(2):
        assert send("a").json()["code"] == "queue_full"
    client.delete(f"/jobs/{second}")
    assert send("a").json()["id"] not in (first, second)


def test_without_a_limit_any_number_waits(make_client, png: bytes) -> None:
    client = make_client(max_queued_jobs=0)
    assert {client.post("/jobs", files={"content": png, "style": png}).status_code for _ in range(3)} == {202}


def test_a_redis_that_is_nearly_full_takes_no_more(make_client, png: bytes, redis_url: str) -> None:
    client = make_client(max_redis_percent=50)
    sent = {"content": png, "style": png}
    with Redis.from_url(redis_url) as redis:
        used = redis.info("memory")["used_memory"]
        try:
            redis.config_set("maxmemory", used * 3)
            assert client.post("/jobs", files=sent).status_code == 202
            redis.config_set("maxmemory", round(used * 1.5))
            sleep(LOOK_SECONDS)
            refused = client.post("/jobs", files=sent)
        finally:
            redis.config_set("maxmemory", 0)
    assert (refused.status_code, refused.json()["code"]) == (503, "store_full")
    assert "NST_MAX_REDIS_PERCENT" in refused.json()["detail"]
    sleep(LOOK_SECONDS)
    assert client.post("/jobs", files=sent).status_code == 202


@pytest.fixture
def full(redis_url: str) -> Iterator[Redis]:
    """A Redis whose memory is full as soon as ``maxmemory`` is 1."""
    with Redis.from_url(redis_url) as redis:
        yield redis
        redis.config_set("maxmemory", 0)


def finished(store: Store, job_id: str) -> None:
    output = Output(url="r", media_type="image/png", width=64, height=48, bytes=6, sha256="0" * 64)
    store.start(job_id, "a")
    store.finish(job_id, "a", status=Status.SUCCEEDED, output=output, result=b"result")


@pytest.mark.parametrize("limited", [False, True])
def test_a_full_redis_is_read_from(make_client, store: Store, png: bytes, full: Redis, limited: bool) -> None:
    limits = {"api_keys": f"ada:{ADA}", "rate_limit_per_minute": 1000, "max_bytes_per_day": 10**9} if limited else {}
    client = make_client(**limits)
    client.headers["X-API-Key"] = ADA
    sent = {"content": png, "style": png}
    job_id = client.post("/jobs", files=sent).json()["id"]
    finished(store, job_id)
    full.config_set("maxmemory", 1)
    for path in ("/jobs", f"/jobs/{job_id}", f"/jobs/{job_id}/result", "/styles", "/system", "/readyz", "/metrics"):
        assert client.get(path).status_code == 200, path
    assert "nst_redis_up 1.0" in client.get("/metrics").text
    refused = client.post("/jobs", files=sent)
    assert (refused.status_code, refused.json()["code"]) == (503, "store_full")


def test_what_a_job_keeps_makes_room_to_forget_it(client, store: Store, png: bytes, full: Redis) -> None:
    job_id = client.post("/jobs", files={"content": png, "style": png}).json()["id"]
    store.start(job_id, "a")
    store.update(job_id, "a", progress=Progress(step=1), preview=bytes(30_000_000))
    full.config_set("maxmemory", full.info("memory")["used_memory"] - 10_000_000)
    assert client.post("/jobs", files={"content": png, "style": png}).json()["code"] == "store_full"
    assert client.delete(f"/jobs/{job_id}").status_code == 204
    assert client.get(f"/jobs/{job_id}").status_code == 404
    assert store.list_jobs().items == []
