"""Pages of other origins."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.settings import ApiSettings

PAGE = "https://page.example"
PREFLIGHT = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}


def test_it_is_off_by_default(client) -> None:
    response = client.get("/livez", headers={"Origin": PAGE})
    assert "access-control-allow-origin" not in response.headers
    assert client.options("/jobs", headers=PREFLIGHT).status_code == 405


@pytest.mark.parametrize(
    ("path", "status"), [("/livez", 200), ("/nothing", 404), ("/jobs?limit=0", 422), ("/jobs/x/cancel", 405)]
)
def test_pages_of_a_named_origin_may_read_every_answer(make_client, path: str, status: int) -> None:
    client = make_client(cors_origins="http://localhost:5173, " + PAGE)
    response = client.get(path, headers={"Origin": PAGE})
    assert response.status_code == status
    assert response.headers["access-control-allow-origin"] == PAGE
    assert response.headers["vary"] == "Origin"
    assert response.headers["cross-origin-resource-policy"] == "cross-origin"
    readable = response.headers["access-control-expose-headers"].lower().split(", ")
    assert {"location", "retry-after", "etag", "ratelimit", "preference-applied"} <= set(readable)
    assert "access-control-allow-credentials" not in response.headers
    assert "access-control-allow-origin" not in client.get(path, headers={"Origin": "https://other.example"}).headers


def test_every_header_that_is_documented_may_be_read(make_client) -> None:
    client = make_client(cors_origins=[PAGE])
    exposed = client.get("/livez", headers={"Origin": PAGE}).headers["access-control-expose-headers"].split(", ")
    operations = [o for path in client.get("/openapi.json").json()["paths"].values() for o in path.values()]
    described = {name for o in operations for answer in o["responses"].values() for name in answer.get("headers", ())}
    documentation = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    told = set(re.findall(r"(?:`|^)(RateLimit|ETag|Allow|[A-Z][A-Za-z]*(?:-[A-Z][A-Za-z]*)+)[`:]", documentation, re.M))
    sent = {"Content-Length", "Idempotency-Key", "If-None-Match", "Last-Event-ID", "Sec-Fetch-Site", "X-API-Key"}
    assert {"Idempotency-Replayed", "RateLimit-Policy", "WWW-Authenticate"} <= told
    assert (described | told) - sent <= set(exposed)


def test_faults_can_be_read_too(make_client) -> None:
    app = make_client(cors_origins=["*"]).app
    app.state.backend.store = None
    client = type(make_client())(app, raise_server_exceptions=False)
    response = client.get("/jobs", headers={"Origin": PAGE})
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (500, "*")
    client.close()


def test_a_page_may_ask_what_it_may_send(make_client) -> None:
    client = make_client(cors_origins=[PAGE])
    response = client.options("/jobs", headers=PREFLIGHT)
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (200, PAGE)
    allowed = response.headers["access-control-allow-headers"].lower()
    assert all(name in allowed for name in ("authorization", "x-api-key", "prefer", "idempotency-key", "content-type"))
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "changes", [{"Origin": "https://other.example"}, {"Access-Control-Request-Method": "PUT"}], ids=["origin", "method"]
)
def test_what_a_page_may_not_is_a_problem(make_client, changes: dict[str, str]) -> None:
    response = make_client(cors_origins=[PAGE]).options("/jobs", headers=PREFLIGHT | changes)
    assert (response.status_code, response.json()["code"]) == (400, "cors_refused")
    assert response.json()["instance"] == "/jobs"
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("origins", ["page.example", "https://page.example/", "https://Page.example", "*,https://a.b"])
def test_origins_that_cannot_be_are_refused(monkeypatch: pytest.MonkeyPatch, origins: str) -> None:
    monkeypatch.setenv("NST_CORS_ORIGINS", origins)
    with pytest.raises(ValidationError, match="cors_origins"):
        ApiSettings()


def test_origins_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NST_CORS_ORIGINS", "https://a.example,http://localhost:5173")
    assert ApiSettings().cors_origins == ["https://a.example", "http://localhost:5173"]
    monkeypatch.setenv("NST_CORS_ORIGINS", "")
    assert ApiSettings().cors_origins == []


def form(client, origin: str | None, site: str, png: bytes) -> int:
    headers = {"Sec-Fetch-Site": site} | ({"Origin": origin} if origin else {})
    return client.post("/jobs", files={"content": png, "style": png}, headers=headers).status_code


def test_a_page_of_another_site_sends_no_forms(make_client, png: bytes) -> None:
    client = make_client()
    response = client.post("/jobs/x/cancel", headers={"Origin": PAGE, "Sec-Fetch-Site": "cross-site"})
    assert (response.status_code, response.json()["code"]) == (403, "other_site")
    assert [form(client, origin, "cross-site", png) for origin in (PAGE, "null", None)] == [403] * 3
    assert [form(client, None, site, png) for site in ("same-origin", "same-site", "none")] == [202] * 3
    # A link to a picture, or the picture in another page, is the browser's affair.
    assert client.get("/presets", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


@pytest.mark.parametrize("origins", ["*", PAGE])
def test_a_page_that_may_sends_forms(make_client, png: bytes, origins: str) -> None:
    client = make_client(cors_origins=origins)
    assert form(client, PAGE, "cross-site", png) == 202
    assert form(client, "https://other.example", "cross-site", png) == (202 if origins == "*" else 403)
