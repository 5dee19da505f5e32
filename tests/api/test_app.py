"""The application as a whole: health, problems, description, and what it must not import."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from inspect import iscoroutinefunction

import pytest

from api.app import create_app
from api.routes.system import livez
from api.settings import ApiSettings
from jobs.errors import LeaseLost
from jobs.memory import MemoryStore


def test_the_front_end_never_imports_torch() -> None:
    program = "import sys, api.app; api.app.create_app(); print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"


def test_importing_the_application_reads_no_settings() -> None:
    program = "import os; os.environ['NST_MAX_SIZE'] = 'x'; import api.app, jobs.queue, jobs.store"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_process_is_alive_without_redis(make_client) -> None:
    client = make_client()
    client.app.state.backend.store = None
    response = client.get("/livez")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_the_process_is_alive_while_all_its_threads_wait() -> None:
    assert iscoroutinefunction(livez)


def test_ready_says_how_many_workers_are_there(client) -> None:
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ok", "redis": "ok", "workers": 0})


def test_many_may_ask_at_once_whether_it_is_ready(client) -> None:
    with ThreadPoolExecutor(40) as threads:
        answers = list(threads.map(lambda _: client.get("/readyz").status_code, range(120)))
    assert set(answers) == {200}


@pytest.fixture
def client_without_redis(make_client):
    from jobs.queue import make_celery
    from jobs.store import RedisStore

    settings = ApiSettings(redis_url="redis://127.0.0.1:1/0")
    client = make_client()
    client.app.state.backend.store = RedisStore.connect(settings.redis_url, settings)
    client.app.state.backend.celery = make_celery(settings)
    yield client
    client.app.state.backend.store.close()
    client.app.state.backend.celery.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/readyz"),
        ("GET", "/jobs"),
        ("GET", "/jobs/01K00000000000000000000000"),
        ("GET", "/jobs/01K00000000000000000000000/result"),
        ("GET", "/jobs/01K00000000000000000000000/events"),
        ("DELETE", "/jobs/01K00000000000000000000000"),
        ("POST", "/jobs/01K00000000000000000000000/cancel"),
    ],
)
def test_without_redis_nothing_can_be_served_at_the_moment(client_without_redis, method: str, path: str) -> None:
    response = client_without_redis.request(method, path)
    assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
    assert int(response.headers["retry-after"]) > 0


def test_without_redis_no_job_is_taken(client_without_redis, png: bytes) -> None:
    response = client_without_redis.post("/jobs", files={"content": png, "style": png})
    assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
    assert client_without_redis.get("/livez").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nothing", 404, "not_found"), ("PUT", "/jobs", 405, "method_not_allowed")],
)
def test_the_frameworks_own_refusals_are_problems(client, method: str, path: str, status: int, code: str) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (problem["status"], problem["code"], problem["instance"]) == (status, code, path)
    assert problem["type"] == "about:blank"
    assert problem["title"]


@pytest.mark.parametrize("error", [RuntimeError("secret /srv/path"), LeaseLost("secret /srv/path")])
def test_what_is_unexpected_is_told_without_detail(make_client, error: Exception) -> None:
    class BrokenStore(MemoryStore):
        def list_jobs(self, **_: object):
            raise error

    app = make_client().app
    app.state.backend.store = BrokenStore(ApiSettings())
    client = type(make_client())(app, raise_server_exceptions=False)
    response = client.get("/jobs")
    assert (response.status_code, response.json()["code"]) == (500, "internal")
    assert "secret" not in response.text
    assert response.headers["content-type"] == "application/problem+json"
    client.close()


def test_the_description_is_served(client) -> None:
    assert client.get("/docs").status_code == 200
    document = client.get("/openapi.json").json()
    problem = {"$ref": "#/components/schemas/ProblemDocument"}
    assert "HTTPValidationError" not in str(document)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            for status, response in operation["responses"].items():
                if status >= "4":
                    assert response["content"] == {"application/problem+json": {"schema": problem}}


def test_an_application_closes_what_it_made(redis_url: str, make_client) -> None:
    app = create_app(ApiSettings(redis_url=redis_url))
    with type(make_client())(app) as client:
        assert client.get("/readyz").status_code == 200


def test_every_setting_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(field.description for field in ApiSettings.model_fields.values())
    monkeypatch.setenv("NST_MAX_SIZE", "1000")
    assert ApiSettings().max_size == 1000
