"""Workers and Redis die in the middle of a job, and the job is finished all the same."""

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest
import redis

from cli.redis_server import find_executable
from cli.up import Stack
from jobs.queue import TASK_PAINT, make_celery
from jobs.settings import Settings
from tests.service import DEADLINE, Service, System, kill_group, pool_child, wait_for

#: A few seconds of work, so that there is time to die in its midst.
WORK = {"size": 64, "iterations": 250}

#: Deaths are noticed within seconds, who is told to end does so at once, and little has to be repeated.
ALERT = {
    "NST_LEASE_SECONDS": "2",
    "NST_REAPER_SECONDS": "1",
    "NST_WORKER_SHUTDOWN_SECONDS": "0.5",
    "NST_CHECKPOINT_SECONDS": "0.01",
}

#: Jobs are asked to end after 4 seconds, killed after 60, and begun once only.
STRICT = {"NST_TIME_LIMIT_SECONDS": "60", "NST_TIME_LIMIT_GRACE_SECONDS": "56", "NST_MAX_ATTEMPTS": "1"}


@pytest.fixture(scope="module")
def front(system: System) -> Iterator[Stack]:
    """Redis and the API, without workers: each test starts its own."""
    with system.stack("front", **ALERT) as stack:
        for name in ("fast", "gatys", "webhook"):
            kill_group(stack.children.pop(name))
        yield stack
        stack.check()


@pytest.fixture(scope="module")
def service(front: Stack) -> Iterator[Service]:
    with Service(front.url) as service:
        yield service


class Workers:
    """One worker at a time; what is alive serves several tests, because starting takes seconds."""

    def __init__(self, system: System, front: Stack) -> None:
        self._system, self._front = system, front
        self._faults = front.data_dir / "faults"
        self._faults.mkdir()
        self._worker: subprocess.Popen[bytes] | None = None
        self._settings: dict[str, str] = {}

    def running(self, **settings: str) -> "subprocess.Popen[bytes]":
        """A worker with these settings."""
        if self._worker and self._worker.poll() is None:
            if settings == self._settings:
                return self._worker
            kill_group(self._worker)
        return self.another(**settings)

    def another(self, **settings: str) -> "subprocess.Popen[bytes]":
        """A worker that is just being started."""
        everything = {**ALERT, "NST_FAULTS": str(self._faults), **settings}
        self._worker, self._settings = self._system.start_worker(self._front, "worker", **everything), settings
        return self._worker

    def will_meet(self, fault: str, times: int = 1) -> None:
        """Whoever paints next meets one of :mod:`worker.faults`."""
        for k in range(times):
            (self._faults / f"{fault}.{k}").touch()

    @property
    def log(self) -> str:
        """What the workers have told."""
        return (self._front.data_dir / "logs" / "worker.log").read_text()


@pytest.fixture(scope="module")
def workers(system: System, front: Stack) -> Iterator[Workers]:
    yield Workers(system, front)
    system.stop_workers()


def test_a_job_whose_process_is_killed_is_painted_again(service: Service, workers: Workers) -> None:
    worker = workers.running()
    job_id = service.submit(**WORK)
    service.started(job_id)
    os.kill(pool_child(worker), signal.SIGKILL)
    job = service.succeeded(job_id)
    assert job["attempt"] == 2
    assert worker.poll() is None
    # By the reaper or by the message that Celery delivers again, whichever comes first.
    assert [f"job {job_id}: started, attempt {n}" in workers.log for n in (1, 2, 3)] == [True, True, False]


def test_a_job_whose_worker_is_killed_is_painted_by_the_next(service: Service, workers: Workers) -> None:
    worker = workers.running()
    job_id = service.submit(**WORK)
    service.started(job_id)
    kill_group(worker)
    workers.another()
    assert service.succeeded(job_id)["attempt"] == 2


def test_a_worker_that_is_told_to_end_gives_its_job_back(service: Service, workers: Workers) -> None:
    worker = workers.running()
    job_id = service.submit(**WORK)
    service.started(job_id)
    worker.terminate()
    worker.wait(DEADLINE)
    assert f"job {job_id}: given back" in workers.log
    job = service.job(job_id)
    # Queued as if this attempt had not been; the next worker finds it in the queue.
    assert (job["status"], job["attempt"]) == ("queued", 0)
    workers.another()
    assert service.succeeded(job_id)["attempt"] == 1


def test_a_job_goes_on_when_redis_was_away_for_a_moment(front: Stack, service: Service, workers: Workers) -> None:
    assert front.redis is not None
    workers.running()
    job_id = service.submit(**WORK)
    service.started(job_id)
    front.redis.stop()
    front.redis.start()
    service.succeeded(job_id)
    service.succeeded(service.submit())


def test_a_job_whose_worker_is_killed_before_it_began_is_painted_by_the_next(
    front: Stack, service: Service, workers: Workers
) -> None:
    kill_group(workers.running())
    job_id = service.submit()
    worker = workers.another()
    os.kill(pool_child(worker), signal.SIGSTOP)
    assert front.redis is not None
    with redis.Redis.from_url(front.redis.url) as client:
        # What a worker has taken and not finished: only this worker knows of the message now.
        wait_for(lambda: client.hlen("nst:unacked") and not client.exists("nst:gatys\x06\x165"))
    kill_group(worker)
    assert service.job(job_id)["status"] == "queued"
    workers.another()
    assert service.succeeded(job_id)["attempt"] == 1
    assert f"job {job_id}: waits without a message; sent again" in workers.log


def test_a_training_whose_process_is_killed_goes_on_from_its_checkpoint(
    front: Stack, service: Service, workers: Workers
) -> None:
    worker = workers.running()
    job_id = service.accepted(service.post_style("survivor", steps=150))
    assert front.redis is not None
    with redis.Redis.from_url(front.redis.url) as client:
        wait_for(lambda: client.exists(f"nst:job:{job_id}:checkpoint"))
    before = service.wait(job_id, lambda job: job["progress"]["step"] > 20)["progress"]["step"]
    os.kill(pool_child(worker), signal.SIGKILL)
    after = service.wait(job_id, lambda job: job["attempt"] == 2 and job["progress"]["step"] > 0)
    assert after["progress"]["step"] >= before - 5
    service.succeeded(job_id)
    assert service.http.get("/styles/survivor").json()["training"]["step"] == 150


def test_a_picture_whose_device_is_lost_goes_on_from_its_checkpoint_in_another_process(
    service: Service, workers: Workers
) -> None:
    worker = workers.running()
    child = pool_child(worker)
    job_id = service.submit(**WORK)
    service.wait(job_id, lambda job: job["progress"]["step"] > 80)
    workers.will_meet("cuda")
    job = service.wait(job_id, lambda job: job["attempt"] == 2 and job["progress"]["step"] > 0)
    assert job["progress"]["step"] > 75
    assert service.succeeded(job_id)["attempt"] == 2
    assert pool_child(worker) != child
    assert f"job {job_id}: given up: queued" in workers.log


def test_a_picture_that_does_not_fit_into_memory_fails_and_the_process_goes_on(
    service: Service, workers: Workers
) -> None:
    worker = workers.running()
    job_id, after = service.submit(**WORK), service.submit()
    service.started(job_id)
    child = pool_child(worker)
    workers.will_meet("oom")
    job = service.finished(job_id)
    assert (job["status"], job["error"]["code"], job["attempt"]) == ("failed", "out_of_memory", 1)
    service.succeeded(after)
    assert pool_child(worker) == child


def test_three_deaths_are_enough(service: Service, workers: Workers) -> None:
    workers.running()
    job_id = service.submit(**WORK)
    service.started(job_id)
    workers.will_meet("cuda", times=3)
    job = service.finished(job_id)
    assert (job["status"], job["error"]["code"], job["attempt"]) == ("failed", "worker_lost", 3)
    service.succeeded(service.submit())


def test_messages_that_are_no_jobs_hold_up_nobody(front: Stack, service: Service, workers: Workers) -> None:
    worker = workers.running()
    assert front.redis is not None
    unreadable = service.submit()
    with redis.Redis.from_url(front.redis.url) as client:
        client.set(f"nst:job:{unreadable}", "{", xx=True)
    with make_celery(Settings(redis_url=front.redis.url)) as celery:
        for task, arguments in (
            (TASK_PAINT, ["../../etc/passwd"]),
            (TASK_PAINT, []),
            (TASK_PAINT, [{"id": 1}]),
            ("nst.unknown", []),
        ):
            celery.send_task(task, args=arguments, queue="gatys")
    service.succeeded(service.submit())
    assert worker.poll() is None


def test_a_job_that_takes_too_long_fails_and_the_next_is_painted(service: Service, workers: Workers) -> None:
    workers.running(**STRICT)
    too_long, after = service.submit(size=256, iterations=4000), service.submit()
    job = service.finished(too_long)
    assert (job["status"], job["error"]["code"]) == ("failed", "timeout")
    assert "NST_TIME_LIMIT_SECONDS" in job["error"]["message"]
    service.succeeded(after)


def test_a_job_that_kills_its_process_each_time_is_given_up(service: Service, workers: Workers) -> None:
    worker = workers.running(**STRICT)
    job_id, after = service.submit(**WORK), service.submit()
    service.started(job_id)
    os.kill(pool_child(worker), signal.SIGKILL)
    job = service.finished(job_id)
    assert (job["status"], job["error"]["code"], job["attempt"]) == ("failed", "worker_lost", 1)
    service.succeeded(after)


def test_jobs_that_hang_are_ended_by_the_limits_of_time(service: Service, workers: Workers) -> None:
    limits = {"NST_TIME_LIMIT_SECONDS": "5", "NST_TIME_LIMIT_GRACE_SECONDS": "2", "NST_MAX_ATTEMPTS": "1"}
    workers.running(**limits)
    for kind, code in (("hang", "timeout"), ("deaf", "worker_lost")):
        workers.will_meet(kind)
        job = service.finished(service.submit())
        assert (job["status"], (job["error"] or {}).get("code")) == ("failed", code)
    service.succeeded(service.submit())


def test_the_log_tells_each_event_once(workers: Workers) -> None:
    lines = [line for line in workers.log.splitlines() if line.startswith("[")]
    assert len(lines) == len(set(lines))


def test_the_password_of_redis_is_not_logged(system: System, front: Stack, unused_port: int) -> None:
    server = [str(find_executable({"NST_REDIS_SERVER": "embedded"})), "--port", str(unused_port), "--save", ""]
    process = subprocess.Popen([*server, "--requirepass", "hunter2"], stdout=subprocess.DEVNULL)
    log = front.data_dir / "logs" / "password.log"
    try:
        url = f"redis://:hunter2@127.0.0.1:{unused_port}/0"
        system.start_worker(front, "password", NST_REDIS_URL=url, NST_WARM_ENCODERS="")
        wait_for(lambda: "ready" in log.read_text())
    finally:
        process.terminate()
        process.wait(DEADLINE)
    wait_for(lambda: "Cannot connect" in log.read_text())
    assert "hunter2" not in log.read_text()
