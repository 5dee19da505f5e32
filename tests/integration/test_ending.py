"""Jobs that end in another way than with a picture; the worker goes on with the next."""

from tests.service import Service

#: Minutes of work.
LONG = {"size": 256, "iterations": 4000}


def test_a_queued_job_is_canceled_at_once_and_a_running_one_soon(service: Service) -> None:
    running, queued, after = service.submit(**LONG), service.submit(), service.submit()
    service.started(running)

    canceled = service.http.post(f"/jobs/{queued}/cancel").json()
    assert (canceled["status"], canceled["started_at"]) == ("canceled", None)
    assert canceled["completed_at"]

    assert service.http.post(f"/jobs/{running}/cancel").json()["cancel_requested_at"]
    ended = service.finished(running)
    assert (ended["status"], ended["error"]) == ("canceled", None)
    assert ended["progress"]["step"] < LONG["iterations"]
    assert service.http.get(f"/jobs/{running}/result").status_code == 409

    service.succeeded(after)
    assert service.job(queued) == canceled


def test_a_deleted_job_is_gone_and_stops(service: Service) -> None:
    running, after = service.submit(**LONG), service.submit()
    service.started(running)
    assert service.http.delete(f"/jobs/{running}").status_code == 204
    for path in ("", "/result", "/thumbnail", "/preview"):
        assert service.http.get(f"/jobs/{running}{path}").status_code == 404
    # There is one process that paints: it is free for this one.
    service.succeeded(after)
    assert service.http.get(f"/jobs/{running}").status_code == 404


def test_a_network_without_weights_fails_its_jobs_only(service: Service) -> None:
    job = service.finished(service.submit(encoder="vgg19"))
    assert (job["status"], job["error"]["code"]) == ("failed", "weights_unavailable")
    assert "nst weights fetch vgg19" in job["error"]["message"]
    assert "/" not in job["error"]["message"]  # no path
    problem = service.http.get(job["urls"]["result"])
    assert (problem.status_code, problem.json()["code"]) == (409, "job_failed")
    service.succeeded(service.submit())
