"""``nst up`` from start to end, as a process of its own."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import sleep

import httpx
import pytest

from cli.up import Stack
from tests.service import DEADLINE, Service, System, pool_child, wait_for

#: Nothing to load at the start, for tests that paint nothing.
IDLE = {"NST_WARM_ENCODERS": "", "NST_WARM_STYLES": "false"}

Start = Callable[..., tuple["subprocess.Popen[str]", Service]]


@pytest.fixture
def folder(system: System, request: pytest.FixtureRequest) -> Path:
    """The data folder of the test's services."""
    return system.folder / re.sub(r"\W+", "-", request.node.name)


@pytest.fixture
def up(system: System, folder: Path) -> Iterator[Start]:
    """Starts ``nst up`` and waits until it is ready."""
    started: list[subprocess.Popen[str]] = []
    services: list[Service] = []

    def start(**settings: str) -> tuple["subprocess.Popen[str]", Service]:
        # Nobody reads the output meanwhile: a line for each request would fill the pipe in the end.
        settings = {"NST_DATA_DIR": str(folder), "NST_LOG_LEVEL": "WARNING", **settings}
        process = system.nst("up", "--port", "0", **settings)
        started.append(process)
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        said = next((line for line in lines if "ready at http" in line), "")
        assert said, "it did not start"
        services.append(Service(said.split()[5]))
        return process, services[-1]

    yield start
    for service in services:
        service.http.close()
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.wait(DEADLINE)
        if process.stdout is not None:
            process.stdout.close()
    left = system.processes(folder)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == {}, "processes are left behind"


def end(process: "subprocess.Popen[str]", *numbers: signal.Signals) -> tuple[int, str]:
    """Exit status and the rest of the output after signals."""
    for number in numbers:
        process.send_signal(number)
    output, _ = process.communicate(timeout=DEADLINE)
    return process.returncode, output


def test_ctrl_c_keeps_results_and_jobs_for_the_next_start(system: System, folder: Path, up: Start) -> None:
    process, service = up()
    done = service.submit()
    picture = service.result(done)
    before = service.job(done)
    running, queued = service.submit(size=256, iterations=4000), service.submit()
    service.started(running)
    status, output = end(process, signal.SIGINT)
    assert status == 0
    assert "Stopped. Jobs and results are kept." in output
    assert "Traceback" not in output
    assert system.processes(folder) == {}

    _, service = up()
    assert service.job(done) == before
    assert service.result(done) == picture
    # Given back: the attempt that was cut off does not count.
    assert service.started(running)["attempt"] == 1
    assert service.job(queued)["status"] == "queued"
    service.http.post(f"/jobs/{running}/cancel")
    service.succeeded(queued)


def test_the_api_may_have_several_processes(system: System, folder: Path, up: Start) -> None:
    process, service = up(**IDLE, WEB_CONCURRENCY="2")

    def processes(_: int) -> list[str]:
        answer = httpx.get(f"{service.url}/metrics", timeout=DEADLINE, trust_env=False)
        return re.findall(r'process="([^"]+)"', answer.text)

    with ThreadPoolExecutor(16) as clients:  # one at a time may always meet the same one
        assert len({name for names in clients.map(processes, range(200)) for name in names}) == 2
    job = service.post(size=256, iterations=4000).json()
    canceled = service.http.post(f"/jobs/{job['id']}/cancel")
    assert canceled.status_code == 200
    status, output = end(process, signal.SIGINT)
    assert status == 0
    assert "Traceback" not in output
    assert system.processes(folder) == {}


def test_what_ends_by_itself_is_started_again(system: System, folder: Path, up: Start) -> None:
    _, service = up(NST_LEASE_SECONDS="2", NST_REAPER_SECONDS="1")

    def succeeded(job_id: str) -> bool:
        with suppress(httpx.TransportError):
            answer = service.http.get(f"/jobs/{job_id}")
            return answer.status_code == 200 and answer.json()["status"] == "succeeded"
        return False

    for name in ("uvicorn", "redis-server", "--name gatys"):
        running = service.submit(size=96, iterations=250)
        service.started(running)
        (pid,) = (pid for pid, command in system.processes(folder).items() if name in command)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda job_id=running: succeeded(job_id))
        assert pid not in system.processes(folder)
        assert any(name in command for command in system.processes(folder).values())
    service.succeeded(service.submit())


def test_what_ends_again_and_again_ends_all(system: System, folder: Path, up: Start) -> None:
    process, _ = up(**IDLE)
    killed: set[int] = set()
    while process.poll() is None:
        for pid, command in system.processes(folder).items():
            if "--name webhook" in command and pid not in killed:
                killed.add(pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        sleep(0.05)
    status, output = end(process)
    assert status == 1
    assert "the process webhook ended with status -9, for the 6th time in 120 s" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    "numbers",
    [(signal.SIGTERM,), (signal.SIGHUP,), (signal.SIGINT, signal.SIGINT)],
    ids=["supervisor", "closed terminal", "impatience"],
)
def test_nothing_is_left_behind(system: System, folder: Path, up: Start, numbers: tuple[signal.Signals, ...]) -> None:
    process, service = up(**IDLE)
    # A second signal that meets a worker while it starts makes Celery print a trace of its own.
    wait_for(lambda: service.http.get("/readyz").json()["workers"] == 3)
    # Redis, the API, two workers and their children, the one of webhooks, and the command itself.
    assert len(wait_for(lambda: len(found := system.processes(folder)) >= 8 and found)) >= 8
    status, output = end(process, *numbers)
    assert status == 0
    assert "Traceback" not in output
    assert system.processes(folder) == {}


def test_one_folder_serves_one_service(system: System, folder: Path, up: Start) -> None:
    process, _ = up(**IDLE)
    status, output = end(system.nst("up", "--port", "0", "--data-dir", str(folder)))
    assert (status, output) == (1, f"nst: another service is running on the data in {folder}\n")

    # Killed, it cannot stop its children: they hold the folder until somebody ends them.
    process.kill()
    process.wait()
    status, output = end(system.nst("up", "--port", "0", "--data-dir", str(folder)))
    assert (status, output) == (1, f"nst: another service is running on the data in {folder}\n")
    for pid in system.processes(folder):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not system.processes(folder))
    up(**IDLE)


def test_a_taken_port_is_told(system: System, folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, output = end(system.nst("up", "--port", str(port), "--data-dir", str(folder)))
    assert (status, output) == (1, f"nst: cannot listen on 127.0.0.1 port {port}: Address already in use\n")


def test_a_folder_that_cannot_be_made_is_told(system: System, folder: Path) -> None:
    folder.write_text("a file")
    status, output = end(system.nst("up", "--port", "0", "--data-dir", str(folder / "data")))
    assert (status, output) == (1, f"nst: cannot write to {folder / 'data'}: Not a directory\n")


def test_a_missing_redis_is_told(system: System, folder: Path) -> None:
    up = system.nst("up", "--port", "0", "--data-dir", str(folder), NST_REDIS_SERVER="/no/such/redis-server")
    status, output = end(up)
    assert status == 1
    assert output == "nst: NST_REDIS_SERVER names /no/such/redis-server, which is not an executable file\n"


def test_only_the_processes_that_paint_load_pytorch(stack: Stack, service: Service) -> None:
    service.succeeded(service.submit())

    def loads_pytorch(pid: int) -> bool:
        return "libtorch" in Path(f"/proc/{pid}/maps").read_text()

    assert loads_pytorch(pool_child(stack.children["gatys"]))
    assert not any(loads_pytorch(process.pid) for process in stack.children.values())


def test_webhooks_are_signed_with_a_key_of_its_own(system: System, stack: Stack, service: Service) -> None:
    status, secret = end(system.nst("webhook-secret", "--data-dir", str(stack.data_dir)))
    assert (status, secret.strip()) == (0, (stack.data_dir / "webhook-secret").read_text().strip())
    # It succeeds, so that nobody is called.
    response = service.post_fast(webhook="https://93.184.215.14/", webhook_events="failed")
    service.succeeded(service.accepted(response))
