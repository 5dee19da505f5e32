"""What a user may set, call, send or be told is in the documentation, with the defaults in force."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from api.app import create_app
from api.settings import ApiSettings
from jobs.contract import Job, JobError, JobInput, Metrics, Output, Progress, Urls, Webhook
from jobs.memory import MemoryStore
from jobs.queue import make_celery
from jobs.settings import Settings
from nst_core.options import FAST_OPTIONS, OPTIONS
from worker.settings import WorkerSettings

ROOT = Path(__file__).parent.parent
API = (ROOT / "docs" / "api.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()

#: Read from the environment, but not by the settings classes.
OTHER_VARIABLES = {
    "NST_HOST",
    "NST_PORT",
    "NST_DATA_DIR",
    "NST_REDIS_SERVER",
    "NST_REDIS_MAX_BYTES",
    "NST_URL",
    "NST_API_KEY",
}

#: Errors that no client is ever told.
INNER_CODES = {"lease_lost", "corrupt_checkpoint"}


def rows(text: str) -> dict[str, list[str]]:
    """The rows of all tables by what stands in backticks in their first cell; several names share a row."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
            for name in re.findall(r"`([^`]+)`", cells[0]):
                found.setdefault(name, cells)
    return found


SETTING_ROWS = rows(OPERATIONS)
API_ROWS = rows(API)

#: Where the fields of a body stand: two bodies may have one of the same name.
BODY_SECTIONS = {"POST /jobs": "Send a job", "POST /masks": "Find a mask", "POST /styles": "Add a style"}


def documented(value: Any) -> set[str]:
    """How a default may be written."""
    if value is None:
        return {"none"}
    if isinstance(value, bool):
        return {f"`{str(value).lower()}`"}
    if isinstance(value, list | tuple | frozenset):
        return {f"`{','.join(map(str, value))}`"} if value else {"equal", "empty", "none"}
    return {f"`{value}`"} if value != "" else {"empty"}


def setting_fields() -> list[tuple[str, Any]]:
    fields = {**Settings.model_fields, **ApiSettings.model_fields, **WorkerSettings.model_fields}
    return [(f"NST_{name.upper()}", field.default) for name, field in fields.items()]


@pytest.mark.parametrize(("name", "default"), setting_fields())
def test_settings_are_documented_with_their_defaults(name: str, default: Any) -> None:
    assert name in SETTING_ROWS, f"docs/operations.md has no row for {name}"
    assert default is not PydanticUndefined
    assert SETTING_ROWS[name][1] in documented(default)


def test_other_variables_are_documented() -> None:
    assert set(SETTING_ROWS) >= OTHER_VARIABLES


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_variables_that_are_documented_exist(path: Path) -> None:
    known = {name for name, _ in setting_fields()} | OTHER_VARIABLES
    assert set(re.findall(r"\bNST_[A-Z_]*[A-Z]", path.read_text())) <= known


def openapi() -> dict[str, Any]:
    settings = ApiSettings(_env_file=None)  # type: ignore[call-arg]
    with make_celery(settings) as celery:
        return create_app(settings, MemoryStore(settings), celery).openapi()


DOCUMENT = openapi()
OPERATIONS_BY_CALL = {
    f"{method.upper()} {re.sub(r'{[a-z]+_id}', '{id}', path)}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}


@pytest.mark.parametrize("call", OPERATIONS_BY_CALL)
def test_endpoints_are_documented(call: str) -> None:
    assert call in API_ROWS, f"docs/api.md has no row for {call}"


def test_calls_that_are_documented_exist() -> None:
    calls = {name for name in API_ROWS if re.match(r"(GET|POST|PUT|PATCH|DELETE) ", name)}
    assert calls == set(OPERATIONS_BY_CALL)


def query_parameters() -> list[tuple[str, str]]:
    return [
        (call, parameter["name"])
        for call, operation in OPERATIONS_BY_CALL.items()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query"
    ]


@pytest.mark.parametrize(("call", "name"), query_parameters())
def test_query_parameters_are_documented(call: str, name: str) -> None:
    assert name in API_ROWS, f"docs/api.md has no row for {name} of {call}"


def body_fields() -> list[tuple[str, str, dict[str, Any]]]:
    found = []
    for call, operation in OPERATIONS_BY_CALL.items():
        for media in operation.get("requestBody", {}).get("content", {}).values():
            schema = media["schema"]
            if "$ref" in schema:
                schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            found += [(call, name, field) for name, field in schema["properties"].items()]
    return found


#: What the OpenAPI document states in words only.  The size has no fixed default: it is the content's own.
OPTION_DEFAULTS = {
    name: list(option.default) if isinstance(option.default, tuple) else option.default
    for name, option in (OPTIONS | FAST_OPTIONS).items()
    if option.default is not None and name != "size"
}


@pytest.mark.parametrize(("call", "name", "schema"), body_fields())
def test_body_fields_are_documented_with_their_bounds_and_defaults(
    call: str, name: str, schema: dict[str, Any]
) -> None:
    fields = rows(API.partition(f"## {BODY_SECTIONS[call]}\n")[2].partition("\n## ")[0])
    assert name in fields, f"docs/api.md has no row for {name} of {call}"
    _, kind, default, *_ = fields[name]
    bounded = schema.get("items", schema)
    for bound in ("minimum", "maximum"):
        if bound in bounded:
            assert f"{bounded[bound]:.5f}".rstrip("0").rstrip(".") in kind, bound
    assert {f"`{value}`" for value in bounded.get("enum", ())} <= set(re.findall(r"`[^`]+`", kind))
    if "default" in schema:
        assert default in documented(schema["default"])
    elif name in OPTION_DEFAULTS and call == "POST /jobs":
        assert default in documented(OPTION_DEFAULTS[name])


@pytest.mark.parametrize("model", [Job, Progress, JobInput, Output, JobError, Metrics, Urls, Webhook])
def test_fields_of_the_job_are_documented(model: type[BaseModel]) -> None:
    section = API.partition("## The job\n")[2].partition("\n## ")[0]
    assert {name for name in model.model_fields if f"`{name}`" not in section} == set()


def error_codes() -> set[str]:
    """Every literal in the code that names an error."""
    sources = (path for package in ("api", "jobs", "worker", "nst_core") for path in (ROOT / package).rglob("*.py"))
    found: set[object] = set()
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "code" for t in node.targets):
                found.add(_literal(node.value))
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                position = {"Problem": 1, "invalid_fields": 1, "_failure": 0}.get(node.func.id)
                if position is not None and len(node.args) > position:
                    found.add(_literal(node.args[position]))
                if position is not None or node.func.id == "JobError":
                    found.update(_literal(keyword.value) for keyword in node.keywords if keyword.arg == "code")
    return {code for code in found if isinstance(code, str)}


def _literal(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def test_error_codes_are_found() -> None:
    assert error_codes() >= {"invalid_options", "job_not_found", "body_too_large", "timeout", "worker_lost", "internal"}


@pytest.mark.parametrize("code", sorted(error_codes() - INNER_CODES))
def test_error_codes_are_documented(code: str) -> None:
    assert code in rows(API.partition("## Errors\n")[2]), f"docs/api.md has no row for the code {code}"


@pytest.mark.parametrize(
    "path", [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md"))], ids=lambda p: p.name
)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        if "://" not in target and not target.startswith(("#", "mailto:")):
            name, _, heading = target.partition("#")
            assert (path.parent / name).exists(), target
            if heading:
                headings = re.findall(r"^#+ (.*)$", (path.parent / name).read_text(), re.MULTILINE)
                assert heading in [re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in headings], target
