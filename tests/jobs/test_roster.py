"""Where workers sign in."""

from collections.abc import Iterator

import pytest
import redis

from jobs.contract import now
from jobs.errors import StoreUnavailable
from jobs.roster import LIFETIME_SECONDS, DeviceMemory, Engine, Roster, Worker, WorkerProcess

ENGINE = Engine(
    device="cuda:0",
    memory=DeviceMemory(free_bytes=1, total_bytes=2),
    resident_bytes=3,
    encoders=["compact"],
    styles=["waves"],
    cache_hits=4,
    cache_misses=5,
    job=None,
)


@pytest.fixture
def roster(redis_url: str) -> Iterator[Roster]:
    roster = Roster.connect(redis_url)
    yield roster
    roster.close()


def process(name: str) -> WorkerProcess:
    return WorkerProcess(name=name, queues=["fast"], version="1", started_at=now())


def test_workers_are_told_by_name_with_what_paints(roster: Roster) -> None:
    assert roster.workers() == []
    second, first = process("b@here"), process("a@here")
    roster.sign_in(second)
    roster.sign_in(first)
    roster.report("b@here", ENGINE)
    assert roster.workers() == [
        Worker(**first.model_dump(), engine=None),
        Worker(**second.model_dump(), engine=ENGINE),
    ]
    assert [worker.name for worker in roster.present()] == ["a@here", "b@here"]
    roster.sign_out("a@here")
    assert [worker.name for worker in roster.workers()] == ["b@here"]


def test_a_worker_that_is_silent_is_forgotten(roster: Roster, redis_url: str) -> None:
    roster.sign_in(process("a@here"))
    roster.report("a@here", ENGINE)
    with redis.Redis.from_url(redis_url) as client:
        for key in ("nst:worker:a@here", "nst:worker:a@here:engine"):
            assert 0 < client.ttl(key) <= LIFETIME_SECONDS
        client.delete("nst:worker:a@here")  # as its time would
        assert roster.workers() == []
        assert client.exists("nst:workers") == 0
    roster.report("a@here", ENGINE)  # its child lives on for a moment
    assert roster.workers() == []


def test_a_report_of_another_version_is_passed_over(roster: Roster, redis_url: str) -> None:
    roster.sign_in(process("a@here"))
    with redis.Redis.from_url(redis_url) as client:
        client.set("nst:worker:a@here:engine", '{"device": "cpu"}')
        assert [worker.engine for worker in roster.workers()] == [None]
        client.set("nst:worker:a@here", "{}")
        assert roster.workers() == []


def test_nobody_is_there_without_redis() -> None:
    roster = Roster.connect("redis://127.0.0.1:1/0")
    for call in (roster.workers, roster.present, lambda: roster.sign_in(process("a")), lambda: roster.sign_out("a")):
        with pytest.raises(StoreUnavailable):
            call()
