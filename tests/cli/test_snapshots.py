"""Snapshots beside the picture that ``nst stylize`` paints; those of a service are in ``tests/integration``."""

from collections.abc import Callable
from pathlib import Path

from click.testing import Result
from PIL import Image

Run = Callable[..., Result]


def test_stylize_keeps_snapshots_beside_the_picture(nst: Run, content: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jpg"
    options = ("--size", 128, "--scales", 2, "--iterations", 5, "--snapshot-every", 2, "--device", "cpu")
    result = nst("stylize", content, style, *options, "--out", output)
    assert result.exit_code == 0, result.output
    folder = tmp_path / "out-snapshots"
    names = ["0002.jpg", "0004.jpg", "0005.jpg", "evolution.webp", "sheet.jpg"]
    assert sorted(path.name for path in folder.iterdir()) == names
    sizes = []
    for name in names[:3]:
        with Image.open(folder / name) as picture:
            assert picture.format == "JPEG"
            sizes.append(picture.size)
    assert (sizes[0], sizes[-1]) == ((64, 43), (128, 85))
    with Image.open(folder / "evolution.webp") as animation:
        assert (animation.format, animation.n_frames, animation.size) == ("WEBP", 3, (128, 85))
    with Image.open(folder / "sheet.jpg") as sheet:
        assert sheet.format == "JPEG"
        assert sheet.width > 3 * 128


def test_a_folder_that_cannot_be_is_told(nst: Run, content: Path, style: Path, tmp_path: Path) -> None:
    (tmp_path / "out-snapshots").write_text("in the way")
    options = ("--size", 64, "--iterations", 1, "--snapshot-every", 1, "--device", "cpu")
    result = nst("stylize", content, style, *options, "--out", tmp_path / "out.png")
    assert result.exit_code == 1
    assert f"cannot make the folder {tmp_path / 'out-snapshots'}" in result.output


def test_nothing_is_beside_a_picture_without_snapshots(nst: Run, content: Path, style: Path, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    options = ("--size", 64, "--iterations", 1, "--device", "cpu", "--out", tmp_path / "out.png")
    assert nst("stylize", content, style, *options).exit_code == 0
    assert set(tmp_path.iterdir()) - before == {tmp_path / "out.png"}


def test_a_trained_style_has_no_iterations_to_keep(nst: Run, content: Path) -> None:
    result = nst("stylize", content, "--style-id", "waves", "--snapshot-every", 2)
    assert result.exit_code == 2
    assert "--snapshot-every" in result.output
