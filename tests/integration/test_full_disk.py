"""The disk under Redis's append-only file is full for a while."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.redis_server import find_executable
from cli.up import Stack
from tests.service import Service, System, wait_for


@pytest.fixture
def stack(system: System, tmp_path: Path) -> Iterator[Stack]:
    """A service whose Redis meets an error, not a signal, when its files may not grow."""
    redis_server = tmp_path / "redis-server"
    redis_server.write_text(f"#!/bin/sh\ntrap '' XFSZ\nexec '{find_executable(system.environment)}' \"$@\"\n")
    redis_server.chmod(0o755)
    with system.stack("full", NST_REDIS_SERVER=str(redis_server)) as stack:
        yield stack


def test_while_the_disk_is_full_nothing_is_accepted_and_nothing_is_lost(stack: Stack) -> None:
    assert stack.redis is not None
    assert stack.redis.process is not None
    pid = stack.redis.process.pid
    with Service(stack.url) as service:
        done, running, waiting = service.submit(), service.submit(iterations=250), service.submit()
        picture = service.result(done)
        service.started(running)

        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        refusal = wait_for(lambda: (answer := service.post()).status_code != 202 and answer)
        assert (refusal.status_code, refusal.json()["code"]) == (503, "store_full")
        assert int(refusal.headers["Retry-After"]) > 0
        assert service.http.get(f"/jobs/{done}/result").content == picture
        assert service.job(waiting)["status"] == "queued"
        step = service.job(running)["progress"]["step"]
        stack.check()

        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        accepted = wait_for(lambda: (answer := service.post()).status_code == 202 and answer)
        for job_id in (running, waiting, accepted.json()["id"]):
            service.succeeded(job_id)
        assert service.job(running)["attempt"] == 1
        assert step < 250
        assert service.result(done) == picture
