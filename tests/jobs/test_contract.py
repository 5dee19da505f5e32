"""The job and its settings."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from pydantic import ValidationError

from jobs.contract import Job, JobInput, Method, Status, Urls, new_job_id, now
from jobs.settings import Settings
from nst_core.errors import InvalidOptions
from nst_core.options import FastOptions, GatysOptions


def a_job(method: Method = "gatys", **params: object) -> Job:
    job_id = new_job_id()
    job_input = JobInput(params=params, content_sha256="", style_sha256=[""])
    return Job(id=job_id, method=method, created_at=now(), input=job_input, urls=Urls.of(job_id))


def test_three_statuses_are_final() -> None:
    assert [status for status in Status if status.is_final] == [Status.SUCCEEDED, Status.FAILED, Status.CANCELED]


def test_urls_are_relative_to_the_root_of_the_api() -> None:
    assert Urls.of("x").result == "jobs/x/result"


def test_each_file_has_a_name_by_its_digest() -> None:
    given = JobInput(
        params={},
        content_sha256="a",
        style_sha256=["b", "c"],
        mask_sha256=["d"],
        photograph_sha256=["e"],
        init_sha256="f",
    )
    names = {"a": "content", "b": "style.0", "c": "style.1", "d": "mask.0", "e": "photograph.0", "f": "init"}
    assert given.files == names
    assert JobInput(params={}, style_sha256=[]).files == {}


def test_a_job_survives_json() -> None:
    job = a_job(size=64, style_layers=["relu1_1"])
    assert Job.model_validate_json(job.model_dump_json()) == job
    assert json.loads(job.model_dump_json())["created_at"].endswith("Z")


def test_a_job_is_changed_through_evolve_alone_which_validates() -> None:
    job = a_job()
    with pytest.raises(ValidationError):
        job.status = Status.FAILED  # type: ignore[misc]
    with pytest.raises(ValidationError):
        job.evolve(attempt=-1)
    with pytest.raises(ValidationError):
        job.evolve(unknown=1)
    assert job.evolve(attempt=1).attempt == 1
    assert job.attempt == 0


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("gatys", GatysOptions(size=300, style_layers=("relu2_1",), learning_rate=0.5)),
        ("fast", FastOptions(size=300, strength=0.25)),
    ],
)
def test_the_options_come_back_from_the_parameters(method: Method, options: GatysOptions | FastOptions) -> None:
    job = a_job(method, **asdict(options), output_format="png", style_id="waves")
    assert Job.model_validate_json(job.model_dump_json()).options == options
    with pytest.raises(InvalidOptions):
        _ = a_job(method, size=1).options


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NST_LEASE_SECONDS", "7")
    assert Settings().lease_seconds == 7
    monkeypatch.setenv("NST_REDIS_URL", "http://host")
    with pytest.raises(ValidationError, match="redis://"):
        Settings()


def test_a_folder_of_styles_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NST_STYLES_DIR", str(tmp_path))
    assert Settings().styles_dir == tmp_path
    monkeypatch.setenv("NST_STYLES_DIR", str(tmp_path / "nothing"))
    with pytest.raises(ValidationError, match="styles_dir"):
        Settings()


def test_the_soft_limit_comes_before_the_hard_one() -> None:
    assert Settings(time_limit_seconds=100).soft_time_limit_seconds == 70
    assert Settings(time_limit_seconds=5).soft_time_limit_seconds == 1


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())
