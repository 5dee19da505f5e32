"""The question whether a worker is there."""

import pytest
from celery.app.control import Control
from celery.utils.nodenames import gethostname

from worker import health


@pytest.fixture
def pings(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> list[list[str]]:
    """Workers answer; what was asked of whom is kept."""
    asked: list[list[str]] = []

    def ping(self: Control, destination: list[str], timeout: float) -> list[dict[str, dict[str, str]]]:
        asked.append(destination)
        return [{destination[0]: {"ok": "pong"}}]

    monkeypatch.setenv("NST_REDIS_URL", redis_url)
    monkeypatch.setattr(Control, "ping", ping)
    return asked


def test_a_worker_that_answers_is_healthy(pings: list[list[str]]) -> None:
    health.main(["--name", "gatys"])
    assert pings == [[f"gatys@{gethostname()}"]]


def test_no_answer_ends_with_an_error(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> None:
    monkeypatch.setenv("NST_REDIS_URL", redis_url)
    with pytest.raises(SystemExit, match="the worker gatys does not answer"):
        health.main(["--name", "gatys", "--timeout", "0.2"])


def test_no_redis_ends_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NST_REDIS_URL", "redis://127.0.0.1:1/0")
    with pytest.raises(SystemExit, match="the worker gatys does not answer"):
        health.main(["--name", "gatys", "--timeout", "0.2"])
