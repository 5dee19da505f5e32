"""From a form to the picture, through the whole service."""

import hashlib
import io
from typing import Any

import pytest
import torch
from PIL import Image

from nst_core.image import noise, to_tensor
from nst_core.losses import gram_matrix, style_loss
from nst_core.options import MEDIA_TYPES, default_of
from nst_core.pretrained import load_encoder
from tests.service import FINAL, Service, wait_for


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


class Judge:
    """Compares pictures of one size by what the compact encoder sees in them."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self.encoder = load_encoder("compact")

    def features(self, picture: Image.Image | torch.Tensor, layers: tuple[str, ...]) -> dict[str, torch.Tensor]:
        image = picture if isinstance(picture, torch.Tensor) else to_tensor(picture.convert("RGB"), self.size)
        with torch.no_grad():
            return self.encoder(image, layers)

    def style_error(self, one: Image.Image, other: Image.Image) -> float:
        """Mean relative distance of Gram matrices, 0 for the same picture."""
        layers = default_of("style_layers")
        seen, wanted = self.features(one, layers), self.features(other, layers)
        return sum(style_loss(gram_matrix(seen[k]), gram_matrix(wanted[k])).item() for k in layers) / len(layers)

    def likeness(self, one: Image.Image | torch.Tensor, other: Image.Image) -> float:
        """Correlation of what is where in the pictures, 1 for the same picture."""
        maps = [self.features(picture, ("relu4_2",))["relu4_2"] for picture in (one, other)]
        centred = [(m - m.mean((2, 3), keepdim=True)).flatten() for m in maps]
        return torch.cosine_similarity(*centred, dim=0).item()


def test_a_photograph_is_painted_in_the_style_of_a_painting(service: Service) -> None:
    job_id = service.submit(size=128, iterations=60, metadata='{"mine": 1}')
    job = service.finished(job_id)
    assert job["status"] == "succeeded", job
    assert (job["attempt"], job["metadata"], job["error"]) == (1, {"mine": 1}, None)
    assert (job["progress"]["fraction"], job["progress"]["step"]) == (1, 60)
    assert (job["metrics"]["device"], job["metrics"]["encoder"]) == ("cpu", "compact")

    response = service.http.get(job["urls"]["result"])
    picture, output = opened(response.content), job["output"]
    # The sample is 768 x 576.
    assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (128, 96))
    assert (output["width"], output["height"], output["bytes"]) == (128, 96, len(response.content))
    assert output["sha256"] == hashlib.sha256(response.content).hexdigest()
    assert response.headers["etag"] == f'"{output["sha256"]}"'
    assert response.headers["content-type"] == output["media_type"] == "image/png"
    again = service.http.get(job["urls"]["result"], headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")

    judge = Judge(128, 96)
    content, style = Image.open(service.content), Image.open(service.style)
    assert judge.style_error(picture, style) < 0.2 * judge.style_error(content, style)
    assert judge.likeness(picture, content) > 0.4
    assert judge.likeness(noise(128, 96, seed=0), content) < 0.2
    assert judge.likeness(style, content) < 0.2


def test_progress_rises_and_shows_the_picture_on_its_way(service: Service) -> None:
    job_id = service.submit(size=192, iterations=100)
    seen: list[dict[str, Any]] = []
    previews = []

    def watch() -> bool:
        job = service.job(job_id)
        seen.append(job)
        if job["progress"]["preview_id"]:
            previews.append(service.http.get(job["urls"]["preview"]))
        return job["status"] in FINAL

    wait_for(watch)
    assert list(dict.fromkeys(job["status"] for job in seen))[-2:] == ["processing", "succeeded"]
    for name in ("fraction", "step", "preview_id"):
        values = [job["progress"][name] for job in seen]
        assert values == sorted(values)
    assert any(0 < job["progress"]["fraction"] < 1 for job in seen)
    assert any("192 px" in job["progress"]["message"] and job["progress"]["eta_seconds"] is not None for job in seen)
    assert {preview.status_code for preview in previews} == {200}
    assert {preview.headers["content-type"] for preview in previews} == {"image/jpeg"}
    assert all(opened(preview.content).format == "JPEG" for preview in previews)
    assert opened(previews[-1].content).size == (192, 144)
    assert len({preview.content for preview in previews}) > 1


@pytest.mark.parametrize("name", ["jpeg", "webp", "tiff"])
def test_a_result_is_written_in_the_format_asked_for(service: Service, name: str) -> None:
    job_id = service.submit(output_format=name)
    picture = opened(service.result(job_id))
    assert (picture.format, picture.size) == (name.upper(), (64, 48))
    assert service.http.get(f"/jobs/{job_id}/result").headers["content-type"] == MEDIA_TYPES[name]


def test_quality_makes_the_file_larger(service: Service) -> None:
    small, large = (service.submit(output_format="jpeg", quality=quality, iterations=1) for quality in (10, 95))
    assert len(service.result(small)) < len(service.result(large))


def test_the_same_seed_gives_the_same_bytes(service: Service) -> None:
    seeds = (7, 7, 8)
    jobs = [service.submit(init="noise", seed=seed, precision="float32") for seed in seeds]
    first, again, other = (service.result(job_id) for job_id in jobs)
    assert first == again
    assert first != other


def test_an_initial_image_is_where_the_painting_starts(service: Service) -> None:
    red = io.BytesIO()
    Image.new("RGB", (100, 75), (200, 0, 0)).save(red, "PNG")
    # One tiny step away from it.
    fields = {"init": "image", "optimizer": "adam", "learning_rate": 0.001, "iterations": 1}
    picture = opened(service.result(service.submit(files={"init_image": red.getvalue()}, **fields)))
    (red_low, red_high), *others = picture.getextrema()
    assert red_low > 190
    assert red_high < 210
    assert all(high < 10 for _, high in others)


def test_adam_lowers_the_loss(service: Service) -> None:
    short, long = (service.submit(optimizer="adam", iterations=iterations) for iterations in (1, 40))
    losses = [service.succeeded(job_id)["output"]["losses"]["total"] for job_id in (short, long)]
    assert losses[1] < 0.5 * losses[0]


def test_a_picture_keeps_its_aspect_ratio(service: Service) -> None:
    tall = io.BytesIO()
    Image.open(service.content).crop((0, 0, 200, 533)).save(tall, "JPEG")
    job_id = service.submit(files={"content": tall.getvalue()}, size=100)
    # 200 / 533 of 100 pixels.
    assert opened(service.result(job_id)).size == (38, 100)


def test_jobs_that_were_refused_never_reach_a_worker(service: Service) -> None:
    photograph = service.content.read_bytes()
    before = service.http.get("/jobs").json()["items"]
    refused: list[tuple[int, dict[str, Any]]] = [
        (415, {"files": {"content": b"no image at all"}}),
        (415, {"files": {"style": b"<svg xmlns='http://www.w3.org/2000/svg'/>"}}),
        (400, {"files": {"content": photograph[:5000]}}),
        (400, {"files": {"content": b""}}),
        (422, {"size": 63}),
        (422, {"size": 100_000}),
        (422, {"iterations": 0}),
        (422, {"style_layers": "relu9_9"}),
        (422, {"init": "image"}),
        (422, {"wallpaper": "yes"}),
    ]
    for status, arguments in refused:
        response = service.post(**arguments)
        assert response.status_code == status, (arguments, response.text)
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == status
        assert "Traceback" not in response.text
    assert service.http.get("/jobs").json()["items"] == before
