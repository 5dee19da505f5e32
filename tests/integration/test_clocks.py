"""The clocks of all processes jump; needs the library faketime (Debian's package libfaketime)."""

import os
from collections.abc import Iterator
from ctypes.util import find_library
from datetime import UTC, datetime
from glob import glob
from pathlib import Path

import pytest

from tests.service import Service, System

FOUND = [
    *([name] if (name := find_library("faketime")) else []),
    *glob("/usr/lib/*/faketime/libfaketime.so.1"),
    *glob("/usr/local/lib/faketime/libfaketime.so.1"),
]

pytestmark = pytest.mark.skipif(not FOUND, reason="libfaketime is not installed")


class Clock:
    """The time of the service's processes, as far as it is not this one's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.jump_to(0)

    def jump_to(self, seconds: int) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(f"{seconds:+d}")
        os.replace(new, self.path)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "clock")


@pytest.fixture
def service(system: System, clock: Clock) -> Iterator[Service]:
    fake = {
        "LD_PRELOAD": FOUND[0],
        "FAKETIME_TIMESTAMP_FILE": str(clock.path),
        "FAKETIME_CACHE_DURATION": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with system.stack("clocks", **fake) as stack, Service(stack.url) as service:
        yield service


def test_jobs_end_once_when_clocks_jump(service: Service, clock: Clock) -> None:
    """By an hour ahead, which ends every lease, and by as much back, which makes them last."""
    undisturbed = service.result(service.submit(iterations=250))
    for seconds in (3600, -3600):
        running, waiting = service.submit(iterations=250), service.submit()
        service.started(running)
        clock.jump_to(seconds)
        assert service.result(running) == undisturbed
        service.succeeded(waiting)
        later = service.submit()
        created = datetime.fromisoformat(service.succeeded(later)["created_at"])
        assert abs((created - datetime.now(UTC)).total_seconds() - seconds) < 600, "the clock did not jump"
        listed = [job["id"] for job in service.http.get("/jobs").json()["items"]]
        assert {running, waiting, later} <= set(listed)
    assert service.http.get("/jobs", params={"status": "processing"}).json()["items"] == []
