"""``nst eval`` on pictures of a few pixels, with a judge of random weights."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image
from safetensors.torch import save_file

from nst_core.encoders import Compact
from nst_core.image import to_picture
from nst_core.normalization import calibration_images

Run = Callable[..., Result]

WIDTHS = (4, 4, 8, 8, 8)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for k, image in enumerate(calibration_images(3, 96)):
        to_picture(image[None]).save(folder / f"painting_{k}.png")
    return folder


def test_two_encoders_are_compared_also_when_their_files_have_the_same_name(
    nst: Run, pictures: Path, teacher: Path, tmp_path: Path
) -> None:
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
        save_file(Compact({}, widths=WIDTHS).state_dict(), tmp_path / folder / "compact.safetensors")
    one, other = (tmp_path / folder / "compact.safetensors" for folder in ("new", "old"))
    options = ("--contents", pictures, "--styles", pictures, "--teacher", teacher, "--limit", 1)
    options = (*options, "--size", 64, "--iterations", 2, "--out-dir", tmp_path, "--device", "cpu")
    result = nst("eval", "encoder", *options, "--weights", one, "--against", other)
    assert result.exit_code == 0, result.output
    assert "new-compact: 3 pictures: style error" in result.output
    assert "new-compact against old-compact: " in result.output
    assert (tmp_path / "new-compact.png").exists()
    assert len(list((tmp_path / "old-compact").glob("*.png"))) == 3
    result = nst("eval", "encoder", *options, "--weights", one, "--against", one)
    assert "both encoders would be called new-compact" in result.output
    result = nst("eval", "encoder", *options, "--encoder", "vgg19")
    assert "--weights names the encoder" in result.output


@pytest.fixture
def paintings(pictures: Path, tmp_path: Path) -> Path:
    """The painting of the styles ``waves`` and ``waves_color``."""
    folder = tmp_path / "paintings"
    folder.mkdir()
    shutil.copy(pictures / "painting_2.png", folder / "waves.png")
    return folder


def test_styles_without_a_judge_give_a_sheet_of_each_size(
    nst: Run, pictures: Path, styles_dir: Path, tmp_path: Path
) -> None:
    options = ("--contents", pictures, "--styles-dir", styles_dir, "--out-dir", tmp_path, "--device", "cpu")
    result = nst("eval", "style", *options, "--size", 64, "--size", 80)
    assert result.exit_code == 0, result.output
    for size in (64, 80):
        with Image.open(tmp_path / f"sheet-{size}.jpg") as sheet:
            assert sheet.width == 3 * 256  # the photographs
        assert len(list((tmp_path / f"fast-{size}").glob("*.png"))) == 6
    assert not (tmp_path / "figures.json").exists()


def test_styles_are_held_against_the_iterative_engine(
    nst: Run, pictures: Path, paintings: Path, teacher: Path, styles_dir: Path, tmp_path: Path
) -> None:
    (pictures / "painting_2.png").unlink()
    save_file(Compact({}, widths=WIDTHS).state_dict(), tmp_path / "small.safetensors")
    options = ("--contents", pictures, "--styles", paintings, "--teacher", teacher, "--styles-dir", styles_dir)
    options = (*options, "--size", 64, "--out-dir", tmp_path / "out", "--device", "cpu")
    against = f"{tmp_path.name}-small"
    result = nst("eval", "style", *options, "--against", tmp_path / "small.safetensors")
    assert result.exit_code == 0, result.output
    table = [line.split() for line in result.output.splitlines()]
    assert [row[0] for row in table if len(row) == 10] == ["waves", "waves_color", "all"]
    with Image.open(tmp_path / "out" / "sheet-64.jpg") as sheet:
        assert sheet.size == (3 * 256, 3 * 116)  # the painting and the photographs, the head and the styles
    found = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert [(p["size"], p["style"], p["content"]) for p in found["pictures"]] == [
        (64, style, content) for style in ("waves", "waves_color") for content in ("painting_0", "painting_1")
    ]
    for picture in found["pictures"]:
        assert picture["ratio"] == pytest.approx(picture["style_error"] / picture["iterative"]["style_error"])
    # Again, without painting, and of one style.
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*-64/*.png")}
    assert {path.parent.name for path in kept} == {"fast-64", f"{against}-64"}
    result = nst("eval", "style", *options, "--style-id", "waves", "--against", "none")
    assert result.exit_code == 0, result.output
    again = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert [p["style_error"] for p in again["pictures"]] == [p["style_error"] for p in found["pictures"][:2]]
    assert "ratio" not in again["pictures"][0]
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_styles_that_cannot_be_measured_say_why(
    nst: Run, pictures: Path, paintings: Path, teacher: Path, styles_dir: Path, tmp_path: Path
) -> None:
    options = ("--contents", pictures, "--styles-dir", styles_dir, "--out-dir", tmp_path, "--device", "cpu")
    result = nst("eval", "style", *options, "--style-id", "rain")
    assert (result.exit_code, result.output) == (1, "nst: there is no style 'rain' in the gallery\n")
    result = nst("eval", "style", *options, "--teacher", teacher)
    assert "judges against the paintings: --styles FOLDER" in result.output
    result = nst("eval", "style", *options, "--teacher", teacher, "--styles", pictures)
    assert "the painting of the style waves is missing" in result.output
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "manifest.json").write_text('{"styles": []}')
    result = nst("eval", "style", *options, "--styles-dir", tmp_path / "empty")
    assert "the gallery has no styles" in result.output
