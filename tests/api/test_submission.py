"""``POST /jobs``: what becomes a job."""

import base64
import hashlib
import io
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import sleep
from typing import Any

import httpx
import pytest
import redis
from PIL import Image, ImageDraw

from api.job_form import FILE_OPTIONS
from api.schema import EXTENSIONS
from api.settings import ApiSettings
from jobs.contract import Job, Status
from jobs.errors import StoreUnavailable
from jobs.memory import MemoryStore
from jobs.protocol import Store
from jobs.queue import make_celery
from nst_core.options import FAST_OPTIONS, OPTIONS, FastOptions, GatysOptions
from tests.service import wait_for

MakePicture = Callable[..., bytes]
Serve = Callable[..., tuple[str, int]]


def files(content: bytes, style: bytes | None = None) -> dict[str, tuple[str, bytes]]:
    return {"content": ("photo.png", content), "style": ("painting.png", style or content)}


def test_two_images_become_a_job_in_the_queue(client, store: Store, redis_url: str, picture: MakePicture) -> None:
    content, style = picture(100, 80), picture(90, 90, kind="JPEG")
    response = client.post("/jobs", files=files(content, style))
    assert response.status_code == 202
    job = response.json()
    assert response.headers["location"] == f"/jobs/{job['id']}"
    assert int(response.headers["retry-after"]) > 0
    assert (job["status"], job["method"], job["attempt"]) == ("queued", "gatys", 0)
    assert job["urls"]["result"] == f"jobs/{job['id']}/result"
    assert client.get(response.headers["location"]).json() == job
    assert store.image(job["id"], "content") == content
    assert store.image(job["id"], "style.0") == style
    assert job["input"]["content_sha256"] == hashlib.sha256(content).hexdigest()
    assert job["input"]["style_sha256"] == [hashlib.sha256(style).hexdigest()]
    with redis.Redis.from_url(redis_url) as queue:
        (message,) = queue.lrange("nst:gatys\x06\x165", 0, -1)
    args, _, _ = json.loads(base64.b64decode(json.loads(message)["body"]))
    assert args == [job["id"]]


def test_every_value_in_force_is_told(client, store: Store, png: bytes) -> None:
    job = client.post("/jobs", files=files(png)).json()
    params = job["input"]["params"]
    assert params.keys() == OPTIONS.keys() | {"preset", "auto_mask", *FILE_OPTIONS}
    assert (params["size"], params["style_size"]) == (100, 100)
    assert (params["output_format"], params["quality"]) == ("png", None)
    assert (params["bit_depth"], params["keep_metadata"]) == (8, False)
    assert store.get(job["id"]).options == GatysOptions(size=100, style_size=100)


def test_options_are_fields(client, store: Store, png: bytes) -> None:
    fields = {
        "method": "gatys",
        "size": "128",
        "style_size": "96",
        "iterations": "7",
        "encoder": "vgg19",
        "content_layers": "conv4_2",
        "style_layers": ["relu1_1, relu2_1", "relu3_1"],
        "style_layer_weights": "1,.5,2e-1",
        "content_weight": "0",
        "normalize_weights": "true",
        "learning_rate": "0.5",
        "seed": "4294967295",
        "output_format": "jpeg",
        "quality": "75",
        "metadata": '{"order": [17, "é"]}',
    }
    job = client.post("/jobs", files=files(png), data=fields).json()
    assert store.get(job["id"]).options == GatysOptions(
        size=128,
        style_size=96,
        iterations=7,
        encoder="vgg19",
        content_layers=("conv4_2",),
        style_layers=("relu1_1", "relu2_1", "relu3_1"),
        style_layer_weights=(1.0, 0.5, 0.2),
        content_weight=0.0,
        normalize_weights=True,
        learning_rate=0.5,
        seed=4294967295,
    )
    assert (job["input"]["params"]["output_format"], job["input"]["params"]["quality"]) == ("jpeg", 75)
    assert job["metadata"] == {"order": [17, "é"]}


def test_a_list_may_be_empty(client, png: bytes) -> None:
    job = client.post("/jobs", files=files(png), data={"content_layers": ""}).json()
    assert job["input"]["params"]["content_layers"] == []


def test_an_initial_image_goes_with_its_option(client, store: Store, png: bytes, picture: MakePicture) -> None:
    init = picture(70, 70)
    response = client.post("/jobs", files=files(png) | {"init_image": ("i.png", init)}, data={"init": "image"})
    job = response.json()
    assert response.status_code == 202
    assert store.image(job["id"], "init") == init
    assert job["input"]["init_sha256"] == hashlib.sha256(init).hexdigest()


def test_a_file_input_that_was_left_alone_is_no_file(client, png: bytes) -> None:
    boundary = "x"
    left_alone = b'--x\r\nContent-Disposition: form-data; name="init_image"; filename=""\r\n\r\n\r\n'
    parts = b"".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="a"\r\n\r\n'.encode() + png + b"\r\n"
        for name in ("content", "style")
    )
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    assert client.post("/jobs", content=parts + left_alone + b"--x--\r\n", headers=headers).status_code == 202


# Styles of the gallery


def test_a_style_of_the_gallery_makes_a_fast_job(client, store: Store, redis_url: str, png: bytes) -> None:
    response = client.post("/jobs", files={"content": png}, data={"style_id": "waves"})
    assert response.status_code == 202
    job = response.json()
    assert job["method"] == "fast"
    assert job["input"]["params"] == {
        "size": 100,
        "style_size": None,
        "strength": 1.0,
        "precision": "auto",
        "color": ["style"],
        "style_weights": [],
        "style_id": "waves",
        "auto_mask": None,
        "output_format": "png",
        "quality": None,
        "bit_depth": 8,
        "keep_metadata": False,
    }
    assert job["input"]["content_sha256"] == hashlib.sha256(png).hexdigest()
    assert (job["input"]["style_sha256"], job["input"]["init_sha256"]) == ([], None)
    assert store.image(job["id"], "content") == png
    assert client.get("/jobs?method=fast").json()["items"] == [job | {"queue": {"position": None, "eta_seconds": None}}]
    with redis.Redis.from_url(redis_url) as queue:
        (message,) = queue.lrange("nst:fast\x06\x165", 0, -1)
    args, _, _ = json.loads(base64.b64decode(json.loads(message)["body"]))
    assert args == [job["id"]]


def test_options_of_the_fast_engine_are_fields(client, store: Store, png: bytes) -> None:
    fields = {
        "method": "fast",
        "style_id": "waves_color",
        "size": "128",
        "strength": ".5",
        "precision": "float32",
        "output_format": "webp",
        "quality": "75",
        "metadata": '{"order": 17}',
    }
    job = client.post("/jobs", files={"content": png}, data=fields).json()
    assert store.get(job["id"]).options == FastOptions(size=128, strength=0.5, precision="float32")
    assert (job["input"]["params"]["output_format"], job["input"]["params"]["quality"]) == ("webp", 75)
    assert job["metadata"] == {"order": 17}


def test_the_size_of_a_fast_job_has_the_same_default_and_limits(make_client, picture: MakePicture) -> None:
    client, data = make_client(default_size=200, max_size=1000), {"style_id": "waves"}
    job = client.post("/jobs", files={"content": picture(300, 240)}, data=data).json()
    assert job["input"]["params"]["size"] == 200
    refused = client.post("/jobs", files={"content": picture()}, data=data | {"size": "1001"})
    assert refused.json()["errors"][0]["pointer"] == "#/size"
    assert "NST_MAX_SIZE" in refused.json()["detail"]
    refused = client.post("/jobs", files={"content": picture(1000, 20)}, data=data)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/content")


def test_a_trained_style_may_make_the_start(client, store: Store, png: bytes) -> None:
    sent = {"content": png, "style": png}
    job = client.post("/jobs", files=sent, data={"init": "fast", "style_id": "waves"}).json()
    assert job["method"] == "gatys"
    assert (job["input"]["params"]["init"], job["input"]["params"]["style_id"]) == ("fast", "waves")
    assert store.get(job["id"]).options.init == "fast"
    assert client.post("/jobs", files=sent, data={"init": "fast"}).status_code == 202
    for data, detail in (
        ({"method": "gatys", "style_id": "waves"}, "goes with method=fast, or with init=fast"),
        ({"init": "fast", "style_id": "waves,waves"}, "2 trained styles, 1 style"),
        ({"init": "fast", "style_id": "nothing"}, "there is no style 'nothing'"),
    ):
        (error,) = client.post("/jobs", files=sent, data=data).json()["errors"]
        assert error["pointer"] == "#/style_id"
        assert detail in error["detail"]


def test_strokes_that_a_style_has_not_learned_are_refused(client, png: bytes) -> None:
    assert client.get("/styles/waves").json()["style_sizes"] == [512]
    for style_size, status in ((512, 202), (1024, 422)):
        data = {"style_id": "waves", "style_size": style_size}
        response = client.post("/jobs", files={"content": png}, data=data)
        assert response.status_code == status
    (error,) = response.json()["errors"]
    assert error["pointer"] == "#/style_size"
    assert "strokes for a style_size of 512, not 1024 (waves)" in error["detail"]


@pytest.mark.parametrize("style_id", ["nothing", "", "WAVES", "../waves", "waves\x00", "é"])
def test_an_unknown_style_is_refused(client, png: bytes, style_id: str) -> None:
    response = client.post("/jobs", files={"content": png}, data={"style_id": style_id})
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "unknown_style")
    assert problem["errors"][0]["pointer"] == "#/style_id"
    assert "GET /styles" in problem["detail"]


FAST, GATYS = {"style_id": "waves"}, {"style": b"file"}


@pytest.mark.parametrize(
    ("sent", "errors"),
    [
        ({**FAST, "strength": "1.01"}, {"strength": "strength must be between 0 and 1"}),
        ({**FAST, "strength": "-1"}, {"strength": "strength must be between 0 and 1"}),
        ({**FAST, "strength": "nan"}, {"strength": "must be a number"}),
        ({**FAST, "strength": ["0", "1"]}, {"strength": "must be sent once"}),
        ({"style_id": b"file", **GATYS}, {"style_id": "must not be a file"}),
        ({**FAST, "method": "slow"}, {"method": "must be one of gatys, fast"}),
        ({**FAST, **GATYS}, {"style": "goes with method=gatys only; a style_id makes it method=fast"}),
        ({**FAST, **GATYS, "method": "fast"}, {"style": "goes with method=gatys only"}),
        ({**FAST, **GATYS, "method": "gatys"}, {"style_id": "goes with method=fast, or with init=fast"}),
        ({**FAST, "method": "gatys"}, {"style_id": "goes with method=fast, or with init=fast", "style": "is required"}),
        ({"method": "fast"}, {"style_id": "is required"}),
        ({**GATYS, "method": "fast"}, {"style_id": "is required", "style": "goes with method=gatys only"}),
        ({**GATYS, "strength": "1"}, {"strength": "goes with method=fast only; no style_id makes it method=gatys"}),
        ({**FAST, "iterations": "5"}, {"iterations": "goes with method=gatys only; a style_id"}),
        ({**FAST, "encoder": "compact"}, {"encoder": "goes with method=gatys only"}),
        ({**FAST, "init_image": b"file"}, {"init_image": "goes with method=gatys only"}),
        (
            {**FAST, "init": "image", "seed": "x", "size": "63"},
            {"init": "goes with", "seed": "goes with", "size": "size must be between 64"},
        ),
    ],
)
def test_fields_that_do_not_go_with_the_method_are_refused(
    client, png: bytes, sent: dict[str, object], errors: dict[str, str]
) -> None:
    images = {name: (name, png) for name, value in sent.items() if isinstance(value, bytes)}
    fields = {name: value for name, value in sent.items() if name not in images}
    response = client.post("/jobs", files={"content": png, **images}, data=fields)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_options")
    told = {error["pointer"]: error["detail"] for error in response.json()["errors"]}
    assert told.keys() == {f"#/{name}" for name in errors}
    for name, detail in errors.items():
        assert told[f"#/{name}"].startswith(detail)


# Sizes


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(100, 80, 100), (300, 200, 200), (48, 40, 64)],
)
def test_the_size_is_the_contents_own_within_the_servers(
    make_client, picture: MakePicture, width: int, height: int, expected: int
) -> None:
    client = make_client(default_size=200)
    job = client.post("/jobs", files=files(picture(width, height))).json()
    assert job["input"]["params"]["size"] == expected


def test_the_largest_size_holds_for_the_default_too(make_client, picture: MakePicture) -> None:
    client = make_client(max_size=100)
    assert client.post("/jobs", files=files(picture(300, 200))).json()["input"]["params"]["size"] == 100


def test_the_default_encoder_is_the_servers(make_client, png: bytes) -> None:
    client = make_client(default_encoder="vgg16")
    assert client.post("/jobs", files=files(png)).json()["input"]["params"]["encoder"] == "vgg16"


def test_orientation_counts(client, picture: MakePicture) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    # On its side this is 40 x 400, which leaves enough at 400 pixels but not at 64.
    lying = picture(400, 40, kind="JPEG", exif=exif)
    refused = client.post("/jobs", files=files(picture(), lying), data={"size": "64"})
    assert "40 x 400" in refused.json()["detail"]
    assert client.post("/jobs", files=files(lying, picture())).json()["input"]["params"]["size"] == 400


@pytest.mark.parametrize("name", ["content", "style"])
def test_images_of_which_nothing_would_be_left_are_refused(client, picture: MakePicture, name: str) -> None:
    images = files(picture()) | {name: ("long.png", picture(1000, 20))}
    response = client.post("/jobs", files=images, data={"size": "256"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == f"#/{name}"
    assert "256 x 5" in response.json()["detail"]


# Fields that are refused


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", "63"),
        ("size", "5000"),
        ("size", "20000"),
        ("size", "1e3"),
        ("size", "64.0"),
        ("size", " 64"),
        ("size", "٦٤٠"),
        ("size", "1_000"),
        ("size", ""),
        ("size", "9" * 5000),
        ("size", "\x00"),
        ("style_size", "5000"),
        ("iterations", "0"),
        ("iterations", "10001"),
        ("iterations", "-1"),
        ("encoder", "resnet"),
        ("style_layers", "relu9_9"),
        ("style_layers", "relu1_1,relu1_1"),
        ("style_layers", "relu1_1,,relu2_1"),
        ("style_layer_weights", "1,2"),
        ("style_layer_weights", "1,2,3,4,x"),
        ("style_weight", "nan"),
        ("style_weight", "inf"),
        ("style_weight", "1e9999"),
        ("style_weight", "-1"),
        ("style_weight", "0x10"),
        ("normalize_weights", "yes"),
        ("learning_rate", ""),
        ("seed", "4294967296"),
        ("init", "random"),
        ("method", "slow"),
        ("output_format", "gif"),
        ("metadata", "[]"),
        ("metadata", "{"),
        ("metadata", '{"a": NaN}'),
        ("metadata", '{"a": 1e999}'),
        ("metadata", '{"a": "\\ud800"}'),
        ("metadata", '{"a": "' + "x" * 5000 + '"}'),
        ("metadata", '{"a": ' + "[" * 9 + "]" * 9 + "}"),
        ("metadata", "[" * 4000),
    ],
)
def test_bad_values_are_refused_and_named(client, png: bytes, field: str, value: str) -> None:
    response = client.post("/jobs", files=files(png), data={field: value})
    assert response.status_code == 422
    problem = response.json()
    assert problem["code"] == "invalid_options"
    assert [error["pointer"] for error in problem["errors"]] == [f"#/{field}"]
    assert client.get("/jobs").json()["items"] == []


@pytest.mark.parametrize("quality", ["0", "101", "x", "9" * 18])
def test_bad_quality_is_refused(client, png: bytes, quality: str) -> None:
    response = client.post("/jobs", files=files(png), data={"output_format": "webp", "quality": quality})
    assert response.json()["errors"][0]["pointer"] == "#/quality"


@pytest.mark.parametrize("output_format", ["png", "tiff"])
def test_16_bits_may_be_asked_for(client, png: bytes, output_format: str) -> None:
    fields = {"output_format": output_format, "bit_depth": "16", "keep_metadata": "false"}
    params = client.post("/jobs", files=files(png), data=fields).json()["input"]["params"]
    assert (params["output_format"], params["bit_depth"], params["keep_metadata"]) == (output_format, 16, False)


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp", "tiff"])
def test_metadata_may_be_kept(client, png: bytes, output_format: str) -> None:
    fields = {"output_format": output_format, "bit_depth": "8", "keep_metadata": "true"}
    params = client.post("/jobs", files=files(png), data=fields).json()["input"]["params"]
    assert (params["bit_depth"], params["keep_metadata"]) == (8, True)


@pytest.mark.parametrize(
    ("fields", "name", "told"),
    [
        ({"bit_depth": "12"}, "bit_depth", "8, 16"),
        ({"bit_depth": "sixteen"}, "bit_depth", "8, 16"),
        ({"bit_depth": "16", "output_format": "jpeg"}, "bit_depth", "png or tiff only"),
        ({"bit_depth": "16", "output_format": "webp"}, "bit_depth", "png or tiff only"),
        ({"keep_metadata": "yes"}, "keep_metadata", "true or false"),
        ({"bit_depth": "16", "output_format": "tiff", "keep_metadata": "true"}, "keep_metadata", "a PNG can"),
    ],
)
def test_what_a_file_cannot_have_is_refused(client, png: bytes, fields: dict[str, str], name: str, told: str) -> None:
    response = client.post("/jobs", files=files(png), data=fields)
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["pointer"] == f"#/{name}"
    assert told in error["detail"]


@pytest.mark.parametrize("output_format", ["png", "tiff"])
def test_quality_goes_with_lossy_formats_only(client, png: bytes, output_format: str) -> None:
    response = client.post("/jobs", files=files(png), data={"output_format": output_format, "quality": "90"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "#/quality"


def test_a_limit_of_the_server_is_named_with_its_setting(make_client, png: bytes) -> None:
    response = make_client(max_size=1000).post("/jobs", files=files(png), data={"size": "1001"})
    assert "1000" in response.json()["detail"]
    assert "NST_MAX_SIZE" in response.json()["detail"]


def test_all_that_is_wrong_is_told_at_once(client, png: bytes) -> None:
    fields = {"size": ["64", "65"], "colour": "blue", "seed": "x", "a/b~c d": "1", "style": "text"}
    sent = {"content": ("a.png", png), "iterations": ("b.txt", b"5"), "masks": ("c.png", png)}
    problem = client.post("/jobs", files=sent, data=fields).json()
    assert {error["pointer"]: error["detail"] for error in problem["errors"]} == {
        "#/size": "must be sent once",
        "#/colour": "there is no such field",
        "#/seed": "must be a whole number",
        "#/a~1b~0c%20d": "there is no such field",
        "#/style": "must be a file",
        "#/iterations": "must not be a file",
        "#/masks": "there is no such field",
    }


@pytest.mark.parametrize("missing", ["content", "style"])
def test_both_images_are_required(client, png: bytes, missing: str) -> None:
    sent = files(png)
    del sent[missing]
    response = client.post("/jobs", files=sent)
    assert response.status_code == 422
    assert response.json()["errors"] == [{"pointer": f"#/{missing}", "detail": "is required"}]


def sent_files(*fields: tuple[str, bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    return [(name, (f"{k}.png", data)) for k, (name, data) in enumerate(fields)]


def test_several_styles_and_masks_are_kept_in_their_order(client, store: Store, picture: MakePicture) -> None:
    styles, masks = ([picture(width, 90) for width in widths] for widths in ((91, 92), (33, 34)))
    white = [Image.open(io.BytesIO(mask)).convert("L").point(lambda _: 255) for mask in masks]
    masks = [encoded(mask) for mask in white]
    sent = sent_files(("content", picture()), *(("style", s) for s in styles), *(("mask", m) for m in masks))
    job = client.post("/jobs", files=sent, data={"style_weights": "1,2", "color": "style,luminance"}).json()
    assert [store.image(job["id"], f"style.{k}") for k in range(2)] == styles
    assert [store.image(job["id"], f"mask.{k}") for k in range(2)] == masks
    assert job["input"]["style_sha256"] == [hashlib.sha256(style).hexdigest() for style in styles]
    assert job["input"]["mask_sha256"] == [hashlib.sha256(mask).hexdigest() for mask in masks]
    assert job["input"]["params"]["color"] == ["style", "luminance"]


def encoded(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_every_number_out_of_its_bounds_is_told(client, png: bytes) -> None:
    fields = {"size": "10", "iterations": "0", "tile": "100", "seed": "-1", "color": "foo"}
    errors = client.post("/jobs", files=files(png), data=fields).json()["errors"]
    assert {error["pointer"] for error in errors} >= {"#/size", "#/iterations", "#/tile", "#/seed"}


def test_a_mask_may_be_found(client, png: bytes) -> None:
    disc = Image.new("RGB", (96, 72), (30, 60, 120))
    ImageDraw.Draw(disc).ellipse((30, 20, 66, 56), fill=(230, 160, 40))
    sent = files(png) | {"content": encoded(disc)}
    job = client.post("/jobs", files=sent, data={"auto_mask": "background"}).json()
    assert job["input"]["params"]["auto_mask"] == "background"
    refused = client.post("/jobs", files=files(png), data={"auto_mask": "background"}).json()
    assert (refused["status"], refused["code"]) == (422, "no_subject")  # a picture of one colour


@pytest.mark.parametrize(
    ("styles", "masks", "data", "field", "detail"),
    [
        (2, 1, {}, "mask", "each mask belongs to the style in its place: 1 mask, 2 styles"),
        (1, 2, {}, "mask", "each mask belongs to the style in its place: 2 masks, 1 style"),
        (1, 1, {"auto_mask": "subject"}, "auto_mask", "is instead of a mask"),
        (2, 0, {"auto_mask": "subject"}, "auto_mask", "each mask belongs to the style"),
        (1, 0, {"auto_mask": "everything"}, "auto_mask", "must be one of subject, background"),
        (2, 0, {"style_weights": "1"}, "style_weights", "name one for each style: 1 weight, 2 styles"),
        (2, 0, {"style_weights": "0,0"}, "style_weights", "at least one weight must be above 0"),
        (3, 0, {"color": "style,luminance"}, "color", "name one for all, or one for each style: 2 for 3 styles"),
        (2, 0, {"color": "style,luminance"}, "color", "luminance goes with other colours only where masks"),
        (1, 0, {"color": "blue"}, "color", "color must be one of style, luminance"),
        (1, 0, {"color": ""}, "color", "color must have a value"),
        (9, 0, {}, "style", "must be 8 at most (NST_MAX_JOB_STYLES)"),
        (1, 0, {"tile": "200"}, "tile", "tile must be a multiple of 16"),
        (1, 0, {"tile": "256", "style_loss": "sliced-wasserstein"}, "tile", "sliced-wasserstein needs"),
        (1, 0, {"content_weight": "0", "final_content_weight": "1"}, "final_content_weight", "a content_weight of 0"),
    ],
)
def test_styles_masks_and_options_that_do_not_fit_are_refused(
    client, png: bytes, picture: MakePicture, styles: int, masks: int, data: dict[str, str], field: str, detail: str
) -> None:
    sent = sent_files(("content", png), *[("style", png)] * styles, *[("mask", picture(mode="L"))] * masks)
    response = client.post("/jobs", files=sent, data=data)
    assert response.status_code == 422
    told = {error["pointer"]: error["detail"] for error in response.json()["errors"]}
    assert told[f"#/{field}"].startswith(detail)


def test_a_black_mask_is_refused(client, png: bytes, picture: MakePicture) -> None:
    response = client.post("/jobs", files=sent_files(("content", png), ("style", png), ("mask", picture())))
    assert response.status_code == 422
    assert response.json()["errors"] == [
        {"pointer": "#/mask", "detail": "mask 1 is black everywhere: nothing would be painted in its style"}
    ]


def test_trained_styles_may_be_several(client, png: bytes) -> None:
    data = {"style_id": ["waves, waves_color"], "style_weights": "1,3"}
    job = client.post("/jobs", files={"content": png}, data=data).json()
    assert job["input"]["params"]["style_id"] == "waves,waves_color"
    response = client.post("/jobs", files={"content": png}, data={"style_id": ["waves", "nothing"]})
    assert (response.status_code, response.json()["code"]) == (422, "unknown_style")


def test_an_initial_image_and_its_option_need_each_other(client, png: bytes) -> None:
    with_image = files(png) | {"init_image": ("i.png", png)}
    for response in (
        client.post("/jobs", files=files(png), data={"init": "image"}),
        client.post("/jobs", files=with_image),
        client.post("/jobs", files=with_image, data={"init": "noise"}),
    ):
        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"] == "#/init_image"


# Acceptance is whole or not at all


def test_a_job_that_cannot_be_queued_is_not_kept(make_client, png: bytes) -> None:
    settings = ApiSettings(redis_url="redis://127.0.0.1:1/0")
    store = MemoryStore(settings)
    client = make_client()
    client.app.state.backend.store = store
    client.app.state.backend.celery = make_celery(settings)
    response = client.post("/jobs", files=files(png))
    assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
    assert int(response.headers["retry-after"]) > 0
    assert store.list_jobs().items == []
    client.app.state.backend.celery.close()


@pytest.mark.parametrize("kept", [False, True])
def test_a_store_that_fails_leaves_neither_job_nor_message(make_client, redis_url: str, png: bytes, kept: bool) -> None:
    class FailingStore(MemoryStore):
        def create(self, job: Job, images: Mapping[str, bytes], **more: Any) -> None:
            if kept:  # and only the answer is lost
                super().create(job, images, **more)
            raise StoreUnavailable

    client = make_client()
    client.app.state.backend.store = FailingStore(ApiSettings())
    assert client.post("/jobs", files=files(png)).status_code == 503
    assert client.app.state.backend.store.list_jobs().items == []
    with redis.Redis.from_url(redis_url) as queue:
        assert queue.keys("nst:gatys*") == []


@pytest.mark.parametrize("key", [None, "a key"])
def test_a_job_of_which_nothing_is_heard_is_there_for_the_same_request_only(
    serve: Serve, store: Store, png: bytes, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    """Redis keeps it, and then answers nobody for a while."""
    create, delete, deletions = store.create, store.delete, []

    def create_and_hang(*job: Any, **more: Any) -> None:
        create(*job, **more)
        raise StoreUnavailable

    def hang_once_more(job_id: str) -> None:
        deletions.append(job_id)
        if len(deletions) < 3:
            raise StoreUnavailable
        delete(job_id)

    monkeypatch.setattr("api.acceptance._FIRST_PAUSE", 0.01)
    monkeypatch.setattr(store, "delete", hang_once_more)
    host, port = serve()
    with httpx.Client(base_url=f"http://{host}:{port}", headers={"Idempotency-Key": key} if key else {}) as client:
        with monkeypatch.context() as patch:
            patch.setattr(store, "create", create_and_hang)
            assert client.post("/jobs", files=files(png)).status_code == 503
        if key:
            again = client.post("/jobs", files=files(png))
            assert (again.status_code, again.headers["idempotency-replayed"]) == (202, "true")
            assert [job.id for job in store.list_jobs().items] == [again.json()["id"]]
        else:
            wait_for(lambda: len(deletions) == 3 and not store.list_jobs().items)


def test_a_sub_path_is_in_the_location_whether_or_not_the_proxy_takes_it_away(make_client, png: bytes) -> None:
    client = make_client(root_path="/nst")
    for path in ("/jobs", "/nst/jobs"):
        response = client.post(path, files=files(png))
        assert response.headers["location"] == f"/nst/jobs/{response.json()['id']}"
        assert client.get(response.headers["location"]).json()["status"] == Status.QUEUED
        assert client.get(path + "/x").json()["instance"] == "/nst/jobs/x"
    assert client.get("/openapi.json").json()["servers"] == [{"url": "/nst"}]


# The description


def test_the_document_describes_every_field(make_client) -> None:
    client = make_client(max_size=1000, default_encoder="vgg16")
    operation = client.get("/openapi.json").json()["paths"]["/jobs"]["post"]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    properties = form["properties"]
    others = {"content", "style", "style_id", "mask", "auto_mask", "init_image", "method", "preset", "metadata"}
    others |= {"content_url", "style_url", "webhook", "webhook_events", "priority", "ttl_seconds"} | set(FILE_OPTIONS)
    assert properties.keys() == OPTIONS.keys() | FAST_OPTIONS.keys() | others
    assert "required" not in form  # what is, depends on the options
    assert all(schema["description"] for schema in properties.values())
    assert properties["content"]["format"] == "binary"
    assert (properties["size"]["minimum"], properties["size"]["maximum"]) == (64, 1000)
    assert properties["method"]["enum"] == ["gatys", "fast"]
    assert properties["encoder"]["description"].endswith("For method=gatys. Default: vgg16.")
    assert properties["strength"]["description"].endswith("For method=fast. Default: 1.0.")
    assert properties["style_layers"]["items"] == {"type": "string"}
    assert properties["precision"]["default"] == "auto"
    assert list(operation["responses"]["422"]["content"]) == ["application/problem+json"]


def properties_of(client) -> dict[str, Any]:
    operation = client.get("/openapi.json").json()["paths"]["/jobs"]["post"]
    form, sent = (content["schema"]["properties"] for content in operation["requestBody"]["content"].values())
    for name in form:
        assert {key: form[name].get(key) for key in EXTENSIONS} == {key: sent[name].get(key) for key in EXTENSIONS}
    return dict(form)


def test_the_document_tells_for_which_methods_fields_are(client, png: bytes) -> None:
    methods = {name: schema["x-methods"] for name, schema in properties_of(client).items()}
    assert (methods["style"], methods["content"]) == (["gatys"], ["gatys", "fast"])
    for name in (*OPTIONS, *FAST_OPTIONS, "preset"):
        for method in ("gatys", "fast"):
            refused = client.post("/jobs", files={"content": png}, data={name: "nonsense", "method": method}).json()
            told = {error["pointer"]: error["detail"] for error in refused["errors"]}.get(f"#/{name}", "")
            assert told.startswith("goes with method=") == (method not in methods[name]), (name, method)


def test_the_document_tells_the_defaults_in_force(make_client, png: bytes) -> None:
    client = make_client(default_encoder="vgg16")
    properties = properties_of(client)
    assert properties["encoder"]["x-default"] == "vgg16"
    for method, files, data in (("gatys", {"style": png}, {}), ("fast", {}, {"style_id": "waves"})):
        sent = {"output_format": "jpeg", **data}
        params = client.post("/jobs", files={"content": png, **files}, data=sent).json()["input"]["params"]
        told = {name: schema.get("x-default", schema.get("default")) for name, schema in properties.items()}
        known = {name for name, default in told.items() if default is not None} & params.keys() - sent.keys()
        assert {name: params[name] for name in known} == {name: told[name] for name in known}
        assert known > {"quality", "precision", "iterations" if method == "gatys" else "strength"}


def test_the_defaults_of_the_document_are_accepted(client, png: bytes) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/jobs"]["post"]
    properties = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    defaults = {name: schema["default"] for name, schema in properties.items() if "default" in schema}
    fields = {
        name: str(value).lower() if isinstance(value, bool) else value if isinstance(value, list) else str(value)
        for name, value in defaults.items()
    }
    assert client.post("/jobs", files=files(png), data=fields).status_code == 202
    assert client.post("/jobs", files={"content": png}, data=fields | {"style_id": "waves"}).status_code == 202


def test_large_jobs_are_kept_one_after_the_other(
    serve, store: Store, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    creating, may_go_on = [], Event()
    original = store.create

    def create(job, images, **more) -> None:
        if len(images["content"]) > len(png):
            creating.append(job.id)
            assert may_go_on.wait(60)
        original(job, images, **more)

    monkeypatch.setattr(store, "create", create)
    with httpx.Client(base_url="http://{}:{}".format(*serve()), trust_env=False, timeout=60) as client:

        def post(content: bytes) -> int:
            return client.post("/jobs", files={"content": content, "style": png}).status_code

        with ThreadPoolExecutor() as others:
            large = [others.submit(post, png + bytes(5_000_000)) for _ in range(3)]
            wait_for(lambda: creating)
            assert [post(png) for _ in range(3)] == [202] * 3
            sleep(0.5)  # for the other large ones to come
            begun = list(creating)
            may_go_on.set()
            assert len(begun) == 1
            assert [request.result() for request in large] == [202] * 3
    assert len(set(creating)) == 3
