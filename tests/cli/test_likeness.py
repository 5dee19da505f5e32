"""``nst stylize --like``: painting again as a picture was painted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from PIL import Image

from nst_core.record import KEY

Run = Callable[..., Result]

#: What makes a picture small and quick to paint.
QUICK = ("--size", 66, "--iterations", 3, "--device", "cpu")


def record(path: Path) -> dict[str, Any]:
    with Image.open(path) as picture:
        document: dict[str, Any] = json.loads(picture.text[KEY])
    return document


def pixels(path: Path) -> tuple[tuple[int, int], bytes]:
    with Image.open(path) as picture:
        return picture.size, picture.tobytes()


def painted(nst: Run, *arguments: object) -> Result:
    result = nst("stylize", *arguments)
    assert result.exit_code == 0, result.output
    return result


def test_a_picture_is_painted_again_to_the_pixel(nst: Run, content: Path, style: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    options = ("--init", "noise", "--seed", 7, "--style-size", 80, "--style-layers", "relu1_1,relu2_1")
    painted(nst, content, style, *QUICK, *options, "--color", "luminance", "--out", first)
    again = painted(nst, content, style, "--like", first, "--device", "cpu", "--out", second)
    assert pixels(second) == pixels(first)
    assert "nst:" not in again.stderr
    told, told_again = record(first), record(second)
    for part in (told, told_again):
        assert sum(stage.pop("seconds") > 0 for stage in part["metrics"]["stages"]) == 1
    assert told == told_again


def test_the_record_tells_every_parameter_in_force_and_the_figures(
    nst: Run, content: Path, style: Path, tmp_path: Path
) -> None:
    painted(nst, content, style, *QUICK, "--preset", "poster", "--out", tmp_path / "a.png")
    told = record(tmp_path / "a.png")
    params = told["input"]["params"]
    assert (params["size"], params["iterations"], params["tv_weight"], params["preset"]) == (66, 3, 0.5, "poster")
    assert params["precision"] in ("float32", "bfloat16")
    assert told["output"]["losses"].keys() >= {"total", "content", "style", "style relu1_1"}
    assert 0 < told["output"]["similarity"] < 1
    assert told["metrics"]["stages"][0]["iterations"] == 3


def test_a_lossy_picture_has_its_record_beside_it(nst: Run, content: Path, style: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.jpg", tmp_path / "second.jpg"
    painted(nst, content, style, *QUICK, "--quality", 40, "--out", first)
    assert json.loads((tmp_path / "first.jpg.json").read_text())["input"]["params"]["quality"] == 40
    painted(nst, content, style, "--like", tmp_path / "first.jpg.json", "--device", "cpu", "--out", second)
    assert second.read_bytes() == first.read_bytes()


def test_single_options_override_the_record(nst: Run, content: Path, style: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    painted(nst, content, style, *QUICK, "--seed", 5, "--tv-weight", 0.5, "--out", first)
    options = ("--iterations", 2, "--preset", "poster", "--style-size", 70, "--device", "cpu")
    painted(nst, content, style, "--like", first, *options, "--out", second)
    params = record(second)["input"]["params"]
    assert (params["size"], params["seed"], params["iterations"]) == (66, 5, 2)
    assert (params["color"], params["style_size"], params["preset"]) == (["match-mkl"], 70, "poster")


def test_another_image_is_told(nst: Run, content: Path, style: Path, tmp_path: Path) -> None:
    first = tmp_path / "first.png"
    painted(nst, content, style, *QUICK, "--out", first)
    like = ("--like", first, "--device", "cpu", "--out", tmp_path / "b.png")
    told = painted(nst, style, content, *like).stderr
    assert "nst: style.png is not the content that first.png was painted with" in told
    assert "nst: content.png is not the style that first.png was painted with" in told
    told = painted(nst, content, style, style, *like).stderr
    assert "nst: first.png was painted with 1 as style, not 2" in told
    assert "is not the" not in told


def test_trained_styles_are_taken_from_the_record(nst: Run, content: Path, styles_dir: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    where = ("--styles-dir", styles_dir, "--device", "cpu")
    options = ("--style-id", "waves", "--style-id", "waves_color", "--strength", 0.5, "--style-weights", "1,3")
    painted(nst, content, *options, *where, "--size", 66, "--out", first)
    painted(nst, content, "--like", first, *where, "--out", second)
    assert pixels(second) == pixels(first)
    assert record(second)["input"]["params"]["style_id"] == "waves,waves_color"
    assert record(second) == record(first)


def test_weights_that_were_trained_anew_are_told(nst: Run, content: Path, styles_dir: Path, tmp_path: Path) -> None:
    where = ("--styles-dir", styles_dir, "--device", "cpu", "--size", 66, "--out", tmp_path / "a.png")
    painted(nst, content, "--style-id", "waves", *where)
    document = record(tmp_path / "a.png")
    document["input"]["weights_sha256"] = ["0" * 64]
    (tmp_path / "a.json").write_text(json.dumps(document))
    told = painted(nst, content, "--like", tmp_path / "a.json", *where).stderr
    assert "the weights of the styles are not those that a.json was painted with" in told


def test_another_version_is_told(nst: Run, content: Path, style: Path, tmp_path: Path) -> None:
    painted(nst, content, style, *QUICK, "--out", tmp_path / "a.png")
    document = record(tmp_path / "a.png") | {"version": "0.0.1"}
    (tmp_path / "a.json").write_text(json.dumps(document))
    like = ("--like", tmp_path / "a.json", "--device", "cpu", "--out", tmp_path / "b.png")
    assert "a.json was painted by version 0.0.1; this is " in painted(nst, content, style, *like).stderr


def test_a_file_that_tells_nothing_is_refused(nst: Run, content: Path, style: Path, tmp_path: Path) -> None:
    result = nst("stylize", content, style, "--like", content, "--out", tmp_path / "a.png")
    assert result.exit_code == 1
    assert result.output.startswith("nst: content.png does not tell how it was painted")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"method": ["gatys"]}, "does not tell how it was painted"),
        ({"quality": "abc"}, "quality must be a whole number"),
        ({"bit_depth": 12}, "bit_depth must be one of 8, 16"),
        ({"auto_mask": "foo"}, "auto_mask must be one of subject, background"),
    ],
)
def test_a_record_that_was_tampered_with_is_refused_before_painting(
    nst: Run, content: Path, style: Path, tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    document = {"method": "gatys", "input": {"params": {"iterations": 2}, "content_sha256": None, "style_sha256": []}}
    document["input"]["params"] |= changes  # type: ignore[index]
    document |= {name: value for name, value in changes.items() if name in document}
    (tmp_path / "like.json").write_text(json.dumps(document))
    output = tmp_path / ("out.jpg" if "quality" in changes else "out.png")
    result = nst("stylize", content, style, "--like", tmp_path / "like.json", "--out", output)
    assert result.exit_code == 1
    assert told in " ".join(result.output.split())
    assert not output.exists()


def test_the_record_of_the_other_engine_is_refused(
    nst: Run, content: Path, style: Path, styles_dir: Path, tmp_path: Path
) -> None:
    painted(nst, content, style, *QUICK, "--out", tmp_path / "a.png")
    result = nst("stylize", content, "--style-id", "waves", "--styles-dir", styles_dir, "--like", tmp_path / "a.png")
    assert result.exit_code == 1
    assert "a.png was painted by the engine gatys, not fast" in result.output


@pytest.mark.parametrize("single", [True, False])
def test_a_texture_is_painted_again(nst: Run, content: Path, style: Path, tmp_path: Path, single: bool) -> None:
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    pictures = (style,) if single else (content, style)
    painted(nst, *pictures, *QUICK, "--preset", "texture", "--out", first)
    again = painted(nst, *pictures, "--like", first, "--device", "cpu", "--out", second)
    assert pixels(second) == pixels(first)
    assert "nst:" not in again.stderr
