"""What every answer has: headers for browsers, a problem when nobody foresaw it, and HEAD besides GET."""

import asyncio

import pytest
import redis

from api.middleware import HeadAsGet
from api.settings import ApiSettings
from jobs.contract import Job, JobInput, Output, Status, Urls, new_job_id, now
from jobs.memory import MemoryStore
from jobs.protocol import Store


def add_job(store: Store) -> str:
    job_id = new_job_id()
    job_input = JobInput(params={"size": 64}, content_sha256="c", style_sha256=["s"])
    store.create(Job(id=job_id, created_at=now(), input=job_input, urls=Urls.of(job_id)), {"content": b"c"})
    return job_id


def add_result(store: Store) -> str:
    job_id = add_job(store)
    assert store.start(job_id, "a")
    output = Output(url="r", media_type="image/png", width=64, height=48, bytes=6, sha256="0" * 64)
    store.finish(job_id, "a", status=Status.SUCCEEDED, output=output, result=b"result")
    return job_id


# Headers


@pytest.fixture
def broken_client(make_client):
    class BrokenStore(MemoryStore):
        def list_jobs(self, **_: object):
            raise RuntimeError

    app = make_client().app
    app.state.backend.store = BrokenStore(ApiSettings())
    client = type(make_client())(app, base_url="http://server", raise_server_exceptions=False)
    yield client
    client.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/livez", 200), ("GET", "/no", 404), ("PUT", "/jobs", 405), ("POST", "/jobs", 415), ("GET", "/jobs", 500)],
)
def test_every_answer_keeps_browsers_from_mistakes(broken_client, method: str, path: str, status: int) -> None:
    response = broken_client.request(method, path)
    assert response.status_code == status
    headers = {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "x-frame-options": "DENY",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "no-store",
    }
    assert {name: response.headers[name] for name in headers} == headers


def test_a_picture_has_them_too(client, store: Store) -> None:
    headers = client.get(f"/jobs/{add_result(store)}/result").headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cache-control"].startswith("private, immutable")


# HEAD


def test_head_answers_as_get_without_the_body(client, store: Store) -> None:
    job_id = add_result(store)
    for path in ("/livez", "/docs", "/openapi.json", "/jobs", f"/jobs/{job_id}", f"/jobs/{job_id}/result", "/no"):
        got, head = client.get(path), client.head(path)
        assert head.status_code == got.status_code, path
        assert head.content == b""
        assert {**head.headers, "x-request-id": ""} == {**got.headers, "x-request-id": ""}
    etag = client.head(f"/jobs/{job_id}/result").headers["etag"]
    assert client.head(f"/jobs/{job_id}/result", headers={"If-None-Match": etag}).status_code == 304


def test_head_is_refused_where_get_is(client) -> None:
    response = client.head("/masks")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


def test_head_ends_a_stream(client) -> None:
    async def endless(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"more", "more_body": True})
            await asyncio.sleep(0)

    sent: list[dict[str, object]] = []

    async def send(message) -> None:
        sent.append(message)

    asyncio.run(HeadAsGet(endless)({"type": "http", "method": "HEAD"}, None, send))
    assert [message.get("body") for message in sent] == [None, b""]


# Addresses


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/jobs", "GET, POST, HEAD"),
        ("POST", "/jobs/01K00000000000000000000000", "GET, DELETE, HEAD"),
        ("GET", "/jobs/01K00000000000000000000000/cancel", "POST"),
        ("OPTIONS", "/livez", "GET, HEAD"),
    ],
)
def test_a_refused_method_is_told_all_that_are_not(client, method: str, path: str, allowed: str) -> None:
    response = client.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, allowed)
    assert response.json()["code"] == "method_not_allowed"


def test_a_slash_too_many_leads_nowhere(client) -> None:
    response = client.get("/jobs/", follow_redirects=False)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


# Jobs of other versions


@pytest.mark.parametrize("part", ["", "/result", "/preview", "/snapshots", "/snapshots/sheet", "/cancel"])
def test_a_job_of_another_version_is_gone_for_this_one(client, redis_url: str, store: Store, part: str) -> None:
    job_id = add_job(store)
    with redis.Redis.from_url(redis_url) as other:
        other.set(f"nst:job:{job_id}", '{"of": "another version"}', keepttl=True)
    response = client.request("POST" if part == "/cancel" else "GET", f"/jobs/{job_id}{part}")
    assert (response.status_code, response.json()["code"]) == (410, "job_unreadable")
    assert client.get("/jobs").json()["items"] == []
    assert client.delete(f"/jobs/{job_id}").status_code == 204
    assert client.get(f"/jobs/{job_id}").status_code == 404


# The page to read


def test_the_page_shows_every_call_and_loads_nothing(client) -> None:
    response = client.get("/docs")
    page = response.text
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for method, operation in operations.items():
            assert f"<code>{method.upper()} {path}</code>" in page
            assert operation["summary"] in page
    assert "<code>style_layers</code>" in page
    assert not any(word in page for word in ("src=", "<script", "<link", 'href="http', "url(", "@import"))
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
