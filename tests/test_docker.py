"""The images and the Compose files: what they promise about security and about keeping data."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import ApiSettings
from jobs.queue import QUEUES
from worker.settings import WorkerSettings

ROOT = Path(__file__).parent.parent
PACKAGING: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
DOCKERFILES = sorted(ROOT.glob("Dockerfile.*"))
COMPOSE_FILES = sorted(ROOT.glob("docker-compose*.yml"))

#: An image with all parts of its version, such as python:3.12.13-slim-bookworm.
FULL_VERSION = re.compile(r"[a-z]+:\d+\.\d+\.\d+-[a-z-]+")

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
WORKERS = ("worker", "worker-fast", "worker-webhook")


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.name)


def instructions(path: Path, name: str) -> list[str]:
    """The arguments of each instruction of this name in a Dockerfile."""
    joined = path.read_text().replace("\\\n", " ")
    return [" ".join(rest.split()) for rest in re.findall(rf"^{name} (.*)$", joined, re.MULTILINE)]


def final_stage(path: Path) -> str:
    return path.read_text().rpartition("\nFROM ")[2]


def test_there_is_something_to_test() -> None:
    assert [path.name for path in DOCKERFILES] == ["Dockerfile.api", "Dockerfile.worker"]
    assert [path.name for path in COMPOSE_FILES] == ["docker-compose.gpu.yml", "docker-compose.yml"]
    assert set(SERVICES) == {"redis", "api", *WORKERS}


@each(DOCKERFILES)
def test_base_images_have_a_full_version(path: Path) -> None:
    stages: set[str] = set()
    for line in instructions(path, "FROM"):
        image, _, stage = line.partition(" AS ")
        assert image in stages or FULL_VERSION.fullmatch(image), image
        stages.add(stage)


def test_foreign_images_have_a_full_version() -> None:
    foreign = {name: service["image"] for name, service in SERVICES.items() if "build" not in service}
    assert set(foreign) == {"redis"}
    assert FULL_VERSION.fullmatch(foreign["redis"])


@each(DOCKERFILES)
def test_containers_do_not_run_as_root(path: Path) -> None:
    users = re.findall(r"^USER (\S+)$", final_stage(path), re.MULTILINE)
    assert users
    assert users[-1].split(":")[0] not in ("0", "root")


def test_redis_does_not_run_as_root() -> None:
    assert SERVICES["redis"]["user"] == "redis"


@each(DOCKERFILES)
def test_dependencies_have_known_versions_and_leave_no_cache(path: Path) -> None:
    installs = [part for run in instructions(path, "RUN") for part in re.findall(r"pip install [^;&]*", run)]
    assert installs
    for install in installs:
        assert "--no-cache-dir" in install
        assert "--constraint constraints.txt" in install or "--no-deps" in install


@each(DOCKERFILES)
def test_dependencies_come_before_the_code(path: Path) -> None:
    text = path.read_text()
    assert "COPY . ." not in final_stage(path)
    assert text.index("--requirement requirements.txt") < text.index("/dist/*.whl")


def test_the_front_ends_image_has_no_torch() -> None:
    assert "['optional-dependencies']['api']" in (ROOT / "Dockerfile.api").read_text()
    assert "worker" not in (ROOT / "Dockerfile.api").read_text()


def test_no_package_index_is_named() -> None:
    assert 'ARG TORCH_INDEX_URL=""' in (ROOT / "Dockerfile.worker").read_text()
    locks = [ROOT / name for name in (".env.example", "constraints.txt", "package-lock.json", ".npmrc")]
    for path in (*DOCKERFILES, *COMPOSE_FILES, *locks):
        assert not re.search(r"https?://(?!127\.0\.0\.1)", path.read_text()), path.name


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_hardened_and_checked(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["pids_limit"] <= 1024
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert service["mem_limit"].startswith("${")
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert name == "redis" or service["depends_on"]["redis"] == {"condition": "service_healthy"}


def test_only_the_api_is_published_and_only_to_this_machine() -> None:
    assert SERVICES["api"].get("ports") == ["${API_PUBLISH:-127.0.0.1:8000}:8000"]
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["api"]
    assert SERVICES["redis"]["networks"] == ["backend"]
    assert COMPOSE["networks"]["backend"] == {"internal": True}


def test_redis_keeps_everything() -> None:
    command = SERVICES["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert SERVICES["redis"]["volumes"] == ["redis:/data"]


def test_every_queue_has_a_worker_whose_health_is_asked_by_its_name() -> None:
    served: list[str] = []
    for service in map(SERVICES.__getitem__, WORKERS):
        command, check = service["command"], service["healthcheck"]["test"]
        assert command[:3] == ["python", "-m", "worker.app"]
        assert check[1:4] == ["python", "-m", "worker.health"]
        assert command[command.index("--name") + 1] == check[check.index("--name") + 1]
        served += command[command.index("--queues") + 1].split(",")
    assert sorted(served) == sorted(QUEUES)


def test_each_worker_holds_ready_what_its_queues_need() -> None:
    assert SERVICES["worker-fast"]["environment"]["NST_WARM_ENCODERS"] == ""
    assert SERVICES["worker"]["environment"]["NST_WARM_STYLES"] == "false"


def test_workers_are_stopped_with_patience() -> None:
    for name in WORKERS:
        grace = int(SERVICES[name]["stop_grace_period"].removesuffix("s"))
        assert grace >= WorkerSettings.model_fields["worker_shutdown_seconds"].default + 20


def test_the_gpu_override_changes_existing_services() -> None:
    override = yaml.safe_load((ROOT / "docker-compose.gpu.yml").read_text())["services"]
    assert set(override) <= set(SERVICES)
    assert override["api"]["environment"]["NST_DEFAULT_SIZE"] == "${NST_DEFAULT_SIZE:-1024}"
    for name in ("worker", "worker-fast"):
        (device,) = override[name]["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])


@each([*COMPOSE_FILES, *DOCKERFILES, ROOT / ".env.example"])
def test_settings_that_are_named_exist(path: Path) -> None:
    known = {f"NST_{name.upper()}" for name in ApiSettings.model_fields | WorkerSettings.model_fields}
    assert set(re.findall(r"\bNST_[A-Z_]*[A-Z]", path.read_text())) <= known


def test_the_example_names_every_variable_of_compose_with_its_default() -> None:
    example = (ROOT / ".env.example").read_text()
    for path in COMPOSE_FILES:
        for name, default in re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", path.read_text()):
            assert f"#{name}=" in example, name
            assert name in ("BAKE_WEIGHTS", "NST_DEFAULT_SIZE") or f"#{name}={default}\n" in example, name


def test_builds_see_only_what_they_need() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert all((ROOT / name).exists() for name in allowed)
    assert {"pyproject.toml", "constraints.txt"} <= allowed
    assert not {".env", ".git", "tests", "node_modules"} & allowed
    assert {package for package in PACKAGING["packages"] if "." not in package} <= allowed


def test_all_that_is_no_code_goes_into_the_package() -> None:
    for package in ("api", "cli", "client", "jobs", "nst_core", "worker"):
        files = {path for path in (ROOT / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts}
        patterns = PACKAGING["package-data"].get(package, [])
        data = {path for pattern in patterns for path in (ROOT / package).glob(pattern)}
        assert {path for path in files if path.suffix != ".py"} <= data, package


def test_constraints_are_exact_and_leave_torch_to_the_user() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    names = set()
    for line in lines:
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==[0-9][A-Za-z0-9.]*", line)
        assert match, line
        names.add(match[1].lower())
    assert not {name for name in names if re.match(r"(torch|torchvision|triton)$|nvidia|cuda|nst", name)}
