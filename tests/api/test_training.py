"""``POST /styles`` and ``DELETE /styles/{id}``."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.routes import training
from jobs.contract import Job
from jobs.errors import StoreUnavailable
from jobs.protocol import Store
from jobs.styles import StyleStore
from nst_core.gallery import Style
from nst_core.options import StyleTrainingOptions
from tests.api.conftest import MakeClient, MakePicture


@pytest.fixture
def trainer(make_client: MakeClient, tmp_path: Path) -> Any:
    """A client of a server that has photographs."""
    return make_client(training_images=tmp_path)


def post(client: Any, png: bytes, *, photographs: int = 0, **fields: Any) -> Any:
    files = [("style", ("style.png", png))] + [("photograph", (f"{k}.png", png)) for k in range(photographs)]
    return client.post("/styles", files=files, data={"id": "noise", **fields})


def refused(response: Any) -> dict[str, str]:
    """What is wrong with which field of a form that was refused."""
    assert (response.status_code, response.json()["code"]) == (422, "invalid_options")
    return {error["pointer"].removeprefix("#/"): error["detail"] for error in response.json()["errors"]}


#: A list does not tell places in line.
NOWHERE = {"position": None, "eta_seconds": None}


def test_a_training_is_a_job(trainer, png: bytes, store: Store) -> None:
    response = post(trainer, png, title="Noise", artist="Chance", keep_color="true", steps=12, metadata='{"a": 1}')
    assert response.status_code == 202, response.text
    job = Job.model_validate(response.json())
    assert response.headers["location"] == f"/jobs/{job.id}"
    assert response.headers["retry-after"] == "1"
    assert (job.method, job.status, job.metadata) == ("train", "queued", {"a": 1})
    assert job.options == StyleTrainingOptions(steps=12, minutes=30)
    params = job.input.params
    about = {name: params[name] for name in ("style_id", "title", "artist", "year", "licence", "keep_color")}
    assert about == {
        "style_id": "noise", "title": "Noise", "artist": "Chance", "year": "", "licence": "", "keep_color": True,
    }  # fmt: skip
    assert (job.input.content_sha256, len(job.input.style_sha256), job.input.photograph_sha256) == (None, 1, [])
    assert store.image(job.id, "style.0") == png
    assert job.queue.position == 1
    assert trainer.get("/jobs?method=train").json()["items"] == [response.json() | {"queue": NOWHERE}]


def test_the_title_is_the_id_by_default(trainer, png: bytes) -> None:
    assert post(trainer, png).json()["input"]["params"]["title"] == "noise"


def test_photographs_of_ones_own_need_no_folder(client, png: bytes, store: Store) -> None:
    response = post(client, png)
    assert (response.status_code, response.json()["code"]) == (403, "training_not_configured")
    assert "NST_TRAINING_IMAGES" in response.json()["detail"]
    job = post(client, png, photographs=16).json()
    assert len(job["input"]["photograph_sha256"]) == 16
    assert store.image(job["id"], "photograph.15") == png
    assert client.get("/jobs").json()["items"] == [job | {"queue": NOWHERE}]


def test_what_is_wrong_is_told_of_every_field(trainer, png: bytes) -> None:
    fields = {
        "steps": "0", "minutes": "31", "crop": "12", "freeze_trunk": "false", "title": "x" * 201, "artist": "a\nb",
        "keep_color": "perhaps", "seed": "x", "metadata": "[]",
    }  # fmt: skip
    errors = refused(post(trainer, png, **fields))
    assert errors.pop("minutes") == (
        "must be above 0 and at most 30 on this server, not 31 (NST_MAX_TRAINING_MINUTES, NST_TIME_LIMIT_SECONDS)"
    )
    assert errors == {
        "steps": "steps must be between 1 and 10000000, not 0",
        "crop": "crop must be between 64 and 1024, not 12",
        "freeze_trunk": "there is no such field",
        "title": "must be at most 200 letters on one line",
        "artist": "must be at most 200 letters on one line",
        "keep_color": "must be true or false",
        "seed": "must be a whole number",
        "metadata": "must be a JSON object",
    }
    assert trainer.get("/jobs").json()["items"] == []


def test_a_training_must_end_well_before_a_jobs_time_does(make_client: MakeClient, png: bytes, tmp_path: Path) -> None:
    client = make_client(training_images=tmp_path, time_limit_seconds=630, time_limit_grace_seconds=30)
    assert post(client, png).json()["input"]["params"]["minutes"] == 9
    assert "at most 9 " in refused(post(client, png, id="other", minutes=9.5))["minutes"]


@pytest.mark.parametrize("style_id", ["", "Noise", "-noise", "a b", "no/ise", "é", "x" * 65])
def test_an_id_that_cannot_be_one_is_refused(trainer, png: bytes, style_id: str) -> None:
    assert "lower-case" in refused(post(trainer, png, id=style_id))["id"]


def test_fields_that_are_missing_are_named(trainer) -> None:
    assert refused(trainer.post("/styles", files={"photograph": b""})) == {"id": "is required", "style": "is required"}


def test_an_id_is_taken_once(trainer, store: Store, png: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for style_id, detail in (("waves", "There is a style 'waves' already."), ("noise", "is training a style 'noise'.")):
        first = post(trainer, png, id=style_id)
        response = post(trainer, png, id=style_id)
        assert (response.status_code, response.json()["code"]) == (409, "style_exists")
        assert detail in response.json()["detail"]
    trainer.post(f"/jobs/{first.json()['id']}/cancel")
    again = post(trainer, png)
    assert again.status_code == 202
    trainer.delete(f"/jobs/{again.json()['id']}")
    again = post(trainer, png)
    assert again.status_code == 202
    # A job that has only just claimed the id may not be stored yet.
    store.delete(again.json()["id"])
    assert post(trainer, png).status_code == 409
    with monkeypatch.context() as patch:
        patch.setattr(training, "_NOT_STORED_YET", timedelta(0))
        assert post(trainer, png).status_code == 202


def test_the_claim_of_an_id_is_no_style(trainer, png: bytes) -> None:
    assert post(trainer, png).status_code == 202
    address = "/styles/noise:claim"
    for response in (trainer.get(address), trainer.get(f"{address}/thumbnail"), trainer.delete(address)):
        assert (response.status_code, response.json()["code"]) == (404, "unknown_style")
    response = trainer.post("/jobs", files={"content": png}, data={"style_id": "noise:claim"})
    assert (response.status_code, response.json()["code"]) == (422, "unknown_style")
    assert post(trainer, png).status_code == 409


def test_trainings_count_as_styles(make_client: MakeClient, png: bytes, tmp_path: Path) -> None:
    client = make_client(training_images=tmp_path, max_styles=1)
    first = post(client, png)
    key = {"Idempotency-Key": "second"}
    for _ in range(2):
        response = client.post("/styles", files={"style": png}, data={"id": "second"}, headers=key)
        assert (response.status_code, response.json()["code"]) == (409, "too_many_styles")
        assert "NST_MAX_STYLES" in response.json()["detail"]
    assert client.get("/jobs").json()["items"] == [first.json() | {"queue": NOWHERE}]
    client.post(f"/jobs/{first.json()['id']}/cancel")
    assert client.post("/styles", files={"style": png}, data={"id": "second"}, headers=key).status_code == 202
    assert post(client, png).status_code == 409


def test_an_id_is_free_when_its_training_could_not_be_stored(
    trainer, store: Store, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(store, "create", away)
        assert post(trainer, png).status_code == 503
    assert post(trainer, png).status_code == 202


def test_an_id_stays_taken_when_its_training_may_be_stored(
    trainer, store: Store, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = store.create

    def create_and_hang(*job: Any, **more: Any) -> None:
        create(*job, **more)
        raise StoreUnavailable

    def away(*_: object) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(store, "create", create_and_hang)
        patch.setattr(store, "delete", away)
        assert post(trainer, png).status_code == 503
    assert len(store.list_jobs().items) == 1
    assert post(trainer, png).json()["code"] == "style_exists"


@pytest.mark.parametrize("name", ["style", "photograph"])
def test_images_that_cannot_be_learned_from_are_refused(trainer, png: bytes, picture: MakePicture, name: str) -> None:
    def send(data: bytes) -> Any:
        files = [("style", png), ("photograph", data)] if name == "photograph" else [("style", data)]
        return trainer.post("/styles", files=files, data={"id": "noise"})

    for width, height in ((1300, 50), (200, 31) if name == "photograph" else (600, 36)):
        assert "the short side must keep at least 32 pixels" in refused(send(picture(width, height)))[name]
    assert (send(b"no image").status_code, send(b"no image").json()["code"]) == (415, "unsupported_format")
    assert trainer.get("/jobs").json()["items"] == []


def test_sizes_of_strokes_are_a_list(trainer, store: Store, png: bytes) -> None:
    for sizes in ("64,128", ["64", "128"]):
        job = post(trainer, png, style_size=sizes, id=f"two{len(sizes)}")
        assert job.json()["input"]["params"]["style_size"] == [64, 128]
    assert "smallest first" in refused(post(trainer, png, style_size="128,64"))["style_size"]


def test_too_many_photographs_are_refused(trainer, png: bytes) -> None:
    assert refused(post(trainer, png, photographs=17)) == {"photograph": "must be at most 16 files"}


def test_what_is_more_than_this_server_does_is_refused(trainer, make_client: MakeClient, png: bytes) -> None:
    assert "NST_MAX_SIZE" in refused(post(make_client(max_size=256), png, photographs=1, style_size=257))["style_size"]
    assert "NST_MAX_TRAINING_PIXELS" in refused(post(trainer, png, batch=64, crop=224))["batch"]
    assert post(trainer, png, batch=20, crop=224).status_code == 202
    for text in ("0", "-1", "1e-7"):
        assert "above 0 and at most 30 " in refused(post(trainer, png, minutes=text))["minutes"]
    response = post(make_client(max_styles=0), png, photographs=1, id="other")
    assert (response.status_code, response.json()["code"]) == (409, "too_many_styles")
    assert "NST_MAX_STYLES" in response.json()["detail"]


def test_a_users_style_can_be_painted_and_taken_away(client, png: bytes, redis_url: str) -> None:
    styles = StyleStore.connect(redis_url)
    style = Style(id="noise", title="Noise", training={"steps": 6}, losses={})
    styles.add(style, weights=b"weights", thumbnail=b"jpeg", job_id="one")
    styles.close()
    (*_, listed) = client.get("/styles").json()["items"]
    assert (listed["id"], listed["title"], listed["removable"]) == ("noise", "Noise", True)
    assert client.get("/styles/noise").json() == listed
    assert client.get("/styles/noise/thumbnail").content == b"jpeg"
    assert client.post("/jobs", files={"content": png}, data={"style_id": "noise"}).status_code == 202
    assert client.delete("/styles/noise").status_code == 204
    assert client.get("/styles/noise").status_code == client.delete("/styles/noise").status_code == 404
    response = client.delete("/styles/waves")
    assert (response.status_code, response.json()["code"]) == (403, "style_not_removable")
    assert client.get("/styles/waves").status_code == 200


def test_without_redis_the_service_says_so(make_client: MakeClient, png: bytes, tmp_path: Path) -> None:
    client = make_client(redis_url=f"unix://{tmp_path}/nothing.sock")
    for response in (client.get("/styles"), client.get("/styles/noise"), client.delete("/styles/noise")):
        assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
