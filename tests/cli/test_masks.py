"""``nst mask``."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image, ImageDraw

Run = Callable[..., Result]


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    path = tmp_path / "disc.png"
    picture = Image.new("RGB", (120, 80), (20, 30, 60))
    ImageDraw.Draw(picture).ellipse((40, 20, 80, 60), fill=(230, 180, 60))
    picture.save(path)
    return path


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image, int)


def test_it_writes_a_mask(nst: Run, disc: Path, tmp_path: Path) -> None:
    output = tmp_path / "mask.png"
    result = nst("mask", disc, output)
    assert result.exit_code == 0, result.output
    assert result.output == f"{output} (120 x 80)\n"
    mask = read(output)
    assert mask.shape == (80, 120)
    assert mask[28:52, 48:72].min() > 200
    assert mask[:15].max() < 50
    assert not (tmp_path / "mask-overlay.png").exists()


def test_the_background_is_the_rest(nst: Run, disc: Path, tmp_path: Path) -> None:
    assert nst("mask", disc, tmp_path / "subject.png").exit_code == 0
    assert nst("mask", disc, tmp_path / "background.png", "--kind", "background").exit_code == 0
    assert (read(tmp_path / "subject.png") + read(tmp_path / "background.png") == 255).all()


def test_an_overlay_is_dark_where_nothing_is_painted(nst: Run, disc: Path, tmp_path: Path) -> None:
    result = nst("mask", disc, tmp_path / "mask.png", "--overlay")
    assert result.exit_code == 0, result.output
    overlay = read(tmp_path / "mask-overlay.png")
    assert np.abs(overlay[40, 60] - (230, 180, 60)).max() < 10
    assert np.abs(overlay[5, 5] - (5, 7, 15)).max() < 3


def test_it_tells_how_well_it_agrees_with_another_mask(nst: Run, disc: Path, tmp_path: Path) -> None:
    truth = Image.new("L", (60, 40))
    ImageDraw.Draw(truth).ellipse((20, 10, 40, 30), fill=255)
    truth.save(tmp_path / "truth.png")
    result = nst("mask", disc, tmp_path / "mask.png", "--against", tmp_path / "truth.png")
    line = result.output.splitlines()[-1]
    assert line.startswith("IoU with truth.png: ")
    assert float(line.rpartition(" ")[2]) > 0.9


def test_a_picture_of_one_colour_is_told(nst: Run, tmp_path: Path) -> None:
    Image.new("RGB", (60, 40), "teal").save(tmp_path / "teal.png")
    result = nst("mask", tmp_path / "teal.png", tmp_path / "mask.png")
    assert result.exit_code == 1
    assert result.output.startswith("nst: teal.png: Nothing stands out")
    assert not (tmp_path / "mask.png").exists()


@pytest.mark.parametrize("arguments", [["--kind", "sky"], ["--against", "missing.png"]])
def test_what_cannot_be_is_refused(nst: Run, disc: Path, arguments: list[str]) -> None:
    assert nst("mask", disc, *arguments).exit_code == 2


def test_a_name_that_tells_no_format_is_refused(nst: Run, disc: Path) -> None:
    result = nst("mask", disc, "mask.xyz")
    assert (result.exit_code, result.output.startswith("nst: mask.xyz: the name must end in")) == (1, True)
