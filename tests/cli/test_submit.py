"""The wait for a job."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.engine_options import Pictures
from cli.main import _submit_and_wait
from client import JobFailed

JOB = {"id": "x", "progress": {"fraction": 0, "message": ""}, "error": None}


class FakeClient:
    """A service whose job has one status after the other."""

    def __init__(self, *statuses: str) -> None:
        self.statuses = statuses

    def submit_files(self, *_: object) -> dict[str, Any]:
        return {**JOB, "status": "queued"}

    def poll(self, _: str) -> Iterator[dict[str, Any]]:
        for status in self.statuses:
            yield {**JOB, "status": status}


def wait(client: FakeClient, **more: Any) -> None:
    pictures = Pictures(content=Path("c"), styles=[Path("s")], style_ids=[])
    _submit_and_wait(client, pictures, Path("o"), {}, **more)


def test_a_job_that_does_not_succeed() -> None:
    with pytest.raises(JobFailed, match="ended as canceled"):
        wait(FakeClient("processing", "canceled"))


def test_the_wait_ends_when_the_check_fails() -> None:
    def check() -> None:
        raise RuntimeError("the worker is gone")

    with pytest.raises(RuntimeError, match="the worker is gone"):
        wait(FakeClient("queued", "queued"), check=check)


def test_the_wait_for_a_worker_has_an_end() -> None:
    with pytest.raises(JobFailed, match="no worker has taken the job within 0 s"):
        wait(FakeClient("processing", "queued", "succeeded"), patience=0)
