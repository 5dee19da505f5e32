"""A real service: an embedded Redis, the API under uvicorn and workers, each a process of its own."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self

import httpx
import pytest

from cli.console import SAMPLES
from cli.up import Stack

#: Seconds to wait for what should happen within a few.
DEADLINE = 180.0

FINAL = ("succeeded", "failed", "canceled")


def wait_for(condition: Callable[[], Any], complaint: Callable[[], str] = lambda: "nothing happens") -> Any:
    """What the condition returns, as soon as it is true."""
    deadline = monotonic() + DEADLINE
    while not (found := condition()):
        assert monotonic() < deadline, complaint()
        sleep(0.1)
    return found


class Service:
    """A running service, spoken to over HTTP; by default its jobs paint the sample pair, small and short."""

    content, style = SAMPLES / "content_harbour.jpg", SAMPLES / "style_flow.jpg"

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def post(self, *, files: dict[str, bytes] | None = None, **fields: Any) -> httpx.Response:
        """``POST /jobs``."""
        sent = {"content": self.content.read_bytes(), "style": self.style.read_bytes(), **(files or {})}
        data = {"size": 64, "iterations": 5, **fields}
        return self.http.post("/jobs", files=sent, data={name: str(value) for name, value in data.items()})

    def post_fast(
        self, style_id: str = "waves", *, files: dict[str, bytes] | None = None, **fields: Any
    ) -> httpx.Response:
        """``POST /jobs`` in a trained style."""
        data = {"size": 64, "style_id": style_id, **fields}
        sent = {"content": self.content.read_bytes(), **(files or {})}
        return self.http.post("/jobs", files=sent, data={name: str(value) for name, value in data.items()})

    def post_style(self, style_id: str, **fields: Any) -> httpx.Response:
        """``POST /styles`` with the sample painting and photograph, a short training of small crops."""
        data = {"id": style_id, "steps": 5, "crop": 64, "style_size": 64, **fields}
        sent = {"style": self.style.read_bytes(), "photograph": self.content.read_bytes()}
        return self.http.post("/styles", files=sent, data={name: str(value) for name, value in data.items()})

    def submit(self, **fields: Any) -> str:
        """The id of a job that was accepted."""
        return self.accepted(self.post(**fields))

    @staticmethod
    def accepted(response: httpx.Response) -> str:
        assert response.status_code == 202, response.text
        return str(response.json()["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        response = self.http.get(f"/jobs/{job_id}")
        assert response.status_code == 200, response.text
        return dict(response.json())

    def wait(self, job_id: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The job as soon as the condition holds."""

        def look() -> dict[str, Any] | None:
            job = self.job(job_id)
            if condition(job):
                return job
            assert job["status"] not in FINAL, f"ended too early: {job}"
            return None

        found: dict[str, Any] = wait_for(look, lambda: f"nothing more happens: {self.job(job_id)}")
        return found

    def started(self, job_id: str) -> dict[str, Any]:
        """The job as soon as it has iterations behind it."""
        return self.wait(job_id, lambda job: job["status"] == "processing" and job["progress"]["step"] > 0)

    def finished(self, job_id: str) -> dict[str, Any]:
        return self.wait(job_id, lambda job: job["status"] in FINAL)

    def succeeded(self, job_id: str) -> dict[str, Any]:
        job = self.finished(job_id)
        assert job["status"] == "succeeded", job
        return job

    def result(self, job_id: str) -> bytes:
        """The picture's file, once the job is finished."""
        self.succeeded(job_id)
        response = self.http.get(f"/jobs/{job_id}/result")
        assert response.status_code == 200, response.text
        return response.content


class System:
    """Starts services and workers that have nothing of this machine's settings, and looks after their processes.

    A context manager: at its end none of their processes may be left.

    Args:
        folder: for their data.
        styles_dir: their gallery.
    """

    #: Of each process: more gain nothing on pictures this small, and several workers share few cores.
    THREADS = "1"

    def __init__(self, folder: Path, styles_dir: Path) -> None:
        self.folder = folder
        self._workers: list[subprocess.Popen[bytes]] = []
        (folder / "nothing").mkdir()
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("NST_")} | {
            "NST_REDIS_SERVER": "embedded",
            "NST_DEVICE": "cpu",
            "NST_ALLOW_DOWNLOAD": "false",
            "NST_WEIGHTS_DIR": str(folder / "nothing"),
            "NST_STYLES_DIR": str(styles_dir),
            "TORCH_HOME": str(folder / "nothing"),
            "OMP_NUM_THREADS": self.THREADS,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_workers()
        # What was killed a moment ago may still be on its way out.
        wait_for(lambda: not self.processes(), lambda: f"left behind: {self.processes()}")

    @contextmanager
    def stack(self, name: str, **settings: str) -> Iterator[Stack]:
        """The whole service with its data in a folder of this name, which may have been used before."""
        stack = Stack("127.0.0.1", 0, self.folder / name, quiet=True)
        with pytest.MonkeyPatch.context() as patch:
            for variable in os.environ.keys() - self.environment.keys():
                patch.delenv(variable)
            for variable, value in (self.environment | settings).items():
                patch.setenv(variable, value)
            stack.__enter__()
        try:
            yield stack
        finally:
            stack.stop()

    def start_worker(
        self, stack: Stack, name: str, queues: str = "gatys,train", **settings: str
    ) -> "subprocess.Popen[bytes]":
        """Another worker of this stack; its output is in ``logs/{name}.log``."""
        assert stack.redis is not None
        with (stack.data_dir / "logs" / f"{name}.log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "worker.app", "--queues", queues, "--name", name],
                env={**self.environment, "NST_REDIS_URL": stack.redis.url, **settings},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._workers.append(worker)
        return worker

    def front_end(self, stack: Stack, name: str, **settings: str) -> "FrontEnd":
        """Another API of this stack, with settings of its own; its output is in ``logs/{name}.log``."""
        assert stack.redis is not None
        environment = {**self.environment, "NST_REDIS_URL": stack.redis.url, **settings}
        return FrontEnd(environment, stack.data_dir / "logs" / f"{name}.log")

    def stop_workers(self) -> None:
        """Kills the workers that were started here."""
        for worker in self._workers:
            kill_group(worker)
        self._workers.clear()

    def nst(self, *arguments: str, **settings: str) -> "subprocess.Popen[str]":
        """The command ``nst`` as from a terminal, also when these tests run in the background or under nohup."""
        signals = (
            "signal.signal(signal.SIGINT, signal.default_int_handler); signal.signal(signal.SIGHUP, signal.SIG_DFL)"
        )
        return subprocess.Popen(
            [sys.executable, "-c", f"import signal; {signals}; from cli.main import main; main()", *arguments],
            env=self.environment | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def processes(self, folder: Path | None = None) -> dict[int, str]:
        """Command lines by process id, of all that were started here and know this folder."""
        mark = str(folder or self.folder)
        found = {}
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError):  # it ends meanwhile; no process
                pid = int(entry.name)
                # Redis writes its title over its environment, and works in the folder of its data.
                known = (entry / "environ").read_bytes() + bytes((entry / "cwd").readlink())
                if pid != os.getpid() and mark.encode() in known:
                    found[pid] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found


class FrontEnd:
    """An API process beside those of a stack, which may be stopped and started again; a context manager.

    Args:
        environment: of the process, with all settings.
        log: file for its output.
    """

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.environment, self.log = environment, log
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    @property
    def url(self) -> str:
        """Where it is, with the path of its settings."""
        return f"http://127.0.0.1:{self.port}{self.environment.get('NST_ROOT_PATH', '')}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, at the address where it was before, and wait until it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "uvicorn", "--factory", "api.server:serve", "--port", str(self.port)),
                    *("--http", "h11", "--no-access-log", "--timeout-graceful-shutdown", "1"),
                ],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self._answers, lambda: f"the API does not answer; see {self.log}")

    def stop(self) -> None:
        """End it, as an operator does."""
        if self._process:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None

    def _answers(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/livez", trust_env=False).status_code == 200
        return False


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    """Ends a process and its children the hard way."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def pool_child(worker: "subprocess.Popen[bytes]") -> int:
    """The process id of the child in which a worker paints."""

    def find() -> int | None:
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                pid, stat = int(entry.name), (entry / "stat").read_text().rpartition(")")[2].split()
                if int(stat[1]) == worker.pid and b"spawn_main" in (entry / "cmdline").read_bytes():
                    return pid
        return None

    return int(wait_for(find, lambda: "the worker has no child"))
