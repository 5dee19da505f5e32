"""Jobs that are there: read, list, cancel, forget."""

import hashlib
from datetime import timedelta

import pytest
import redis

from jobs.contract import Job, JobError, JobInput, Output, Progress, Status, Urls, new_job_id, now
from jobs.protocol import Store

RESULT = b"\x89PNG result"
SHA256 = hashlib.sha256(RESULT).hexdigest()


@pytest.fixture
def job_id(store: Store) -> str:
    return add_job(store)


def add_job(store: Store) -> str:
    job_id = new_job_id()
    job_input = JobInput(params={"size": 64}, content_sha256="c", style_sha256=["s"])
    store.create(Job(id=job_id, created_at=now(), input=job_input, urls=Urls.of(job_id)), {"content": b"c"})
    return job_id


def succeed(store: Store, job_id: str) -> None:
    store.start(job_id, "a")
    output = Output(
        url=f"jobs/{job_id}/result", media_type="image/png", width=64, height=48, bytes=len(RESULT), sha256=SHA256
    )
    store.finish(job_id, "a", status=Status.SUCCEEDED, output=output, result=RESULT)


def test_a_job_tells_when_to_ask_again_until_it_is_finished(client, store: Store, job_id: str) -> None:
    response = client.get(f"/jobs/{job_id}")
    assert (response.status_code, response.json()["status"]) == (200, "queued")
    assert int(response.headers["retry-after"]) > 0
    assert response.headers["cache-control"] == "no-store"
    store.start(job_id, "a")
    assert "retry-after" in client.get(f"/jobs/{job_id}").headers
    store.finish(job_id, "a", status=Status.FAILED, error=JobError(code="timeout", message="too slow"))
    response = client.get(f"/jobs/{job_id}")
    assert "retry-after" not in response.headers
    assert response.json()["error"] == {"code": "timeout", "message": "too slow"}


@pytest.mark.parametrize("job_id", ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "x", "01k", "%00", "8" * 26, "é"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/result"), ("GET", "/preview"), ("POST", "/cancel"), ("DELETE", "")],
)
def test_an_unknown_job_is_not_found(client, job_id: str, method: str, path: str) -> None:
    response = client.request(method, f"/jobs/{job_id}{path}")
    assert (response.status_code, response.json()["code"]) == (404, "job_not_found")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("GET", "/result"), ("GET", "/preview"), ("POST", "/cancel")]
)
def test_an_expired_job_is_gone(client, redis_url: str, job_id: str, method: str, path: str) -> None:
    with redis.Redis.from_url(redis_url) as keys:
        keys.delete(f"nst:job:{job_id}")  # as its time to live does
    response = client.request(method, f"/jobs/{job_id}{path}")
    assert (response.status_code, response.json()["code"]) == (410, "job_expired")


# Results


def test_the_result_is_an_image_to_keep(client, store: Store, job_id: str) -> None:
    succeed(store, job_id)
    response = client.get(f"/jobs/{job_id}/result")
    assert (response.status_code, response.content) == (200, RESULT)
    assert response.headers["content-type"] == "image/png"
    assert response.headers["etag"] == f'"{SHA256}"'
    assert response.headers["content-disposition"] == f'inline; filename="{job_id}.png"'
    assert response.headers["x-content-type-options"] == "nosniff"
    policy, max_age = response.headers["cache-control"].rsplit("=", 1)
    assert policy == "private, immutable, max-age"
    expires_at = store.get(job_id).expires_at
    assert expires_at is not None
    assert now() + timedelta(seconds=int(max_age)) <= expires_at


@pytest.mark.parametrize("header", [f'"{SHA256}"', f'W/"{SHA256}"', f'"other", "{SHA256}"', "*"])
def test_a_result_that_the_client_has_is_not_sent_again(client, store: Store, job_id: str, header: str) -> None:
    succeed(store, job_id)
    response = client.get(f"/jobs/{job_id}/result", headers={"If-None-Match": header})
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == f'"{SHA256}"'


def test_another_result_is_sent(client, store: Store, job_id: str) -> None:
    succeed(store, job_id)
    assert client.get(f"/jobs/{job_id}/result", headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_job_without_result_says_why(client, store: Store, job_id: str) -> None:
    response = client.get(f"/jobs/{job_id}/result")
    assert (response.status_code, response.json()["code"]) == (409, "job_not_finished")
    assert "retry-after" in response.headers
    store.start(job_id, "a")
    store.finish(job_id, "a", status=Status.FAILED, error=JobError(code="timeout", message="too slow"))
    response = client.get(f"/jobs/{job_id}/result")
    assert (response.status_code, response.json()["code"]) == (409, "job_failed")
    assert "too slow" in response.json()["detail"]
    assert "retry-after" not in response.headers
    canceled = add_job(store)
    store.request_cancel(canceled)
    assert client.get(f"/jobs/{canceled}/result").json()["code"] == "job_canceled"


def test_previews_change(client, store: Store, job_id: str) -> None:
    response = client.get(f"/jobs/{job_id}/preview")
    assert (response.status_code, response.json()["code"]) == (404, "preview_not_found")
    store.start(job_id, "a")
    store.update(job_id, "a", progress=Progress(), preview=b"first")
    first = client.get(f"/jobs/{job_id}/preview")
    assert (first.content, first.headers["content-type"]) == (b"first", "image/jpeg")
    again = {"If-None-Match": first.headers["etag"]}
    assert client.get(f"/jobs/{job_id}/preview", headers=again).status_code == 304
    store.update(job_id, "a", progress=Progress(), preview=b"second")
    assert client.get(f"/jobs/{job_id}/preview", headers=again).content == b"second"


# Lists


def test_a_list_has_pages(client, store: Store) -> None:
    ids = sorted((add_job(store) for _ in range(5)), reverse=True)
    first = client.get("/jobs", params={"limit": 3}).json()
    second = client.get("/jobs", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [job["id"] for job in first["items"] + second["items"]] == ids
    assert second["next_cursor"] is None


def test_a_list_is_filtered(client, store: Store) -> None:
    canceled, queued = add_job(store), add_job(store)
    store.request_cancel(canceled)
    assert [job["id"] for job in client.get("/jobs?status=canceled").json()["items"]] == [canceled]
    assert [job["id"] for job in client.get("/jobs?status=queued&method=gatys").json()["items"]] == [queued]
    assert client.get("/jobs?method=fast").json()["items"] == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "status=done", "status=", "method=slow", "cursor=x", "cursor=%00"]
)
def test_bad_queries_are_refused(client, query: str) -> None:
    response = client.get(f"/jobs?{query}")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_query")
    assert response.json()["errors"][0]["pointer"] == f"#/{query.partition('=')[0]}"


# Cancelling and forgetting


def test_cancelling_is_idempotent(client, store: Store, job_id: str) -> None:
    first = client.post(f"/jobs/{job_id}/cancel")
    assert (first.status_code, first.json()["status"]) == (200, "canceled")
    assert client.post(f"/jobs/{job_id}/cancel").json() == first.json()
    running = add_job(store)
    store.start(running, "a")
    response = client.post(f"/jobs/{running}/cancel")
    assert (response.status_code, response.json()["status"]) == (200, "processing")
    assert response.json()["cancel_requested_at"]
    assert store.renew(running, "a") is True


def test_cancelling_a_finished_job_changes_nothing(client, store: Store, job_id: str) -> None:
    succeed(store, job_id)
    assert client.post(f"/jobs/{job_id}/cancel").json()["status"] == "succeeded"


def test_a_deleted_job_is_unknown_and_leaves_nothing(client, store: Store, redis_url: str, job_id: str) -> None:
    succeed(store, job_id)
    response = client.delete(f"/jobs/{job_id}")
    assert (response.status_code, response.content) == (204, b"")
    assert client.get(f"/jobs/{job_id}").status_code == 404
    assert client.delete(f"/jobs/{job_id}").status_code == 404
    with redis.Redis.from_url(redis_url) as keys:
        assert keys.keys() == [b"nst:tally"]
