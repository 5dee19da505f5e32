"""Training a style through the whole service."""

import io

from PIL import Image

from tests.service import Service


def test_a_style_is_trained_listed_painted_and_taken_away(service: Service) -> None:
    job_id = service.accepted(service.post_style("flow", title="Flow", keep_color="true"))
    job = service.succeeded(job_id)
    assert (job["method"], job["progress"]["step"], job["output"]["media_type"]) == ("train", 5, "image/png")
    picture = Image.open(io.BytesIO(service.result(job_id)))
    assert picture.size == (job["output"]["width"], job["output"]["height"])
    assert service.http.get(f"/jobs/{job_id}/preview").headers["content-type"] == "image/jpeg"

    style = service.http.get("/styles/flow").json()
    assert (style["title"], style["keeps_color"], style["removable"]) == ("Flow", True, True)
    assert style in service.http.get("/styles").json()["items"]
    assert service.http.get(style["urls"]["thumbnail"]).headers["content-type"] == "image/jpeg"
    assert service.post_style("flow").status_code == 409
    painted = service.succeeded(service.accepted(service.post_fast("flow")))
    assert painted["input"]["params"]["style_id"] == "flow"

    assert service.http.delete("/styles/flow").status_code == 204
    assert service.post_fast("flow").json()["code"] == "unknown_style"
    # The training is a job like any other and is forgotten by itself.
    assert service.http.delete(f"/jobs/{job_id}").status_code == 204


def test_a_training_is_canceled(service: Service) -> None:
    job_id = service.accepted(service.post_style("endless", steps=100_000, minutes=5))
    service.started(job_id)
    service.http.post(f"/jobs/{job_id}/cancel")
    assert service.finished(job_id)["status"] == "canceled"
    assert service.http.get("/styles/endless").status_code == 404
    assert service.post_style("endless").status_code == 202


def test_fast_jobs_do_not_wait_for_a_training(service: Service) -> None:
    job_id = service.accepted(service.post_style("slow", steps=100_000, minutes=5))
    service.started(job_id)
    service.succeeded(service.accepted(service.post_fast()))
    assert service.job(job_id)["status"] == "processing"
    service.http.post(f"/jobs/{job_id}/cancel")
