"""Webhooks are checked before a job is accepted, and shown with it."""

import base64
from typing import Any

import pytest

from api.webhook_form import EVENTS

SECRET = "whsec_" + "c2VjcmV0" * 4

#: An address, so that no name is looked up; nobody is called.
URL = "https://93.184.215.14/painted?order=17"


@pytest.fixture
def post(make_client, png):
    """Sends a job with these fields to a server with these settings."""

    def post(fields: dict[str, Any], path: str = "/jobs", **settings: Any):
        client = make_client(**{"webhook_secret": SECRET, **settings})
        files = {"content": png, "style": png} if path == "/jobs" else {"style": png, "photograph": png}
        data = {"style_size": "64"} if path == "/jobs" else {"id": "noise", "style_size": "64", "crop": "64"}
        return client.post(path, data=data | fields, files=files)

    return post


@pytest.mark.parametrize("path", ["/jobs", "/styles"])
def test_a_job_shows_its_webhook(post, path) -> None:
    response = post({"webhook": URL}, path)
    assert response.status_code == 202, response.text
    assert response.json()["webhook"] == {"url": URL, "events": ["succeeded", "failed", "canceled"]}


def test_events_are_a_list(post) -> None:
    for sent in ("failed, processing,failed", ["processing", "failed"]):
        response = post({"webhook": URL, "webhook_events": sent})
        assert response.json()["webhook"]["events"] == ["processing", "failed"]


def test_a_job_without_a_webhook_has_none(post) -> None:
    assert post({}).json()["webhook"] is None


def test_lists_of_jobs_do_not_show_the_query(post, client) -> None:
    job = post({"webhook": URL}).json()
    (listed,) = client.get("/jobs").json()["items"]
    assert listed | {"queue": job["queue"]} == job | {"webhook": job["webhook"] | {"url": URL.partition("?")[0]}}
    assert client.get(f"/jobs/{job['id']}").json()["webhook"]["url"] == URL


@pytest.mark.parametrize(
    ("fields", "field", "code", "detail"),
    [
        ({"webhook": "https://10.0.0.1/"}, "webhook", "url_not_allowed", "not public"),
        ({"webhook": "http://127.0.0.1/"}, "webhook", "url_not_allowed", "not public"),
        ({"webhook": "http://[::ffff:127.0.0.1]/"}, "webhook", "url_not_allowed", "not public"),
        ({"webhook": "ftp://93.184.215.14/"}, "webhook", "url_not_allowed", "http and https"),
        ({"webhook": "https://93.184.215.14:22/"}, "webhook", "url_not_allowed", "Port 22"),
        ({"webhook": "painted"}, "webhook", "url_not_allowed", "http"),
        ({"webhook": ""}, "webhook", "url_not_allowed", "http"),
        ({"webhook": URL + "x" * 2048}, "webhook", "invalid_options", "at most 2048 letters"),
        ({"webhook": [URL, URL]}, "webhook", "invalid_options", "sent once"),
        ({"webhook": URL, "webhook_events": "queued"}, "webhook_events", "invalid_options", "must be of processing, "),
        ({"webhook": URL, "webhook_events": ""}, "webhook_events", "invalid_options", "must be of processing, "),
        ({"webhook_events": "failed"}, "webhook_events", "invalid_options", "goes with a webhook"),
    ],
)
@pytest.mark.parametrize("path", ["/jobs", "/styles"])
def test_what_cannot_be_called_is_refused(post, client, path, fields, field, code, detail) -> None:
    response = post(fields, path)
    assert response.status_code == 422
    problem = response.json()
    assert problem["code"] == code
    (error,) = problem["errors"]
    assert error["pointer"] == f"#/{field}"
    assert detail in error["detail"]
    assert client.get("/jobs").json()["items"] == []


def test_without_a_key_webhooks_are_refused(post) -> None:
    response = post({"webhook": URL}, webhook_secret=None)
    assert response.status_code == 422
    assert "NST_WEBHOOK_SECRET" in response.json()["errors"][0]["detail"]


def test_hosts_of_the_settings_may_be_called(post) -> None:
    response = post({"webhook": "http://127.0.0.1:8080/"}, url_allowed_hosts="127.0.0.1:8080")
    assert response.status_code == 202, response.text


def test_the_name_of_a_host_is_looked_up(post) -> None:
    def resolve(host: str, port: int) -> list[str]:
        assert (host, port) == ("receiver.example", 443)
        return addresses

    webhook = {"webhook": "https://receiver.example/painted"}
    addresses = ["93.184.215.14"]
    assert post(webhook, resolve=resolve).status_code == 202
    addresses = ["93.184.215.14", "192.168.1.1"]
    assert post(webhook, resolve=resolve).json()["code"] == "url_not_allowed"
    addresses = []
    assert post(webhook, resolve=resolve).json()["code"] == "url_unreachable"


def test_json_names_it_as_well(make_client, png) -> None:
    client = make_client(webhook_secret=SECRET)
    image = "data:image/png;base64," + base64.b64encode(png).decode()
    sent = {"content": image, "style": image, "webhook": URL}
    response = client.post("/jobs", json={**sent, "webhook_events": ["failed", "canceled"]})
    assert response.status_code == 202, response.text
    assert response.json()["webhook"] == {"url": URL, "events": ["failed", "canceled"]}
    for field, value in {"webhook": 17, "webhook_events": [1]}.items():
        response = client.post("/jobs", json=sent | {field: value})
        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, f"#/{field}")


def test_the_document_describes_what_is_sent(client) -> None:
    document = client.get("/openapi.json").json()
    operation = document["webhooks"]["job"]["post"]
    assert [parameter["name"] for parameter in operation["parameters"]] == [
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    ]
    message = document["components"]["schemas"]["WebhookMessage"]["properties"]
    assert message["type"]["enum"] == [f"job.{event}" for event in EVENTS]
    assert message["data"]["$ref"].endswith("/Job")
