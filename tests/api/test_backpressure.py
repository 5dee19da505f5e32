"""A server that has enough to do, or to keep."""

from redis import Redis


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
            refused = client.post("/jobs", files=sent)
        finally:
            redis.config_set("maxmemory", 0)
    assert (refused.status_code, refused.json()["code"]) == (503, "store_full")
    assert "NST_MAX_REDIS_PERCENT" in refused.json()["detail"]
    assert client.post("/jobs", files=sent).status_code == 202
