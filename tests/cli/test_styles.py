"""Trained styles on the command line."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _gallery(styles_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NST_STYLES_DIR", str(styles_dir))


def test_the_styles_are_listed(nst: Run) -> None:
    result = nst("styles", "list")
    assert result.exit_code == 0, result.output
    for text in (
        "│ waves ",
        "│ waves_color ",
        "1889",
        "│ photograph ",
        "│ painting ",
        "[at",
        " 512 ",
        "all: public domain",
    ):
        assert text in result.output


def test_a_gallery_that_cannot_be_read_is_told(nst: Run, tmp_path: Path) -> None:
    result = nst("styles", "list", "--styles-dir", tmp_path)
    assert result.exit_code == 1
    assert result.output.startswith("nst: the gallery's manifest.json cannot be read")


def test_stylize_paints_in_a_trained_style(nst: Run, content: Path, tmp_path: Path) -> None:
    pictures = []
    for strength in (0, 1):
        output = tmp_path / f"{strength}.png"
        options = ("--size", 66, "--strength", strength, "--precision", "float32", "--device", "cpu", "--out", output)
        result = nst("stylize", content, "--style-id", "waves", *options)
        assert result.exit_code == 0, result.output
        assert "66 x 44, waves, cpu" in result.output
        with Image.open(output) as picture:
            pictures.append(picture.convert("RGB"))
    with Image.open(content) as photograph:
        assert pictures[0].tobytes() == photograph.convert("RGB").resize((66, 44), Image.Resampling.LANCZOS).tobytes()
    assert pictures[1].tobytes() != pictures[0].tobytes()


def test_stylize_keeps_the_content_s_own_size(nst: Run, content: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.png"
    assert nst("stylize", content, "--style-id", "waves", "--device", "cpu", "--out", output).exit_code == 0
    with Image.open(output) as picture:
        assert picture.size == (120, 80)


def test_an_unknown_style_is_told(nst: Run, content: Path, tmp_path: Path) -> None:
    result = nst("stylize", content, "--style-id", "nothing", "--device", "cpu", "--out", tmp_path / "a.png")
    assert result.exit_code == 1
    assert result.output == "nst: there is no style 'nothing' in the gallery; see: nst styles list\n"


def test_a_trained_style_makes_the_start_of_an_optimisation(
    nst: Run, content: Path, style: Path, tmp_path: Path
) -> None:
    output, again = tmp_path / "out.png", tmp_path / "again.png"
    options = ("--init", "fast", "--size", 64, "--iterations", 2, "--device", "cpu")
    result = nst("stylize", content, style, *options, "--style-id", "waves", "--out", output)
    assert result.exit_code == 0, result.output
    assert "the start is painted in waves" in result.output
    assert "64 x 43, compact, cpu" in result.output
    result = nst("stylize", content, style, "--like", output, "--device", "cpu", "--out", again)
    assert result.exit_code == 0, result.output
    with Image.open(output) as first, Image.open(again) as second:
        assert second.tobytes() == first.tobytes()
    # What is given goes before what was recorded.
    result = nst("stylize", content, style, "--like", output, "--init", "content", "--device", "cpu", "--out", again)
    assert result.exit_code == 0, result.output
    assert "the start is painted" not in result.output
    result = nst("stylize", content, style, *options, "--style-id", "waves", "--style-id", "waves", "--out", output)
    assert result.exit_code == 1
    assert "name one for all, or one for each style: 2 trained styles, 1 style" in result.output


@pytest.mark.parametrize("command", ["stylize", "submit"])
@pytest.mark.parametrize("both", [True, False])
def test_there_must_be_one_style(nst: Run, content: Path, style: Path, command: str, both: bool) -> None:
    result = nst(command, content, *((style, "--style-id", "waves") if both else ()))
    assert result.exit_code == 2
    assert "give one kind" in result.output


@pytest.mark.parametrize("command", ["stylize", "submit"])
def test_options_of_the_other_engine_are_refused(nst: Run, content: Path, style: Path, command: str) -> None:
    for arguments, flag, reason in (
        ((style, "--strength", 0.5), "--strength", "--style-id only"),
        (("--style-id", "waves", "--iterations", 5), "--iterations", "a STYLE image only"),
        (("--style-id", "waves", "--init-image", style), "--init-image", "a STYLE image only"),
    ):
        result = nst(command, content, *arguments)
        assert result.exit_code == 2
        assert f"Invalid value for {flag}: goes with {reason}" in result.output


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # of the exporter's own dependencies
def test_a_style_is_exported(nst: Run, tmp_path: Path) -> None:
    output = tmp_path / "waves.onnx"
    result = nst("styles", "export", "waves", "--out", output)
    assert result.exit_code == 0, result.output
    assert f"({output.stat().st_size:,} bytes)" in result.output
    assert nst("styles", "export", "nothing", "--out", output).exit_code == 1
