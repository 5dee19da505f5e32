"""The gallery over HTTP."""

import hashlib
from pathlib import Path

import pytest

from nst_core.errors import CorruptWeights


def test_the_styles_are_listed(client) -> None:
    response = client.get("/styles")
    assert response.status_code == 200
    (first, second) = response.json()["items"]
    assert first == {
        "id": "waves",
        "title": "Waves [at night]",
        "artist": "A. Painter",
        "year": "1889",
        "licence": "public domain",
        "keeps_color": False,
        "style_sizes": [512],
        "training": {"steps": 10, "encoder": "compact"},
        "losses": {"style": 0.25},
        "weights_sha256": "",
        "removable": False,
        "urls": {"self": "styles/waves", "thumbnail": "styles/waves/thumbnail"},
    }
    assert (second["id"], second["keeps_color"]) == ("waves_color", True)
    for style in (first, second):
        assert client.get(f"/{style['urls']['self']}").json() == style


def test_a_gallery_may_be_empty(make_client, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"styles": []}')
    assert make_client(styles_dir=tmp_path).get("/styles").json() == {"items": []}


def test_the_gallery_of_the_program_is_the_default(make_client) -> None:
    assert make_client(styles_dir=None).get("/styles").status_code == 200


def test_a_gallery_that_cannot_be_read_is_told_at_the_start(make_client, tmp_path: Path) -> None:
    with pytest.raises(CorruptWeights, match=r"manifest\.json cannot be read"):
        make_client(styles_dir=tmp_path)


@pytest.mark.parametrize("style_id", ["nothing", "WAVES", "waves.safetensors", "%2e%2e%2fwaves", "é"])
@pytest.mark.parametrize("path", ["", "/thumbnail"])
def test_an_unknown_style_is_not_found(client, style_id: str, path: str) -> None:
    response = client.get(f"/styles/{style_id}{path}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == ("not_found" if "%2f" in style_id else "unknown_style")


def test_a_thumbnail_is_sent_once(client, styles_dir: Path) -> None:
    response = client.get("/styles/waves/thumbnail")
    data = (styles_dir / "waves.jpg").read_bytes()
    assert (response.status_code, response.content) == (200, data)
    assert response.headers["content-type"] == "image/jpeg"
    assert response.headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    again = client.get("/styles/waves/thumbnail", headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == response.headers["etag"]
