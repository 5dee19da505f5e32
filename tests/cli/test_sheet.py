"""``nst sheet``: real pictures of a few pixels."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image
from typer import BadParameter

from cli.sheet import read_axis

Run = Callable[..., Result]

QUICK = ("--size", 64, "--iterations", 2, "--device", "cpu")


def test_two_options_make_a_grid(nst: Run, content: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "sheet.png"
    axes = ("--rows", "content_weight=0.01,1", "--columns", "style-layers=relu1_1,relu1_1+relu2_1,relu3_1")
    result = nst("sheet", content, style, *axes, *QUICK, "--cell", 80, "--out", output)
    assert result.exit_code == 0, result.output
    with Image.open(output) as sheet:
        assert sheet.width == 3 * 80
        assert sheet.height > 2 * 43
        columns = [sheet.crop((k * 80 + 2, 2, k * 80 + 66, 44)) for k in range(3)]
    assert len({column.tobytes() for column in columns}) == 3
    assert "6/6" in result.output


def test_one_option_makes_a_column(nst: Run, content: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "sheet.jpg"
    result = nst("sheet", content, style, "--rows", "seed=1,2", *QUICK, "--init", "noise", "--out", output)
    assert result.exit_code == 0, result.output
    with Image.open(output) as sheet:
        assert sheet.width == 320


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("size=64,128", (64, 128)),
        ("tv_weight=0.5,1", (0.5, 1.0)),
        ("scales=none,2", (None, 2)),
        ("normalize-weights=true,false", (True, False)),
        ("color=style,luminance", (["style"], ["luminance"])),
        ("content_layer_weights=1+2", ([1.0, 2.0],)),
    ],
)
def test_values_are_read_in_the_type_of_their_option(text: str, values: tuple[object, ...]) -> None:
    assert read_axis(text, "--rows").values == values


@pytest.mark.parametrize("text", ["size", "blue=1", "size=x", "normalize_weights=1", "=1"])
def test_what_is_no_option_is_refused(text: str) -> None:
    with pytest.raises(BadParameter):
        read_axis(text, "--rows")


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        (("--rows", "tv_weight=0,-1"), "tv_weight must be between 0"),
        (("--rows", "size=64", "--columns", "size=65"), "size is that of the rows"),
        (("--rows", "init=content,fast"), "fast goes with a single picture"),
        (("--rows", "size=64", "--snapshot-every", "1"), "goes with a single picture"),
    ],
)
def test_what_cannot_be_painted_is_told_before_anything_is(
    nst: Run, content: Path, style: Path, tmp_path: Path, axes: tuple[str, ...], said: str
) -> None:
    output = tmp_path / "sheet.jpg"
    result = nst("sheet", content, style, *axes, "--out", output)
    assert result.exit_code != 0
    assert said in result.output
    assert not output.exists()
