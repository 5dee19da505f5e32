"""Creative control through the whole service: everything at once, and one call for a fast picture."""

import io
from hashlib import sha256

import numpy as np
from PIL import Image

from tests.service import Service


def mask(left: bool) -> bytes:
    """Of the left third, or of the middle."""
    image = Image.new("L", (90, 60))
    image.paste(255, (0, 0, 30, 60) if left else (30, 0, 60, 60))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_everything_at_once(service: Service) -> None:
    """Two styles by masks, the colours kept in one region, W2, in tiles, seeded, with snapshots."""
    style = service.style.read_bytes()
    sent = [
        *(
            ("content", ("c.jpg", service.content.read_bytes())),
            ("style", ("a.jpg", style)),
            ("style", ("b.jpg", style)),
        ),
        *(("mask", ("l.png", mask(left=True))), ("mask", ("m.png", mask(left=False)))),
    ]
    fields = {
        **{"size": "192", "iterations": "6", "style_weights": "1,2", "color": "luminance,style"},
        **{"style_loss": "wasserstein", "tile": "128", "init": "noise", "seed": "7", "snapshot_every": "2"},
        **{"optimizer": "adam", "averaging": "0.5", "final_content_weight": "0.01"},
    }
    results = []
    for _ in range(2):
        response = service.http.post("/jobs", files=sent, data=fields)
        job_id = service.accepted(response)
        results.append(service.result(job_id))
    assert sha256(results[0]).digest() == sha256(results[1]).digest()  # the seed is all that is random
    job = service.job(job_id)
    assert job["input"]["params"]["color"] == ["luminance", "style"]
    assert {"style relu1_1", "style relu5_1", "content"} <= job["output"]["losses"].keys()
    assert -1 <= job["output"]["similarity"] <= 1
    assert sum(stage["iterations"] for stage in job["metrics"]["stages"]) == 6

    painted = np.asarray(Image.open(io.BytesIO(results[0])), np.int16)
    with Image.open(service.content) as photograph:
        original = np.asarray(photograph.convert("RGB").resize((192, 144), Image.Resampling.LANCZOS), np.int16)
    assert np.array_equal(painted[:, 132:], original[:, 132:])  # no mask is there
    assert np.abs(painted[:, :60] - original[:, :60]).mean() > 5

    snapshots = service.http.get(job["urls"]["snapshots"]).json()["items"]
    assert [snapshot["step"] for snapshot in snapshots] == [2, 4, 6]
    assert Image.open(io.BytesIO(service.http.get(snapshots[-1]["url"]).content)).size == (192, 144)
    animation = service.http.get(f"{job['urls']['snapshots']}/animation", params={"format": "gif"})
    assert getattr(Image.open(io.BytesIO(animation.content)), "n_frames", 1) == 3


def test_one_call_is_enough_for_a_fast_picture(service: Service) -> None:
    response = service.http.post(
        "/jobs",
        files={"content": service.content.read_bytes(), "mask": mask(left=True)},
        data={"style_id": "waves", "size": "96", "color": "match-mkl"},
        headers={"Prefer": "wait"},
    )
    assert response.status_code == 200, response.text
    assert response.json()["status"] == "succeeded"
    assert Image.open(io.BytesIO(service.result(response.json()["id"]))).size == (96, 72)


def test_a_texture_needs_no_photograph_and_a_mask_may_be_found(service: Service) -> None:
    style = service.style.read_bytes()
    fields = {"preset": "texture", "size": "64", "iterations": "3"}
    texture = service.accepted(service.http.post("/jobs", files={"style": style}, data=fields))
    found = service.submit(auto_mask="subject", iterations=2)
    for job_id in (texture, found):
        service.succeeded(job_id)
