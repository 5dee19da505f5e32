"""What a worker tells of itself."""

import threading

import pytest

from jobs.errors import StoreUnavailable
from worker import presence
from worker.presence import engine_of, painting
from worker.runner import Runner
from worker.settings import WorkerSettings


def test_a_runner_that_has_done_nothing_has_nothing(runner: Runner) -> None:
    engine = engine_of(runner)
    assert (engine.device, engine.memory, engine.encoders, engine.styles, engine.job) == (None, None, [], [], None)
    assert engine.resident_bytes > 10**6
    assert "models" not in vars(runner)  # to ask makes nothing


def test_what_is_loaded_and_in_hand_is_told(runner: Runner, add_fast_job) -> None:
    runner.warm_up()
    job = add_fast_job()
    with painting(job.id):
        assert engine_of(runner).job == job.id
        runner.run(job.id)
    engine = engine_of(runner)
    assert (engine.device, engine.encoders, engine.job) == ("cpu", ["compact"], None)
    assert set(engine.styles) == {"waves", "waves_color"}
    assert (engine.cache_misses, engine.cache_hits) == (2, 1)
    assert engine.memory is not None
    assert 0 < engine.memory.free_bytes < engine.memory.total_bytes


def test_a_device_that_is_not_there_is_told_as_none(runner: Runner, store, settings: WorkerSettings) -> None:
    runner = Runner(store, settings.model_copy(update={"device": "cuda:99"}))
    runner.warm_up()
    assert engine_of(runner).device is None


@pytest.mark.parametrize(("error", "logged"), [(StoreUnavailable(), False), (RuntimeError("nobody foresaw it"), True)])
def test_telling_goes_on_after_an_error(monkeypatch, caplog, error: Exception, logged: bool) -> None:
    stop, told = threading.Event(), []

    def tell() -> None:
        told.append(len(told))
        if len(told) == 3:
            stop.set()
        raise error

    monkeypatch.setattr(presence, "_stop", stop)
    monkeypatch.setattr(presence, "REPORT_SECONDS", 0.001)
    presence.repeat(tell, "test")
    assert stop.wait(10)
    assert told == [0, 1, 2]
    assert ("nobody foresaw it" in caplog.text) == logged
