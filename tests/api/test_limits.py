"""Limits: requests in a minute, bytes in a day, jobs that wait and run; by key, or by address."""

import re
from collections.abc import Callable, Iterator

import pytest
import redis
from limits import RateLimitItemPerMinute

from api.quotas import Quotas
from jobs.contract import Status
from jobs.errors import StoreUnavailable
from jobs.protocol import Store

ADA, BOB = "ada-0123456789abcdef", "bob-0123456789abcdef"
KEYS = f"ada:{ADA},bob:{BOB}"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def refused(response, code: str, limit: str) -> None:
    assert (response.status_code, response.json()["code"]) == (429, code)
    assert int(response.headers["retry-after"]) >= 1
    assert limit in response.json()["detail"]
    assert response.headers["content-type"] == "application/problem+json"


def at(client, address: str):
    """The same application as seen from another address."""
    return type(client)(client.app, base_url="http://server", client=(address, 50_000))


# Requests in a minute


def test_without_limits_nothing_is_counted(client, redis_url: str) -> None:
    assert "ratelimit" not in client.get("/jobs").headers
    with redis.Redis.from_url(redis_url) as other:
        assert other.keys("nst:limits*") == []


def test_a_key_has_so_many_requests_in_a_minute(make_client) -> None:
    client = make_client(api_keys=KEYS, rate_limit_per_minute=3)
    for remaining in (2, 1, 0):
        response = client.get("/presets", headers=bearer(ADA))
        assert response.status_code == 200
        assert response.headers["ratelimit-policy"] == '"requests";q=3;w=60'
        assert re.fullmatch(rf'"requests";r={remaining};t=([1-9]|[1-5]\d|60)', response.headers["ratelimit"])
    response = client.get("/presets", headers=bearer(ADA))
    refused(response, "too_many_requests", "3 requests a minute (requests_per_minute of the key, NST_RATE_LIMIT_PER")
    assert response.headers["ratelimit"].startswith('"requests";r=0')
    assert 1 <= int(response.headers["retry-after"]) <= 120
    assert client.get("/presets", headers=bearer(BOB)).status_code == 200
    # Who is not let in uses up nobody's limit, and health checks have none.
    assert client.get("/presets").status_code == 401
    assert "ratelimit" not in client.get("/livez").headers


def test_errors_count_and_tell_too(make_client) -> None:
    client = make_client(rate_limit_per_minute=2)
    for path, status in (("/nothing", 404), ("/jobs?limit=x", 422), ("/nothing", 429)):
        response = client.get(path)
        assert response.status_code == status
        assert "ratelimit" in response.headers


def test_without_keys_addresses_have_limits(make_client) -> None:
    client = make_client(rate_limit_per_minute=1)
    statuses = {
        "192.0.2.1": 200,
        "192.0.2.2": 200,
        "::ffff:192.0.2.2": 429,  # the same in IPv6
        "2001:db8::1": 200,
        "2001:db8::ffff": 429,  # the same network
        "2001:db8:0:1::1": 200,
        "not an address": 200,
    }
    assert {address: at(client, address).get("/presets").status_code for address in statuses} == statuses


def test_a_key_may_have_limits_of_its_own(make_client, tmp_path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(
        f'{{"keys": [{{"name": "ada", "key": "{ADA}", "requests_per_minute": 1}}, {{"name": "bob", "key": "{BOB}"}}]}}'
    )
    client = make_client(api_keys_file=file)
    assert [client.get("/presets", headers=bearer(ADA)).status_code for _ in range(2)] == [200, 429]
    for _ in range(3):
        response = client.get("/presets", headers=bearer(BOB))
        assert (response.status_code, "ratelimit" in response.headers) == (200, False)


def test_without_redis_nothing_can_be_counted(make_client) -> None:
    client = make_client(rate_limit_per_minute=1, redis_url="redis://127.0.0.1:1/0")
    response = client.get("/presets")
    assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
    assert int(response.headers["retry-after"]) > 0
    assert client.get("/livez").status_code == 200


def test_the_document_tells_of_limits(make_client) -> None:
    paths = make_client(rate_limit_per_minute=1).get("/openapi.json").json()["paths"]
    assert {"429", "503"} <= set(paths["/presets"]["get"]["responses"])
    assert "429" not in paths["/livez"]["get"]["responses"]


# Bytes in a day


def test_a_caller_sends_so_many_bytes_in_a_day(make_client, png: bytes) -> None:
    form = {"content": png, "style": png}
    size = int(make_client().post("/jobs", files=form).request.headers["content-length"])
    client = make_client(max_bytes_per_day=2 * size + 1)
    for remaining in (size + 1, 1):
        response = client.post("/jobs", files=form)
        assert response.status_code == 202
        assert response.headers["ratelimit-policy"] == f'"bytes";q={2 * size + 1};w=86400;qu="content-bytes"'
        assert response.headers["ratelimit"].startswith(f'"bytes";r={remaining};t=')
    response = client.post("/jobs", files=form)
    refused(response, "too_many_bytes", f"{2 * size + 1} bytes sent in a day")
    assert int(response.headers["retry-after"]) > 3600
    assert client.get("/jobs").status_code == 200


def test_a_request_that_is_refused_for_its_bytes_is_not_counted(make_client, png: bytes) -> None:
    client = make_client(max_bytes_per_day=10, rate_limit_per_minute=3)
    for _ in range(4):
        response = client.post("/jobs", files={"content": png, "style": png})
        refused(response, "too_many_bytes", "10 bytes sent in a day")
        assert response.headers["ratelimit"].startswith('"requests";r=3;t=')
    assert client.get("/jobs").headers["ratelimit"].startswith('"requests";r=2;t=')


def test_a_body_of_unknown_length_is_not_taken(make_client) -> None:
    client = make_client(max_bytes_per_day=1000)
    response = client.post("/jobs", content=iter([b"x"]))
    assert (response.status_code, response.json()["code"]) == (411, "length_required")


def test_a_body_that_is_too_large_anyway_is_told_so_and_not_counted(make_client, png: bytes) -> None:
    client = make_client(max_bytes_per_day=100_000, max_request_bytes=1000)
    response = client.post("/jobs", files={"content": png * 20, "style": png})
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    assert "ratelimit" not in response.headers


# Jobs that wait and run


def test_a_caller_has_so_many_jobs_at_a_time(make_client, store: Store, png: bytes) -> None:
    client = make_client(api_keys=KEYS, max_queued_per_key=2)

    def send(key: str):
        return client.post("/jobs", files={"content": png, "style": png}, headers=bearer(key))

    jobs = [send(ADA).json()["id"] for _ in range(2)]
    refused(send(ADA), "too_many_jobs", "2 jobs that wait and run (queued_jobs of the key, NST_MAX_QUEUED_PER_KEY)")
    assert send(BOB).status_code == 202
    assert store.start(jobs[0], "a")
    refused(send(ADA), "too_many_jobs", "2 jobs")
    store.finish(jobs[0], "a", status=Status.CANCELED)
    assert send(ADA).status_code == 202
    assert len(store.list_jobs(owner="ada").items) == 3


def test_without_keys_an_address_has_so_many_jobs_and_sees_all(make_client, store: Store, png: bytes) -> None:
    client = make_client(max_queued_per_key=1)
    form = {"content": png, "style": png}
    here, there = at(client, "192.0.2.1"), at(client, "192.0.2.2")
    assert [client.post("/jobs", files=form).status_code for client in (here, here, there)] == [202, 429, 202]
    assert len(here.get("/jobs").json()["items"]) == 2
    assert {store.owner(job["id"]) for job in here.get("/jobs").json()["items"]} == {"@192.0.2.1", "@192.0.2.2"}


def test_addresses_are_kept_only_where_they_are_needed(client, store: Store, png: bytes) -> None:
    job_id = client.post("/jobs", files={"content": png, "style": png}).json()["id"]
    assert store.owner(job_id) == ""


def test_a_training_that_is_refused_leaves_its_id_free(make_client, tmp_path, png: bytes) -> None:
    client = make_client(api_keys=KEYS, max_queued_per_key=1, training_images=tmp_path)

    def train(key: str) -> int:
        return client.post("/styles", files={"style": png}, data={"id": "noise"}, headers=bearer(key)).status_code

    assert client.post("/jobs", files={"content": png, "style": png}, headers=bearer(ADA)).status_code == 202
    assert [train(ADA), train(BOB), train(BOB)] == [429, 202, 409]


# The counters


@pytest.fixture
def quotas(redis_url: str) -> Iterator[Quotas]:
    quotas = Quotas(redis_url)
    yield quotas
    quotas.close()


@pytest.fixture
def at_windows(redis_url: str) -> Iterator[Callable[..., None]]:
    """Makes the counts of the window before, so many seconds before its end, and of this one."""
    with redis.Redis.from_url(redis_url) as client:

        def make(before: int, before_ends: int, now: int) -> None:
            key = "nst:limits:{LIMITER/ada/10/1/minute}"
            client.set(f"{key}/-1", before, px=before_ends * 1000)
            client.set(key, now, px=(60 + before_ends) * 1000)

        yield make


@pytest.mark.parametrize(
    ("before", "before_ends", "now", "cost", "wait"),
    [
        (10, 30, 6, 1, 6),  # less than four of ten are left
        (10, 30, 0, 10, 24),  # less than one is left
        (0, 30, 10, 1, 30),  # this window ends
        (0, 30, 10, 10, 84),  # and less than one of ten is left
        (0, 30, 0, 11, 60),  # never
    ],
)
def test_a_refusal_says_when_there_is_room(
    quotas: Quotas, at_windows: Callable[..., None], before: int, before_ends: int, now: int, cost: int, wait: int
) -> None:
    at_windows(before, before_ends, now)
    standing = quotas.take(RateLimitItemPerMinute(10), "ada", cost)
    assert not standing.allowed
    assert wait - 5 <= standing.retry_after <= wait  # the clock runs


def test_counters_expire(quotas: Quotas, redis_url: str) -> None:
    quotas.take(RateLimitItemPerMinute(10), "ada")
    with redis.Redis.from_url(redis_url) as client:
        assert [0 < client.ttl(key) <= 120 for key in client.scan_iter()] == [True]


def test_counters_that_are_away_say_so() -> None:
    quotas = Quotas("redis://127.0.0.1:1/0")
    with pytest.raises(StoreUnavailable):
        quotas.take(RateLimitItemPerMinute(10), "ada")
    quotas.close()
