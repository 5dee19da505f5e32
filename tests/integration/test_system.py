"""What the service tells of itself while it works."""

from typing import Any

from cli.up import Stack
from tests.service import Service, wait_for


def test_the_workers_tell_of_themselves(service: Service) -> None:
    job_id = service.submit(size=256, iterations=10_000)
    service.started(job_id)

    def busy() -> dict[str, Any] | None:
        workers = service.http.get("/system").json()["workers"]
        return next((worker for worker in workers if worker["engine"] and worker["engine"]["job"] == job_id), None)

    worker = wait_for(busy)
    assert worker["queues"] == ["gatys", "train"]
    assert (worker["engine"]["device"], worker["engine"]["encoders"]) == ("cpu", ["compact"])
    service.http.post(f"/jobs/{job_id}/cancel")
    service.finished(job_id)


def test_jobs_are_counted_and_logged_by_their_ids(service: Service, stack: Stack) -> None:
    def ended() -> float:
        lines = service.http.get("/metrics").text.splitlines()
        (line,) = [line for line in lines if line.startswith('nst_jobs_total{method="fast",status="succeeded"}')]
        return float(line.split()[-1])

    before = ended()
    job_id = service.accepted(service.post_fast())
    service.succeeded(job_id)
    assert ended() == before + 1
    for name in ("api", "fast"):
        log = (stack.data_dir / "logs" / f"{name}.log").read_text()
        assert job_id in log, name
