"""``--preset`` and ``nst presets``."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image

from nst_core.presets import PRESETS
from nst_core.record import KEY

Run = Callable[..., Result]

QUICK = ("--size", 66, "--iterations", 2, "--device", "cpu")


def test_they_are_listed_with_their_options(nst: Run) -> None:
    result = nst("presets")
    assert result.exit_code == 0
    for preset in PRESETS.values():
        assert preset.name in result.output
        for name in preset.options:
            assert name in result.output


def test_single_options_override_a_preset(nst: Run, content: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.png"
    arguments = (*QUICK, "--preset", "reconstruct", "--style-weight", 0.5, "--out", output)
    assert nst("stylize", content, style, *arguments).exit_code == 0
    with Image.open(output) as picture:
        params = json.loads(picture.text[KEY])["input"]["params"]
    assert (params["iterations"], params["style_weight"]) == (2, 0.5)
    assert (params["init"], params["content_layers"]) == ("noise", ["relu3_1"])


def test_a_texture_takes_the_shape_of_its_style(nst: Run, style: Path, tmp_path: Path) -> None:
    Image.open(style).resize((90, 60)).save(style)
    result = nst("stylize", style, *QUICK, "--preset", "texture", "--out", tmp_path / "a.png")
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (66, 44)


def test_a_reconstruction_takes_the_content_alone(nst: Run, content: Path, tmp_path: Path) -> None:
    result = nst("stylize", content, *QUICK, "--preset", "reconstruct", "--out", tmp_path / "a.png")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("command", ["stylize", "submit"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--preset", "nicest"), "is not one of quick, balanced, best, poster, texture"),
        (("--preset", "texture", "--color", "match-mkl"), "give one kind"),
        (("--preset", "quick"), "give one kind"),
        (("--preset", "quick", "--style-id", "waves"), "goes with a STYLE image only"),
    ],
)
def test_what_does_not_go_together_is_refused(
    nst: Run, content: Path, command: str, arguments: tuple[str, ...], message: str
) -> None:
    result = nst(command, content, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
