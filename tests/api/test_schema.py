"""The OpenAPI document against what the service answers: each operation, with requests that fit it and that do not."""

import base64
import io
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from schemathesis.schemas import APIOperation

from api.app import create_app
from api.settings import ApiSettings
from jobs.contract import Job, JobError, JobInput, Output, Progress, Snapshot, Status, Urls, new_job_id, now
from jobs.memory import MemoryStore
from jobs.protocol import Store
from jobs.queue import make_celery

POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
FORM, JSON = "multipart/form-data", "application/json"
KEY = "0123456789abcdef"


def document() -> dict[str, Any]:
    plain = ApiSettings(_env_file=None)  # type: ignore[call-arg]
    with make_celery(plain) as celery:
        return create_app(plain, MemoryStore(plain), celery).openapi()


DOCUMENT = document()
CALLS = [(method, path) for path, operations in DOCUMENT["paths"].items() for method in operations]


BODIES = [(method, path) for method, path in CALLS if "requestBody" in DOCUMENT["paths"][path][method]]


# Examples


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_every_call_has_examples_that_fit(method: str, path: str) -> None:
    operation = DOCUMENT["paths"][path][method]
    bodies = operation.get("requestBody", {}).get("content", {})
    answers = [answer.get("content", {}).get(JSON) for status, answer in operation["responses"].items() if status < "3"]
    for content in [*bodies.values(), *filter(None, answers)]:
        schema = {**content["schema"], "components": DOCUMENT["components"]}
        jsonschema_rs.validate(schema, content["example"])


@pytest.mark.parametrize(("method", "path"), BODIES)
@pytest.mark.parametrize("kind", [FORM, JSON])
def test_examples_are_accepted(make_client, tmp_path, method: str, path: str, kind: str) -> None:
    client = make_client(training_images=tmp_path)
    example = DOCUMENT["paths"][path][method]["requestBody"]["content"][kind]["example"]
    if kind == JSON:
        body = {name: DATA_URL if str(value).startswith("https:") else value for name, value in example.items()}
        response = client.post(path, json=body)
    else:
        files = {name: PICTURE for name in ("content", "style") if name in example}
        response = client.post(path, files=files, data={k: v for k, v in example.items() if k not in files})
    assert response.status_code in (200, 202), response.text


# Requests made of the document


def picture(kind: str) -> bytes:
    image = Image.new("RGB", (64, 48), "white")
    ImageDraw.Draw(image).ellipse((20, 10, 44, 38), "navy")
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


PICTURE, JPEG = picture("PNG"), picture("JPEG")
DATA_URL = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"

#: What is accepted, to which fields that fit the document are added.
ACCEPTED: dict[str, dict[str, dict[str, Any]]] = {
    "/jobs": {FORM: {"content": PICTURE, "style": [PICTURE]}, JSON: {"content": DATA_URL, "style": DATA_URL}},
    "/masks": {FORM: {"content": PICTURE}, JSON: {"content": DATA_URL}},
    "/styles": {FORM: {"id": "a", "style": PICTURE}, JSON: {"id": "a", "style": DATA_URL}},
}


SNAPSHOT = Snapshot(step=20, url="s", width=64, height=48, bytes=len(JPEG))


def unknown_host(host: str, port: int) -> list[str]:
    raise OSError


@pytest.fixture
def jobs(store: Store) -> dict[str, str]:
    """Jobs of the key, by their status."""
    made = {}
    for status in (Status.QUEUED, Status.PROCESSING, Status.SUCCEEDED, Status.FAILED):
        job_id = made[status.value] = new_job_id()
        job_input = JobInput(params={"size": 64}, content_sha256="c", style_sha256=["s"])
        job = Job(id=job_id, created_at=now(), input=job_input, urls=Urls.of(job_id))
        store.create(job, {"content": PICTURE}, owner="ada")
        if status is not Status.QUEUED:
            store.start(job_id, "token")
            progress = Progress(fraction=0.5, step=20, total_steps=40, preview_id=1)
            store.update(job_id, "token", progress=progress, preview=JPEG)
            store.save_snapshot(job_id, "token", SNAPSHOT, JPEG)
        if status is Status.SUCCEEDED:
            output = Output(url="r", media_type="image/png", width=64, height=48, bytes=6, sha256="0" * 64)
            store.finish(job_id, "token", status=status, output=output, result=PICTURE)
        elif status is Status.FAILED:
            store.finish(job_id, "token", status=status, error=JobError(code="timeout", message="late"))
    return made


@pytest.fixture
def schema(make_client, tmp_path) -> schemathesis.BaseSchema:
    limits = {"rate_limit_per_minute": 10**6, "max_queued_per_key": 10**6, "max_bytes_per_day": 10**12}
    secret = f"whsec_{base64.b64encode(bytes(32)).decode()}"
    app = make_client(
        api_keys=f"ada:{KEY}",
        resolve=unknown_host,
        max_wait_seconds=0,
        max_queued_jobs=0,
        webhook_secret=secret,
        training_images=tmp_path,
        **limits,
    ).app
    return schemathesis.openapi.from_asgi("/openapi.json", app)


def tried(strategy: st.SearchStrategy[schemathesis.Case], examples: int = 12, **checks: Any) -> None:
    """Send requests and hold the answers against the document."""

    @seed(6)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def send(case: schemathesis.Case) -> None:
        (case.headers or {}).pop("Authorization", None)  # of a key that there is not
        case.call_and_validate(headers={"X-API-Key": KEY}, **checks)

    send()


def operation_of(schema: schemathesis.BaseSchema, method: str, path: str) -> APIOperation:
    return schema[path][method.upper()]


@pytest.mark.parametrize(("method", "path"), [call for call in CALLS if "{job_id}" not in call[1]])
def test_answers_are_as_the_document_says(schema: schemathesis.BaseSchema, method: str, path: str) -> None:
    operation = operation_of(schema, method, path)
    fixed = {"path_parameters": {"style_id": "waves"}} if "{style_id}" in path and method == "get" else {}
    # That fields fit each other cannot be said in the document.
    excluded = [schemathesis.checks.positive_data_acceptance] if operation.body else []
    tried(operation.as_strategy(POSITIVE, **fixed), excluded_checks=excluded)


@pytest.mark.parametrize(("method", "path"), [call for call in CALLS if "{job_id}" in call[1]])
def test_answers_about_jobs_are_as_the_document_says(
    schema: schemathesis.BaseSchema, jobs: dict[str, str], method: str, path: str
) -> None:
    operation = operation_of(schema, method, path)
    for status, job_id in jobs.items():
        # A stream of events ends with the job.
        if not path.endswith("/events") or Status(status).is_final:
            parts = {"step": "20", "sha256": "c"}
            known = {"job_id": job_id} | {name: value for name, value in parts.items() if f"{{{name}}}" in path}
            tried(operation.as_strategy(POSITIVE, path_parameters=known), 3)
    tried(operation.as_strategy(POSITIVE), 5)


def negatable(method: str, path: str) -> bool:
    operation = DOCUMENT["paths"][path][method]
    parameters = {parameter["in"] for parameter in operation.get("parameters", ())}
    return "requestBody" in operation or "query" in parameters


@pytest.mark.parametrize(("method", "path"), [call for call in CALLS if negatable(*call)])
def test_what_the_document_rules_out_is_refused(schema: schemathesis.BaseSchema, method: str, path: str) -> None:
    # Which key it sends besides the good one is not told by the case.
    excluded = [schemathesis.checks.ignored_auth]
    tried(operation_of(schema, method, path).as_strategy(NEGATIVE), 20, excluded_checks=excluded)


@pytest.mark.parametrize(("method", "path"), BODIES)
def test_single_fields_of_the_document_are_accepted_or_refused(
    schema: schemathesis.BaseSchema, method: str, path: str
) -> None:
    def with_fields(case: schemathesis.Case, chosen: slice) -> schemathesis.Case:
        added = {name: case.body[name] for name in sorted(case.body)[chosen]}
        case.body = ACCEPTED[path][case.media_type] | added
        return case

    few = st.builds(lambda first: slice(first, first + 2), st.integers(0, 8))
    cases = operation_of(schema, method, path).as_strategy(POSITIVE)
    # The case tells no more whether its body fits.
    excluded = [schemathesis.checks.positive_data_acceptance, schemathesis.checks.negative_data_rejection]
    tried(st.builds(with_fields, cases, few), 10 if path == "/masks" else 50, excluded_checks=excluded)
