"""Requests that are sent again."""

from typing import Any

import pytest

from jobs.contract import Status
from jobs.errors import StoreUnavailable


def send(client, png: bytes, key: str = "k", **fields: Any):
    sent = {"content": png, "style": png}
    return client.post("/jobs", files=sent, data=fields, headers={"Idempotency-Key": key})


def test_a_request_that_is_sent_again_makes_no_second_job(client, png: bytes) -> None:
    first, again = send(client, png, size=64), send(client, png, size=64)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["location"] == first.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len(client.get("/jobs").json()["items"]) == 1
    client.post(f"/jobs/{first.json()['id']}/cancel")
    ended = send(client, png, size=64)
    assert (ended.status_code, ended.json()["status"]) == (200, "canceled")


def test_another_key_or_none_makes_another_job(client, png: bytes) -> None:
    ids = {send(client, png, key, size=64).json()["id"] for key in ("a", "b")}
    ids |= {client.post("/jobs", files={"content": png, "style": png}).json()["id"] for _ in range(2)}
    assert len(ids) == 4


@pytest.mark.parametrize("changes", [{"size": 65}, {"priority": "low"}, {"metadata": "{}", "seed": 1}])
def test_a_key_is_for_one_request(client, png: bytes, picture, changes: dict[str, Any]) -> None:
    assert send(client, png, size=64).status_code == 202
    for refused in (send(client, png, **{"size": 64, **changes}), send(client, picture(width=90), size=64)):
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
        assert refused.json()["errors"][0]["pointer"] == "#/Idempotency-Key"
    assert len(client.get("/jobs").json()["items"]) == 1


def test_a_request_that_was_refused_has_no_key(client, png: bytes, store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert send(client, png, size=7).status_code == 422
    with monkeypatch.context() as patch:

        def away(*_: object, **__: object) -> None:
            raise StoreUnavailable

        patch.setattr(store, "create", away)
        assert send(client, png, size=64).status_code == 503
    assert send(client, png, size=65).status_code == 202


def test_a_key_whose_job_is_deleted_is_free(client, png: bytes) -> None:
    first = send(client, png, size=64).json()["id"]
    assert client.delete(f"/jobs/{first}").status_code == 204
    again = send(client, png, size=64)
    assert again.status_code == 202
    assert "idempotency-replayed" not in again.headers
    assert send(client, png, size=64).json()["id"] == again.json()["id"] != first


def test_a_key_whose_job_is_not_stored_yet_is_not(client, png: bytes, store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(client.app.state.backend.claims, "confirm", lambda *_: None)
        first = send(client, png, size=64).json()["id"]
    store.delete(first)
    waits = send(client, png, size=64)
    assert (waits.status_code, waits.json()["code"]) == (409, "idempotency_key_in_use")
    assert waits.headers["retry-after"] == "1"
    monkeypatch.setattr("api.idempotency._BEING_ACCEPTED", 0.0)
    again = send(client, png, size=64)
    assert again.status_code == 202
    assert again.json()["id"] != first


def test_training_a_style_again_is_no_second_training(make_client, png: bytes) -> None:
    client = make_client()
    answers = [
        client.post(
            "/styles",
            files={"style": png, "photograph": png},
            data={"id": "mine", "crop": 64},
            headers={"Idempotency-Key": "k"},
        )
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"]


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_what_is_no_key_is_refused(client, png: bytes, key: str) -> None:
    refused = send(client, png, key)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_header")


def test_keys_of_callers_do_not_meet(make_client, png: bytes) -> None:
    client = make_client(api_keys="one:0123456789abcdef,two:fedcba9876543210")
    found = set()
    for key in ("0123456789abcdef", "fedcba9876543210"):
        client.headers["X-API-Key"] = key
        found.add(send(client, png, size=64).json()["id"])
    assert len(found) == 2


def test_priority_and_time_to_live(client, png: bytes, store) -> None:
    answer = send(client, png, size=64, priority="high", ttl_seconds=60).json()
    assert (answer["priority"], answer["ttl_seconds"]) == ("high", 60)
    store.request_cancel(answer["id"])
    job = store.get(answer["id"])
    assert job.status is Status.CANCELED
    assert (job.expires_at - job.completed_at).total_seconds() == 60
    for name, value in (("priority", "urgent"), ("ttl_seconds", 0), ("ttl_seconds", 604801), ("ttl_seconds", "x")):
        refused = send(client, png, "other", **{name: value})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == f"#/{name}"
