"""Fast jobs through the whole service."""

import io
from pathlib import Path

from PIL import Image

from tests.service import DEADLINE, Service, System


def test_a_fast_job_overtakes_a_running_optimisation(service: Service) -> None:
    long_one, waiting = (service.submit(size=256, iterations=10_000) for _ in range(2))
    service.started(long_one)
    for style_id in ("waves", "waves_color"):
        job = service.succeeded(service.accepted(service.post_fast(style_id)))
        assert (job["method"], job["input"]["params"]["style_id"]) == ("fast", style_id)
        assert (job["metrics"]["device"], job["metrics"]["encoder"]) == ("cpu", None)
        assert job["progress"]["fraction"] == 1
    assert service.job(long_one)["status"] == "processing"
    assert service.job(waiting)["status"] == "queued"
    for job_id in (waiting, long_one):
        service.http.post(f"/jobs/{job_id}/cancel")
        assert service.finished(job_id)["status"] == "canceled"


def test_the_result_is_the_styled_photograph(service: Service) -> None:
    job_id = service.accepted(service.post_fast(size=96, strength=0, output_format="tiff"))
    picture = Image.open(io.BytesIO(service.result(job_id)))
    with Image.open(service.content) as photograph:
        expected = photograph.convert("RGB").resize((96, 72), Image.Resampling.LANCZOS)
    assert picture.size == (96, 72)
    assert picture.tobytes() == expected.tobytes()
    preview = service.http.get(f"/jobs/{job_id}/preview")
    assert Image.open(io.BytesIO(preview.content)).size == (96, 72)


def test_what_the_gallery_lists_can_be_painted(service: Service) -> None:
    for style in service.http.get("/styles").json()["items"]:
        assert service.http.get(style["urls"]["thumbnail"]).headers["content-type"] == "image/jpeg"
        service.succeeded(service.accepted(service.post_fast(style["id"])))


def test_a_fast_job_that_cannot_be_painted_is_refused(service: Service) -> None:
    before = service.http.get("/jobs").json()["items"]
    for response, code in (
        (service.post_fast("nothing"), "unknown_style"),
        (service.post_fast(strength=2), "invalid_options"),
        (service.post_fast(iterations=5), "invalid_options"),
        (service.post_fast(size=100_000), "invalid_options"),
    ):
        assert (response.status_code, response.json()["code"]) == (422, code)
    assert service.http.get("/jobs").json()["items"] == before


def test_submit_paints_in_a_trained_style(system: System, service: Service, tmp_path: Path) -> None:
    output = tmp_path / "painted.png"
    arguments = (str(service.content), "--style-id=waves", "--size=96", "--strength=0.5", f"--out={output}")
    command = system.nst("submit", *arguments, NST_URL=service.url)
    said, _ = command.communicate(timeout=DEADLINE)
    assert command.returncode == 0, said
    assert f"{output} (96 x 72, waves, cpu" in said
    with Image.open(output) as picture:
        assert picture.size == (96, 72)
