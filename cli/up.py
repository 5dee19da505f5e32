"""The whole service on this machine: Redis, the API and the workers as child processes."""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import IO, Self

import httpx

from cli.redis_server import RedisServer, find_executable, most_bytes
from cli.webhook_secret import webhook_secret

#: Seconds within which the API must answer after its start.
API_TIMEOUT = 60.0

#: Seconds that children get to end by themselves before they are killed.
STOP_TIMEOUT = 15.0

#: A process that ends by itself so often in so many seconds is not started again.
MOST_ENDS, ENDS_SECONDS = 5, 120.0


class StackError(Exception):
    """The service did not start, or one of its processes ended."""


class Stack:
    """Starts and stops the processes; a context manager.

    Args:
        port: 0 picks a free one.
        data_dir: Redis's data and the logs; jobs and results in it outlive a restart.
        quiet: the processes' output goes to files in ``data_dir/logs`` only.
        own_redis: start a Redis even when NST_REDIS_URL names one.

    Raises:
        StackError: the port is taken, the folder is in use, or a process does not start.
    """

    def __init__(self, host: str, port: int, data_dir: Path, *, quiet: bool = False, own_redis: bool = False) -> None:
        self.host, self.port, self.data_dir = host, port, data_dir
        self.quiet, self.own_redis = quiet, own_redis
        self.redis: RedisServer | None = None
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self._spawned: dict[str, tuple[list[str], dict[str, str]]] = {}
        self._ends: dict[str, list[float]] = {}
        self._logs: list[IO[bytes]] = []
        self._lock: IO[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the API is."""
        host = "127.0.0.1" if self.host == "0.0.0.0" else self.host  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def __enter__(self) -> Self:
        try:
            self._claim_folder()
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        self._claim_port()
        redis_url = "" if self.own_redis else os.environ.get("NST_REDIS_URL")
        if not redis_url:
            self.redis = RedisServer(find_executable(), self.data_dir / "redis", most_bytes())
            self.redis.start(self._inherited)
            redis_url = self.redis.url
        common = {"NST_REDIS_URL": redis_url, "NST_WEBHOOK_SECRET": webhook_secret(self.data_dir)}
        if self.own_redis:  # for one command alone, which has no key
            common |= {"NST_API_KEYS": "", "NST_API_KEYS_FILE": ""}
        self._spawn(
            "api",
            [
                *("-m", "uvicorn", "--factory", "api.server:serve", "--host", self.host, "--port", str(self.port)),
                # The other parser of uvicorn takes headers of any length.
                *("--http", "h11", "--no-access-log", "--timeout-graceful-shutdown", "5"),
            ],
            common,
        )
        for name, queues, device in self._workers():
            environment = {**common, "NST_WORKER_SHUTDOWN_SECONDS": "1"}
            if device is not None:
                environment["CUDA_VISIBLE_DEVICES"] = device
            # Each holds ready what its own queues need.
            if name == "fast":
                environment["NST_WARM_ENCODERS"] = ""
            else:
                environment["NST_WARM_STYLES"] = "false"
            self._spawn(name, ["-m", "worker.app", "--queues", queues, "--name", name], environment)
        self._wait_for_api()

    def _workers(self) -> list[tuple[str, str, str | None]]:
        """Name, queues and CUDA device of each worker: for sub-second jobs, for webhooks, per device for long jobs."""
        devices = _cuda_devices() if os.environ.get("NST_DEVICE", "auto") in ("auto", "cuda") else []
        long_ones: list[tuple[str, str, str | None]] = [(f"gatys-{d}", "gatys,train", d) for d in devices]
        return [("fast", "fast", None), ("webhook", "webhook", None), *(long_ones or [("gatys", "gatys,train", None)])]

    def _claim_folder(self) -> None:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self._lock = (self.data_dir / "lock").open("wb")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(f"another service is running on the data in {self.data_dir}") from None
        except OSError as error:
            raise StackError(f"cannot write to {self.data_dir}: {error.strerror}") from None

    def _claim_port(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
                self.port = probe.getsockname()[1]
            except OSError as error:
                raise StackError(f"cannot listen on {self.host} port {self.port}: {error.strerror}") from None

    def _spawn(self, name: str, arguments: list[str], environment: dict[str, str]) -> None:
        output: IO[bytes] | None = None
        if self.quiet:
            folder = self.data_dir / "logs"
            folder.mkdir(exist_ok=True)
            output = (folder / f"{name}.log").open("ab")
            self._logs.append(output)
        self._spawned[name] = arguments, environment
        # A session of its own, so that Ctrl-C reaches this process alone and it can stop the others in order.
        self.children[name] = subprocess.Popen(
            [sys.executable, *arguments],
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=self._inherited,
        )

    @property
    def _inherited(self) -> tuple[int, ...]:
        """The lock, which children hold too: when this process is killed they live on, and so does the claim."""
        return () if self._lock is None else (self._lock.fileno(),)

    def _wait_for_api(self) -> None:
        deadline = monotonic() + API_TIMEOUT
        while True:
            self.check()
            with contextlib.suppress(httpx.HTTPError):
                # Not by a proxy of the environment: it cannot reach this machine's addresses.
                if httpx.get(f"{self.url}/readyz", timeout=2, trust_env=False).status_code == httpx.codes.OK:
                    return
            if monotonic() > deadline:
                raise StackError(f"the API did not answer within {API_TIMEOUT:g} s{self._where()}")
            sleep(0.1)

    def check(self) -> None:
        """Raises StackError when a process has ended."""
        for name, process in self._processes().items():
            code = process.poll()
            if code is not None:
                raise StackError(f"the process {name} ended with status {code}{self._where()}")

    def mend(self) -> list[str]:
        """Starts again what has ended by itself; says what that was.

        Raises:
            StackError: a process ends again and again.
        """
        told = []
        for name, process in self._processes().items():
            code = process.poll()
            if code is None:
                continue
            ended = f"the process {name} ended with status {code}"
            ends = self._ends[name] = [at for at in self._ends.get(name, []) if at > monotonic() - ENDS_SECONDS]
            ends.append(monotonic())
            if len(ends) > MOST_ENDS:
                raise StackError(f"{ended}, for the {len(ends)}th time in {ENDS_SECONDS:g} s{self._where()}")
            with contextlib.suppress(ProcessLookupError):  # what it has left of its own children
                os.killpg(process.pid, signal.SIGKILL)
            if name == "redis" and self.redis is not None:
                self.redis.start(self._inherited)
            else:
                self._spawn(name, *self._spawned[name])
            told.append(f"{ended}; it is started again")
        return told

    def _processes(self) -> "dict[str, subprocess.Popen[bytes]]":
        redis = self.redis.process if self.redis is not None else None
        return self.children | ({"redis": redis} if redis is not None else {})

    def _where(self) -> str:
        return f"; see {self.data_dir / 'logs'}" if self.quiet else ""

    def stop(self) -> None:
        """Ends all processes, Redis last; a running job is given back and goes on at the next start.

        Another Ctrl-C meanwhile cuts the wait for the children short.
        """
        try:
            self._end_children()
        finally:
            for child in self.children.values():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            self.children.clear()
            if self.redis is not None:
                self.redis.stop()
                self.redis = None
            for log in self._logs:
                log.close()
            self._logs.clear()
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def _end_children(self) -> None:
        for child in self.children.values():
            if child.poll() is None:
                child.terminate()
        deadline = monotonic() + STOP_TIMEOUT
        for child in self.children.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.1, deadline - monotonic()))


def _cuda_devices() -> list[str]:
    """The NVIDIA GPUs that this process may use, without importing torch into it."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:  # empty or -1: none
        return [device for device in allowed.split(",") if device and device != "-1"]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(i) for i, line in enumerate(listed.stdout.splitlines()) if line.startswith("GPU")]
