"""The Celery task around the runner."""

import pytest

from jobs.errors import StoreUnavailable
from worker import tasks


class FakeRunner:
    """A runner that does what it is told to, call by call."""

    def __init__(self, *endings: bool | Exception) -> None:
        self.endings = list(endings)

    def run(self, job_id: str) -> bool:
        ending = self.endings.pop(0)
        if isinstance(ending, Exception):
            raise ending
        return ending


def test_a_job_is_looked_at_again_after_a_store_that_is_away_and_after_another_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runner = FakeRunner(StoreUnavailable(), StoreUnavailable(), False, StoreUnavailable(), True)
    monkeypatch.setattr(tasks, "_runner", lambda: runner)
    tasks.paint.apply(args=["an id"])
    assert runner.endings == []
