"""``--bit-depth`` and ``--keep-metadata`` of ``nst stylize`` and ``nst submit``."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from click.testing import Result
from PIL import Image
from PIL.ExifTags import Base

from client import NSTClient
from nst_core.record import Record

Run = Callable[..., Result]

GRADIENT = np.repeat(np.linspace(0, 65535, 64 * 64).round().astype(np.uint16).reshape(64, 64, 1), 3, 2)


@pytest.fixture
def gradient(tmp_path: Path) -> Path:
    """A PNG of 16 bits, of a camera."""
    path = tmp_path / "gradient.png"
    path.write_bytes(imagecodecs.png_encode(GRADIENT))
    return path


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    exif = Image.Exif()
    exif[Base.Make] = "Maker"
    path = tmp_path / "photograph.jpg"
    Image.effect_noise((96, 64), 60).convert("RGB").save(path, exif=exif)
    return path


def painted(nst: Run, *arguments: object) -> None:
    result = nst("stylize", *arguments, "--device", "cpu")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_are_written(nst: Run, gradient: Path, styles_dir: Path, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out.{suffix}"
    trained = ("--style-id", "waves", "--styles-dir", styles_dir, "--strength", 0)
    painted(nst, gradient, *trained, "--bit-depth", 16, "--out", output)
    data = output.read_bytes()
    samples = imagecodecs.png_decode(data) if suffix == "png" else tifffile.imread(output)
    assert np.array_equal(samples, GRADIENT)
    told = Record.from_file(data if suffix == "png" else (tmp_path / "out.tif.json").read_bytes())
    assert (told.params["bit_depth"], told.params["keep_metadata"]) == (16, False)


def test_an_optimised_picture_has_more_than_256_levels(nst: Run, gradient: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.png"
    painted(nst, gradient, style, "--iterations", 2, "--bit-depth", 16, "--out", output)
    samples = imagecodecs.png_decode(output.read_bytes())
    assert samples.dtype == np.uint16
    assert len(np.unique(samples[..., 0])) > 256


def test_metadata_are_kept_only_when_asked(nst: Run, photograph: Path, styles_dir: Path, tmp_path: Path) -> None:
    arguments = (photograph, "--style-id", "waves", "--styles-dir", styles_dir, "--size", 64)
    painted(nst, *arguments, "--out", tmp_path / "without.jpg")
    painted(nst, *arguments, "--keep-metadata", "--out", tmp_path / "kept.jpg")
    assert b"Maker" not in (tmp_path / "without.jpg").read_bytes()
    with Image.open(tmp_path / "kept.jpg") as picture:
        assert picture.getexif()[Base.Make] == "Maker"


def test_both_are_painted_alike(nst: Run, photograph: Path, styles_dir: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    where = ("--styles-dir", styles_dir)
    painted(nst, photograph, "--style-id", "waves", *where, "--bit-depth", 16, "--keep-metadata", "--out", first)
    painted(nst, photograph, "--like", first, *where, "--out", second)
    assert second.read_bytes() == first.read_bytes()
    # What is given comes first, and a format has no more than it can have.
    painted(nst, photograph, "--like", first, *where, "--drop-metadata", "--bit-depth", 8, "--out", second)
    told = Record.from_file(second.read_bytes()).params
    assert (told["bit_depth"], told["keep_metadata"]) == (8, False)
    painted(nst, photograph, "--like", first, *where, "--out", tmp_path / "a.jpg")
    told = json.loads((tmp_path / "a.jpg.json").read_text())["input"]["params"]
    assert (told["bit_depth"], told["keep_metadata"]) == (8, True)
    painted(nst, photograph, "--like", first, *where, "--out", tmp_path / "a.tif")
    told = json.loads((tmp_path / "a.tif.json").read_text())["input"]["params"]
    assert (told["bit_depth"], told["keep_metadata"]) == (16, False)


@pytest.mark.parametrize("command", ["stylize", "submit"])
@pytest.mark.parametrize(
    ("output", "options", "told"),
    [
        ("out.jpg", ("--bit-depth", 16), "a bit_depth of 16 goes with output_format png or tiff only"),
        ("out.tif", ("--bit-depth", 16, "--keep-metadata"), "a TIFF of bit_depth 16 cannot keep_metadata; a PNG can"),
    ],
)
def test_what_a_file_cannot_have_is_refused_before_the_work(
    nst: Run, photograph: Path, tmp_path: Path, command: str, output: str, options: tuple[object, ...], told: str
) -> None:
    result = nst(command, photograph, "--style-id", "waves", "--out", tmp_path / output, *options)
    assert (result.exit_code, result.output) == (1, f"nst: {told}\n")


def test_a_depth_that_does_not_exist_is_refused(nst: Run, photograph: Path) -> None:
    result = nst("stylize", photograph, "--style-id", "waves", "--bit-depth", 12)
    assert result.exit_code == 2
    assert "--bit-depth" in result.output


def test_only_what_is_given_is_submitted(
    nst: Run, photograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []

    def submit(client: NSTClient, files: Any, fields: dict[str, Any]) -> None:
        sent.append(fields)
        raise KeyError  # enough is known

    monkeypatch.setattr(NSTClient, "submit_files", submit)
    arguments = ("submit", photograph, "--style-id", "waves", "--out", tmp_path / "a.png")
    nst(*arguments)
    nst(*arguments, "--bit-depth", 16, "--keep-metadata")
    plain = {"output_format": "png", "style_id": ["waves"]}
    assert sent == [plain, plain | {"bit_depth": 16, "keep_metadata": True}]
