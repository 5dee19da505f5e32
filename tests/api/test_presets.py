"""``preset`` of ``POST /jobs``, and ``GET /presets``."""

import io
from collections.abc import Callable

import pytest
from PIL import Image

from jobs.protocol import Store
from nst_core.options import OPTIONS, GatysOptions
from nst_core.presets import PRESETS

MakePicture = Callable[..., bytes]


@pytest.fixture
def wide(picture: MakePicture) -> bytes:
    return picture(120, 60)


def test_they_are_listed(client) -> None:
    items = client.get("/presets").json()["items"]
    assert [item["name"] for item in items] == list(PRESETS)
    for item in items:
        assert item == {
            "name": item["name"],
            "description": PRESETS[item["name"]].description,
            "options": PRESETS[item["name"]].options,
        }


@pytest.mark.parametrize("name", PRESETS)
def test_each_is_taken_with_both_images_and_its_values_are_in_force(
    client, store: Store, png: bytes, name: str
) -> None:
    response = client.post("/jobs", files={"content": png, "style": png}, data={"preset": name})
    assert response.status_code == 202, response.json()
    params = response.json()["input"]["params"]
    assert params["preset"] == name
    assert {option: params[option] for option in PRESETS[name].options} == PRESETS[name].options
    options = {"size": 100} | dict(PRESETS[name].options)
    expected = GatysOptions.from_mapping({"style_size": options["size"]} | options)
    assert store.get(response.json()["id"]).options == expected


def test_single_fields_override_a_preset(client, png: bytes) -> None:
    fields = {"preset": "quick", "iterations": "7", "color": "luminance"}
    params = client.post("/jobs", files={"content": png, "style": png}, data=fields).json()["input"]["params"]
    assert (params["preset"], params["size"], params["iterations"], params["color"]) == ("quick", 320, 7, ["luminance"])


def test_without_a_preset_none_is_told(client, png: bytes) -> None:
    params = client.post("/jobs", files={"content": png, "style": png}).json()["input"]["params"]
    assert params["preset"] is None
    assert params.keys() >= OPTIONS.keys()


def test_an_unknown_preset_is_refused_and_the_known_ones_are_named(client, png: bytes) -> None:
    response = client.post("/jobs", files={"content": png, "style": png}, data={"preset": "nicest"})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_options")
    detail = "must be one of quick, balanced, best, poster, texture, reconstruct"
    assert response.json()["errors"] == [{"pointer": "#/preset", "detail": detail}]


def test_a_preset_is_not_for_the_fast_engine(client, png: bytes) -> None:
    response = client.post("/jobs", files={"content": png}, data={"style_id": "waves", "preset": "quick"})
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["pointer"] == "#/preset"
    assert error["detail"].startswith("goes with method=gatys only")


def test_a_preset_s_size_is_held_against_the_servers_bound(make_client, png: bytes) -> None:
    response = make_client(max_size=200).post("/jobs", files={"content": png, "style": png}, data={"preset": "quick"})
    assert response.json()["errors"][0]["pointer"] == "#/size"
    assert "NST_MAX_SIZE" in response.json()["detail"]


# Without a content, without a style


@pytest.mark.parametrize("fields", [{"preset": "texture"}, {"content_weight": "0", "init": "noise"}])
def test_a_texture_needs_no_content(client, store: Store, wide: bytes, fields: dict[str, str]) -> None:
    response = client.post("/jobs", files={"style": wide}, data=fields)
    assert response.status_code == 202, response.json()
    job = response.json()
    assert job["input"]["content_sha256"] is None
    assert len(job["input"]["style_sha256"]) == 1
    assert (job["input"]["params"]["size"], job["input"]["params"]["style_size"]) == (120, 120)
    assert store.image(job["id"], "style.0") == wide
    with pytest.raises(KeyError):
        store.image(job["id"], "content")


def test_a_reconstruction_needs_no_style(client, wide: bytes) -> None:
    response = client.post("/jobs", files={"content": wide}, data={"preset": "reconstruct"})
    assert response.status_code == 202, response.json()
    assert response.json()["input"]["style_sha256"] == []


@pytest.mark.parametrize(
    "fields",
    [
        {"preset": "texture", "init": "content"},
        {"preset": "texture", "content_weight": "0.1"},
        {"preset": "texture", "color": "match-mkl"},
        {"preset": "texture", "auto_mask": "subject"},
        {"content_weight": "0"},
    ],
)
def test_what_takes_something_from_the_content_requires_it(client, wide: bytes, fields: dict[str, str]) -> None:
    response = client.post("/jobs", files={"style": wide}, data=fields)
    assert response.status_code == 422
    assert response.json()["errors"] == [{"pointer": "#/content", "detail": "is required"}]


def test_a_mask_requires_the_content_that_it_leaves(client, wide: bytes) -> None:
    white = io.BytesIO()
    Image.new("L", (60, 40), 255).save(white, "PNG")
    sent = {"style": wide, "mask": white.getvalue()}
    response = client.post("/jobs", files=sent, data={"preset": "texture"})
    assert response.json()["errors"] == [{"pointer": "#/content", "detail": "is required"}]


def test_a_style_that_gives_the_aspect_ratio_must_leave_something_of_it(client, picture: MakePicture) -> None:
    response = client.post("/jobs", files={"style": picture(1000, 20)}, data={"preset": "texture"})
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == ["#/style"]
