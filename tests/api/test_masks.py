"""``POST /masks``."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw

MakePicture = Callable[..., bytes]


@pytest.fixture(scope="module")
def disc() -> bytes:
    picture = Image.new("RGB", (120, 80), (20, 30, 60))
    ImageDraw.Draw(picture).ellipse((40, 20, 80, 60), fill=(230, 180, 60))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=95)
    return file.getvalue()


def post(client, content: bytes, **fields: str):
    return client.post("/masks", files={"content": ("a.jpg", content)}, data=fields)


def opened(response) -> np.ndarray:
    assert (response.status_code, response.headers["content-type"]) == (200, "image/png")
    with Image.open(io.BytesIO(response.content)) as image:
        assert (image.format, image.mode) == ("PNG", "L")
        return np.asarray(image, int)


def test_the_subject_is_white(client, disc: bytes) -> None:
    mask = opened(post(client, disc))
    assert mask.shape == (80, 120)
    assert mask[28:52, 48:72].min() > 200
    assert mask[:15].max() < 50


def test_the_background_is_the_rest(client, disc: bytes) -> None:
    masks = [opened(post(client, disc, auto_mask=kind)) for kind in ("subject", "background")]
    assert (masks[0] + masks[1] == 255).all()


def test_it_can_be_sent_with_a_job(client, disc: bytes, png: bytes) -> None:
    files = {"content": disc, "style": png, "mask": post(client, disc).content}
    assert client.post("/jobs", files=files).status_code == 202


def test_the_image_is_turned_upright(client) -> None:
    picture = Image.new("RGB", (120, 80), (20, 30, 60))
    ImageDraw.Draw(picture).ellipse((10, 30, 40, 60), fill=(230, 180, 60))
    exif = picture.getexif()
    exif[0x0112] = 6  # turn right
    file = io.BytesIO()
    picture.save(file, "JPEG", exif=exif)
    mask = opened(post(client, file.getvalue()))
    assert mask.shape == (120, 80)
    assert mask[20:30, 30:40].min() > 200
    assert mask[60:].max() < 50


def test_nothing_is_kept(client, disc: bytes) -> None:
    opened(post(client, disc))
    assert client.get("/jobs").json()["items"] == []


def test_it_needs_room(client, disc: bytes) -> None:
    room = client.app.state.backend.answer_room
    with room.for_one() as take:
        take(room._most)
        response = post(client, disc)
        assert (response.status_code, response.json()["code"]) == (503, "answers_full")
    assert post(client, disc).status_code == 200
    assert room._taken == 0


def test_a_picture_of_one_colour_has_no_subject(client, png: bytes) -> None:
    response = post(client, png)
    assert (response.status_code, response.json()["code"]) == (422, "no_subject")
    assert response.json()["errors"][0]["pointer"] == "#/content"
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [(b"", 400, "invalid_image"), (b"some text", 415, "unsupported_format"), (b"\xff\xd8\xff", 400, "invalid_image")],
)
def test_what_is_no_image_is_refused(client, content: bytes, status: int, code: str) -> None:
    response = post(client, content)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.json()["errors"][0]["pointer"] == "#/content"


def test_limits_are_those_of_jobs(make_client, disc: bytes) -> None:
    assert post(make_client(max_image_pixels=9_000), disc).json()["code"] == "image_too_large"
    assert post(make_client(max_image_side=119), disc).json()["code"] == "image_too_large"
    assert post(make_client(max_upload_bytes=100), disc).json()["code"] == "upload_too_large"
    assert post(make_client(max_request_bytes=100), disc).json()["code"] == "body_too_large"


@pytest.mark.parametrize(
    ("files", "fields", "pointer"),
    [
        ((), {"auto_mask": "subject"}, "#/content"),
        (("content",), {"auto_mask": "sky"}, "#/auto_mask"),
        (("content",), {"auto_mask": ["subject", "background"]}, "#/auto_mask"),
        (("content", "style"), {}, "#/style"),
        (("content", "content"), {}, "#/content"),
        (("content",), {"size": "100"}, "#/size"),
        (("auto_mask",), {"content": "a"}, "#/content"),
    ],
)
def test_fields_that_cannot_be_are_refused(
    client, disc: bytes, files: tuple[str, ...], fields: dict, pointer: str
) -> None:
    sent = [(name, ("a.jpg", disc)) for name in files] or [("", ("", b""))]
    response = client.post("/masks", files=sent, data=fields)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_options")
    assert pointer in [error["pointer"] for error in response.json()["errors"]]


def test_another_body_is_refused(client) -> None:
    response = client.post("/masks", content=b"a")
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
