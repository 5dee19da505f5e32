"""What is logged of each request, and how it is named."""

import logging
import re

import pytest

from api.settings import ApiSettings
from jobs.logs import job_in_hand, request_in_hand
from jobs.memory import MemoryStore

MADE = re.compile(r"[0-9a-f]{32}")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The access lines, with the job and the request at the time."""

    def keep_context(record: logging.LogRecord) -> bool:
        record.job_id, record.request_id = job_in_hand.get(), request_in_hand.get()
        return True

    caplog.set_level("INFO", "api.access")
    caplog.handler.addFilter(keep_context)
    return caplog


def access_line(lines: pytest.LogCaptureFixture) -> logging.LogRecord:
    (line,) = [record for record in lines.records if record.name == "api.access"]
    return line


def test_a_request_is_logged_without_its_query(client, lines) -> None:
    answer = client.get("/jobs?limit=5&key=secret", headers={"X-Request-ID": "proxy-1"})
    line = access_line(lines)
    assert re.fullmatch(r"GET /jobs 200 \d+\.\d ms", line.getMessage())
    assert (line.method, line.path, line.status, line.request_id, line.job_id) == (
        *("GET", "/jobs", 200, "proxy-1", None),
    )
    assert line.milliseconds > 0
    assert answer.headers["x-request-id"] == "proxy-1"
    assert "secret" not in str(line.__dict__)


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 101, "line%0Abreak", "<b>"])
def test_a_request_without_a_sane_name_gets_one(client, given: str | None) -> None:
    answer = client.get("/livez", headers={} if given is None else {"X-Request-ID": given})
    assert MADE.fullmatch(answer.headers["x-request-id"])


def test_a_request_about_a_job_names_it(client, lines, png: bytes) -> None:
    accepted = client.post("/jobs", files={"content": png, "style": png})
    job_id = accepted.json()["id"]
    assert access_line(lines).job_id == job_id
    lines.clear()
    client.post(f"/jobs/{job_id}/cancel")
    assert access_line(lines).job_id == job_id
    lines.clear()
    client.get("/jobs")
    assert access_line(lines).job_id is None


def test_a_path_cannot_forge_a_line(client, lines) -> None:
    client.get("/nothing%0A[2026] POST /jobs%20" + "x" * 1000)
    line = access_line(lines)
    assert "\n" not in line.getMessage()
    assert len(line.getMessage()) < 400
    assert line.status == 404


def test_what_is_unexpected_has_a_name_too(make_client, lines) -> None:
    class BrokenStore(MemoryStore):
        def list_jobs(self, **_: object):
            raise RuntimeError("broken")

    app = make_client().app
    app.state.backend.store = BrokenStore(ApiSettings())
    with type(make_client())(app, raise_server_exceptions=False) as client:
        answer = client.get("/jobs", headers={"X-Request-ID": "proxy-2"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "proxy-2")
    assert (access_line(lines).status, access_line(lines).request_id) == (500, "proxy-2")


def test_the_path_is_logged_as_it_was_asked_for_behind_a_proxy(make_client, lines) -> None:
    make_client(root_path="/nst").get("/nst/livez")
    assert access_line(lines).path == "/nst/livez"
