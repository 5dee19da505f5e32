"""API keys: who is let in, what each may see and end, and that keys stay secret."""

import json
import logging
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import redis

from api.keys import InvalidKeys, KeyRing
from api.settings import ApiSettings
from jobs.contract import Job, JobInput, Output, Snapshot, Status, Urls, new_job_id, now
from jobs.protocol import Store
from jobs.styles import StyleStore
from nst_core.gallery import Style

ADA, BOB = "ada-0123456789abcdef", "bob-0123456789abcdef"
KEYS = f"ada:{ADA}, bob:{BOB}"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def guarded(make_client):
    return make_client(api_keys=KEYS)


def add_job(store: Store, owner: str, *, succeeded: bool = False) -> str:
    job_id = new_job_id()
    job_input = JobInput(params={"size": 64}, content_sha256="c", style_sha256=["s"])
    job = Job(id=job_id, created_at=now(), input=job_input, urls=Urls.of(job_id))
    store.create(job, {"content": b"c"}, owner=owner)
    if succeeded:
        assert store.start(job_id, "a")
        output = Output(url="r", media_type="image/png", width=64, height=48, bytes=6, sha256="0" * 64)
        shot = Snapshot(step=5, url="s", width=8, height=8, bytes=4)
        store.save_snapshot(job_id, "a", shot, b"shot")
        store.finish(job_id, "a", status=Status.SUCCEEDED, output=output, result=b"result", preview=b"preview")
    return job_id


# Who is let in


@pytest.mark.parametrize("headers", [bearer(ADA), {"Authorization": f"bearer  {ADA}"}, {"X-API-Key": ADA}])
def test_a_key_is_sent_in_either_header(guarded, headers: dict[str, str]) -> None:
    assert guarded.get("/jobs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ({}, 'Bearer realm="nst"'),
        ({"Authorization": "Basic YTpi"}, 'Bearer realm="nst"'),
        (bearer("someone-elses-0123"), 'Bearer realm="nst", error="invalid_token"'),
        (bearer(ADA + "x"), 'Bearer realm="nst", error="invalid_token"'),
        (bearer(ADA[:-1]), 'Bearer realm="nst", error="invalid_token"'),
        (bearer("ada"), 'Bearer realm="nst", error="invalid_token"'),
        ({"X-API-Key": "ü" * 20}, 'Bearer realm="nst", error="invalid_token"'),
    ],
)
def test_nobody_else_is_let_in(guarded, headers: dict[str, str], challenge: str) -> None:
    sent = {name: value.encode() for name, value in headers.items()}
    for method, path in (
        ("GET", "/jobs"),
        ("POST", "/jobs"),
        ("GET", "/styles"),
        ("GET", "/nothing"),
        ("PUT", "/jobs"),
    ):
        response = guarded.request(method, path, headers=sent)
        assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
        assert response.headers["www-authenticate"] == challenge
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["x-content-type-options"] == "nosniff"


def test_a_browser_asks_without_a_key(make_client) -> None:
    client = make_client(api_keys=KEYS, cors_origins=["*"])
    headers = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
    assert client.options("/jobs", headers=headers).status_code == 200
    response = client.get("/jobs", headers={"Origin": "https://page.example"})
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (401, "*")


@pytest.mark.parametrize("root", ["", "/nst"])
def test_what_says_how_to_call_is_open(make_client, root: str) -> None:
    client = make_client(api_keys=KEYS, root_path=root)
    for path in ("/livez", "/readyz", "/docs", "/openapi.json"):
        assert client.get(root + path).status_code == 200
        assert client.head(root + path).status_code == 200
    for path in ("/livez/", "/%2flivez", "/livez/../jobs", "/LIVEZ", "/docs/x"):
        assert client.get(root + path).status_code == 401


def test_every_call_of_the_document_needs_a_key(guarded) -> None:
    document = guarded.get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert document["components"]["securitySchemes"]["header"]["name"] == "X-API-Key"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            response = guarded.request(method, path.replace("{job_id}", new_job_id()))
            needed = path not in ("/livez", "/readyz")
            assert ("security" in operation, "401" in operation["responses"]) == (needed, needed)
            assert (response.status_code == 401) == needed


def test_without_keys_the_document_asks_for_none(client) -> None:
    document = client.get("/openapi.json").json()
    assert "securitySchemes" not in document["components"]
    assert not any("401" in operation["responses"] for ops in document["paths"].values() for operation in ops.values())


# What is whose


def test_each_sees_its_own_jobs(guarded, store: Store, png: bytes) -> None:
    sent = {
        key: guarded.post("/jobs", files={"content": png, "style": png}, headers=bearer(key)).json()["id"]
        for key in (ADA, BOB)
    }
    nobodys = add_job(store, "")
    for key, job_id in sent.items():
        assert [job["id"] for job in guarded.get("/jobs", headers=bearer(key)).json()["items"]] == [job_id]
        job = guarded.get(f"/jobs/{job_id}", headers=bearer(key))
        assert job.status_code == 200
        assert "owner" not in job.text
        for other in {*sent.values(), nobodys} - {job_id}:
            assert guarded.get(f"/jobs/{other}", headers=bearer(key)).status_code == 404


@pytest.mark.parametrize(
    ("method", "part"),
    [
        *(
            ("GET", part)
            for part in ("", "/result", "/preview", "/events", "/snapshots", "/snapshots/5", "/snapshots/sheet")
        ),
        ("GET", "/snapshots/animation"),
        ("HEAD", "/result"),
        ("POST", "/cancel"),
        ("DELETE", ""),
    ],
)
def test_another_ones_job_is_as_if_it_were_not(guarded, store: Store, method: str, part: str) -> None:
    job_id = add_job(store, "ada", succeeded=True)
    response = guarded.request(method, f"/jobs/{job_id}{part}", headers=bearer(BOB))
    missing = guarded.request(method, f"/jobs/{new_job_id()}{part}", headers=bearer(BOB))
    assert response.status_code == missing.status_code == 404
    if method != "HEAD":
        assert response.json() | {"instance": ""} == missing.json() | {"instance": ""}
    assert store.get(job_id).status is Status.SUCCEEDED


def test_an_expired_job_is_told_to_its_owner_only(guarded, redis_url: str, store: Store) -> None:
    job_id = add_job(store, "ada")
    with redis.Redis.from_url(redis_url) as other:
        other.delete(f"nst:job:{job_id}")
    assert guarded.get(f"/jobs/{job_id}", headers=bearer(ADA)).status_code == 410
    assert guarded.get(f"/jobs/{job_id}", headers=bearer(BOB)).status_code == 404


def test_pages_go_on_within_one_owners_jobs(guarded, store: Store) -> None:
    added = [add_job(store, name) for _ in range(5) for name in ("ada", "bob")]
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = guarded.get("/jobs", params=query, headers=bearer(BOB)).json()
        found += [job["id"] for job in page["items"]]
        cursor = page["next_cursor"]
    assert found == added[1::2][::-1]
    # The cursor of somebody else's page leads to one's own jobs.
    page = guarded.get("/jobs", params={"cursor": added[-1]}, headers=bearer(ADA)).json()
    assert [job["id"] for job in page["items"]] == added[::2][::-1]


def test_without_keys_everybody_sees_everything(client, store: Store) -> None:
    job_id = add_job(store, "ada")
    assert client.get(f"/jobs/{job_id}").status_code == 200
    assert len(client.get("/jobs").json()["items"]) == 1


def test_a_style_is_everybodys_and_deleted_by_its_owner(guarded, redis_url: str) -> None:
    styles = StyleStore.connect(redis_url)
    for owner in ("ada", ""):
        style = Style(id=owner or "nobodys", title="x", training={}, losses={})
        styles.add(style, weights=b"w", thumbnail=b"t", job_id="j", owner=owner)
    for key, removable in ((ADA, ["ada"]), (BOB, [])):
        items = guarded.get("/styles", headers=bearer(key)).json()["items"]
        assert [item["id"] for item in items] == ["waves", "waves_color", "ada", "nobodys"]
        assert [item["id"] for item in items if item["removable"]] == removable
        assert guarded.get("/styles/ada", headers=bearer(key)).json()["removable"] == bool(removable)
    for style_id in ("ada", "nobodys", "waves"):
        response = guarded.delete(f"/styles/{style_id}", headers=bearer(BOB))
        assert (response.status_code, response.json()["code"]) == (403, "style_not_removable")
    assert guarded.delete("/styles/ada", headers=bearer(ADA)).status_code == 204
    assert guarded.delete("/styles/ada", headers=bearer(ADA)).status_code == 404
    styles.close()


# Keys that can be, and where they come from


def ring(**settings: object) -> KeyRing:
    return KeyRing.read(ApiSettings(**settings))  # type: ignore[arg-type]


def test_keys_come_from_the_environment_and_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keys.toml"
    digest = sha256(BOB.encode()).hexdigest()
    file.write_text(f'[[keys]]\nname = "bob"\nsha256 = "{digest}"\nrequests_per_minute = 5\nqueued_jobs = 0\n')
    monkeypatch.setenv("NST_API_KEYS", f"ada:{ADA}")
    monkeypatch.setenv("NST_API_KEYS_FILE", str(file))
    keys = ring(rate_limit_per_minute=60, max_queued_per_key=3)
    ada, bob = keys.caller(ADA), keys.caller(BOB)
    assert ada
    assert bob
    assert (ada.name, ada.limits.requests_per_minute, ada.limits.queued_jobs) == ("ada", 60, 3)
    assert (bob.name, bob.limits.requests_per_minute, bob.limits.queued_jobs) == ("bob", 5, 0)
    assert keys.caller(digest) is None
    monkeypatch.setenv("NST_API_KEYS", "")
    monkeypatch.setenv("NST_API_KEYS_FILE", "")
    assert not ring()


SECRET = "secret-secret-secret"


def as_json(*entries: dict[str, object]) -> str:
    return json.dumps({"keys": entries})


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("k.json", as_json({"name": "a", "key": SECRET, "sha256": "0" * 64}), "keys.0: .*either key or sha256"),
        ("k.json", as_json({"name": "a"}), "either key or sha256"),
        ("k.json", as_json({"name": "a", "key": SECRET[:15]}), "at least 16"),
        ("k.json", as_json({"name": "a", "key": SECRET + " x"}), "without spaces"),
        ("k.json", as_json({"name": "a:" + SECRET, "key": SECRET}), "keys.0.name"),
        ("k.json", as_json({"name": "a", "sha256": SECRET}), "keys.0.sha256"),
        ("k.json", as_json({"name": "a", "key": SECRET, "per_minute": 1}), "keys.0.per_minute"),
        ("k.json", as_json({"name": "a", "key": SECRET, "queued_jobs": -1}), "queued_jobs"),
        ("k.json", as_json(*[{"name": "a", "key": SECRET + "1"}, {"name": "a", "key": SECRET + "2"}]), "'a' .* twice"),
        ("k.json", as_json(*[{"name": "a", "key": SECRET}, {"name": "b", "key": SECRET}]), "'b' .* twice"),
        ("k.json", as_json(), "keys"),
        ("k.json", f'["{SECRET}"', "not JSON"),
        ("k.toml", f"keys = {SECRET}", "not TOML"),
        ("k.json", None, "NST_API_KEYS_FILE: No such file"),
    ],
)
def test_a_file_that_cannot_be_is_refused_without_a_key(tmp_path: Path, name: str, text: str, reason: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InvalidKeys, match=reason) as refused:
        ring(api_keys_file=tmp_path / name)
    assert SECRET[:15] not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (SECRET, "entry 1 is not name:key"),
        (f"a:{SECRET},", "entry 2 is not name:key"),
        (f"a:{SECRET[:15]}", "entry 1: .*at least 16"),
        (f":{SECRET}", "entry 1: name"),
        (f"@1.2.3.4:{SECRET}", "entry 1: name"),
        (f"a:{SECRET},a:{SECRET}x", "twice"),
    ],
)
def test_keys_that_cannot_be_are_refused_without_telling_them(keys: str, reason: str) -> None:
    with pytest.raises(InvalidKeys, match=reason) as refused:
        ring(api_keys=keys)
    assert SECRET[:15] not in str(refused.value)


def test_keys_stay_secret(guarded, png: bytes, caplog: pytest.LogCaptureFixture, redis_url: str) -> None:
    caplog.set_level(logging.DEBUG)
    answers: list[Callable[[], object]] = [
        lambda: guarded.get("/openapi.json"),
        lambda: guarded.get("/nothing", headers=bearer(ADA)),
        lambda: guarded.get("/jobs?limit=x", headers={"X-API-Key": ADA}),
        lambda: guarded.get("/jobs", headers=bearer(ADA + "x")),
        lambda: guarded.post("/jobs", files={"content": png, "style": png}, headers=bearer(ADA)),
    ]
    for answer in answers:
        assert ADA not in answer().text  # type: ignore[attr-defined]
    assert ADA not in caplog.text
    assert ADA not in repr(guarded.app.state.backend.settings)
    with redis.Redis.from_url(redis_url) as client:
        assert ADA.encode() not in b"".join(client.dump(key) + key for key in client.scan_iter())
