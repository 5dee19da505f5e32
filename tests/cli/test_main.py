"""``nst`` as its users meet it; what needs a running service is in ``tests/integration``."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image

Run = Callable[..., Result]

COMMANDS = (
    *([], ["up"], ["stylize"], ["submit"], ["sheet"], ["presets"], ["mask"], ["demo"], ["webhook-secret"]),
    *(["weights"], ["weights", "fetch"], ["weights", "import"]),
    *(["train"], ["train", "encoder"], ["train", "style"], ["eval"], ["eval", "encoder"], ["eval", "style"]),
    *(["styles"], ["styles", "list"], ["styles", "export"], ["styles", "train"]),
)


def test_help_is_there_at_once() -> None:
    """Neither PyTorch nor Celery nor the web framework is loaded to show it."""
    script = f"""
import sys
from typer.testing import CliRunner
from cli.main import app
for command in {COMMANDS!r}:
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage: " in result.output
loaded = {{"torch", "torchvision", "celery", "fastapi", "redis"}} & sys.modules.keys()
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


def test_every_command_is_known_to_the_tests(nst: Run) -> None:
    from cli.main import app, evaluate, styles, train, weights

    names = {(): app, ("styles",): styles, ("weights",): weights, ("train",): train, ("eval",): evaluate}
    found = [
        [*group, command.name or command.callback.__name__]
        for group, a in names.items()
        for command in a.registered_commands
    ]
    assert sorted(found) == sorted(c for c in COMMANDS if tuple(c) not in names)


@pytest.mark.parametrize(("suffix", "kind"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP"), ("tif", "TIFF")])
def test_stylize_paints_a_picture_of_the_size_asked_for(
    nst: Run, content: Path, style: Path, tmp_path: Path, suffix: str, kind: str
) -> None:
    output = tmp_path / f"out.{suffix}"
    result = nst("stylize", content, style, "--size", 66, "--iterations", 2, "--device", "cpu", "--out", output)
    assert result.exit_code == 0, result.output
    with Image.open(output) as picture:
        assert (picture.format, picture.size) == (kind, (66, 44))
    assert "66 x 44, compact, cpu" in result.output


def test_stylize_keeps_the_content_s_own_size(nst: Run, content: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.png"
    assert nst("stylize", content, style, "--iterations", 1, "--device", "cpu", "--out", output).exit_code == 0
    with Image.open(output) as picture:
        assert picture.size == (120, 80)


def test_stylize_starts_from_an_initial_image(nst: Run, content: Path, style: Path, tmp_path: Path) -> None:
    Image.new("RGB", (60, 40), (0, 0, 200)).save(tmp_path / "blue.png")
    step = ("--iterations", 1, "--optimizer", "adam", "--learning-rate", 0.001, "--size", 64, "--device", "cpu")
    initial = ("--init-image", tmp_path / "blue.png", "--out", tmp_path / "out.png")
    result = nst("stylize", content, style, *step, *initial)
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "out.png") as picture:
        red, green, blue = picture.getextrema()
    assert max(red + green) < 10
    assert min(blue) > 190


@pytest.mark.parametrize("command", ["stylize", "submit"])
def test_a_name_that_tells_no_format_is_refused_before_the_work(
    nst: Run, content: Path, style: Path, command: str
) -> None:
    result = nst(command, content, style, "--out", "picture.xyz")
    assert result.exit_code == 1
    assert result.output == "nst: picture.xyz: the name must end in one of .png, .jpeg, .webp, .tiff\n"


def test_a_folder_that_is_not_there_is_told_before_the_work(nst: Run, content: Path, style: Path) -> None:
    result = nst("stylize", content, style, "--out", "/no/such/folder/a.png")
    assert (result.exit_code, result.output) == (1, "nst: there is no folder /no/such/folder\n")


def test_a_file_that_is_not_an_image_is_named(nst: Run, content: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no image")
    result = nst("stylize", content, text, "--out", tmp_path / "a.png")
    assert result.exit_code == 1
    assert result.output.startswith("nst: notes.txt: not a readable image")
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--style-layers", "relu9_9"), "has no layer 'relu9_9'"),
        (("--encoder", "resnet"), "must be one of compact, vgg16, vgg19"),
        (("--content-weight", "0", "--style-weight", "0"), "cannot both be 0"),
        (("--init", "image"), "init=image needs an initial image"),
        (("--device", "toaster"), "'toaster' is not a device"),
    ],
)
def test_options_that_the_engine_refuses(
    nst: Run, content: Path, style: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    result = nst("stylize", content, style, "--out", tmp_path / "a.png", *options)
    assert result.exit_code == 1
    said = result.output.splitlines()[-1]
    assert said.startswith("nst: ")
    assert message in said
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--size", "63"),
        ("--size", "20000"),
        ("--size", "large"),
        ("--content-layer-weights", "1,x"),
        ("--iterations", "0"),
        ("--quality", "101"),
        ("--wallpaper", "yes"),
    ],
)
def test_options_that_the_command_line_refuses(
    nst: Run, content: Path, style: Path, arguments: tuple[str, ...]
) -> None:
    result = nst("stylize", content, style, *arguments)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert arguments[0] in result.output


def test_a_missing_file_is_told(nst: Run, content: Path) -> None:
    result = nst("stylize", content, "missing.png")
    assert result.exit_code == 2
    assert "does not exist" in result.output


def test_weights_that_are_nowhere_are_told(
    nst: Run, content: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nst_core.pretrained

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(nst_core.pretrained, "weights_url", lambda name: f"http://127.0.0.1:1/{name}-dcbb9e9d.pth")
    result = nst("stylize", content, style, "--encoder", "vgg19", "--out", tmp_path / "a.png")
    assert result.exit_code == 1
    assert "the weights of vgg19 are not on this machine" in result.output


def test_a_service_that_is_not_there_is_told(nst: Run, content: Path, style: Path, tmp_path: Path) -> None:
    result = nst("submit", content, style, "--url", "http://127.0.0.1:1", "--out", tmp_path / "a.png")
    assert result.exit_code == 1
    assert result.output.startswith("nst: http://127.0.0.1:1 cannot be reached")
