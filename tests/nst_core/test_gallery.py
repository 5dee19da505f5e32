"""What is known about the styles of a gallery."""

import io
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image

from nst_core.errors import CorruptWeights, UnknownStyle
from nst_core.gallery import Gallery


def test_a_gallery_tells_of_its_styles(styles_dir: Path) -> None:
    gallery = Gallery(styles_dir)
    assert list(gallery.styles) == ["waves", "waves_color"]
    style = gallery["waves_color"]
    assert (style.id, style.year, style.keeps_color) == ("waves_color", "1889", True)
    assert (style.training["steps"], style.losses["style"]) == (10, 0.25)
    assert Image.open(io.BytesIO(gallery.thumbnail("waves"))).format == "JPEG"


@pytest.mark.parametrize("style_id", ["", "nothing", "../waves", "waves.safetensors"])
def test_a_style_that_is_not_there_is_unknown(styles_dir: Path, style_id: str) -> None:
    gallery = Gallery(styles_dir)
    for call in (gallery.__getitem__, gallery.thumbnail, gallery.weights):
        with pytest.raises(UnknownStyle, match="there is no style"):
            call(style_id)


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"styles": [{}]}', '{"styles": [{"id": "a", "colour": 1}]}'])
def test_a_manifest_that_cannot_be_read_is_told(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(CorruptWeights, match=r"manifest\.json cannot be read"):
        Gallery(tmp_path)


def test_files_that_are_missing_are_told(styles_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes((styles_dir / "manifest.json").read_bytes())
    gallery = Gallery(tmp_path)
    for call, name in ((gallery.thumbnail, "waves.jpg"), (gallery.weights, "waves.safetensors")):
        with pytest.raises(CorruptWeights, match=f"{name} cannot be read"):
            call("waves")
    with pytest.raises(CorruptWeights, match=r"sample\.jpeg cannot be read"):
        gallery.sample()


def test_the_gallery_of_the_program_is_complete() -> None:
    gallery = Gallery()
    for style_id in gallery.styles:
        assert sha256(gallery.weights(style_id)).hexdigest() == gallery[style_id].weights_sha256
        assert Image.open(io.BytesIO(gallery.thumbnail(style_id))).format == "JPEG"


def test_a_gallery_is_read_without_pytorch() -> None:
    program = "import sys, nst_core.gallery; nst_core.gallery.Gallery(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
