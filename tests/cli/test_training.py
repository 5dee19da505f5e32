"""``nst train``: Ctrl-C, over a training that does nothing; and a real training of styles, a few steps long."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import Result
from PIL import Image

import cli.training
from nst_core import distillation
from nst_core.distillation import DistillationStep
from nst_core.gallery import Gallery
from nst_core.image import to_picture
from nst_core.normalization import calibration_images
from nst_core.transformer import TransformerNetwork

Run = Callable[..., Result]


class FakeTraining:
    """Three steps; Ctrl-C comes while images load, or so many times within the second step."""

    def __init__(self, presses: int | None) -> None:
        if presses is None:
            signal.raise_signal(signal.SIGINT)
        self.presses = presses or 0
        self.step, self.whole = 0, True
        self.photographs = self.paintings = SimpleNamespace(skipped=0)
        self.saved: list[int] = []

    def run(self, *, validate_every: int) -> Iterator[DistillationStep]:
        while self.step < 3:
            self.whole = False
            if self.step == 1:
                for _ in range(self.presses):
                    signal.raise_signal(signal.SIGINT)
            self.step += 1
            self.whole = True
            yield DistillationStep(step=self.step, total_steps=3, loss=1.0, validation=None)

    def save_checkpoint(self, path: Path) -> None:
        assert self.whole
        self.saved.append(self.step)


@pytest.mark.parametrize(
    ("presses", "saved", "said"),
    [
        (None, [], "stopped; the same command"),
        (0, [], "compact.safetensors"),
        (1, [2], "stopped at step 2; the same command goes on"),
        (2, [], "stopped; the same command"),
    ],
)
def test_ctrl_c_saves_whole_steps_only(
    nst: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, presses: int | None, saved: list[int], said: str
) -> None:
    made: list[FakeTraining] = []

    def make(*_: object) -> FakeTraining:
        made.append(FakeTraining(presses))
        return made[-1]

    monkeypatch.setattr(distillation, "Distillation", make)
    monkeypatch.setattr(cli.training, "load_teacher", lambda *_, **__: None)
    before = signal.getsignal(signal.SIGINT)
    result = nst(
        "train", "encoder", "--images", tmp_path, "--paintings", tmp_path, "--run-dir", tmp_path, "--device", "cpu"
    )
    assert signal.getsignal(signal.SIGINT) is before
    assert result.exit_code == (0 if presses == 0 else 1), result.output
    assert said in result.output.replace("\n", "")
    assert [step for training in made for step in training.saved] == saved


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for k, image in enumerate(calibration_images(3, 96)):
        to_picture(image[None]).save(folder / f"painting_{k}.png")
    (folder / "damaged.png").write_bytes(b"not an image")
    return folder


def train_style(nst: Run, pictures: Path, run_dir: Path, *more: object) -> Result:
    paintings = [pictures / "painting_0.png", pictures / "painting_1.png"]
    options = ("--images", pictures, "--run-dir", run_dir, "--device", "cpu", "--crop", 64, "--style-size", 64)
    return nst("train", "style", *paintings, *options, *more)


def test_styles_are_trained_and_a_finished_training_is_a_start(nst: Run, pictures: Path, tmp_path: Path) -> None:
    first = tmp_path / "first"
    result = train_style(nst, pictures, first, "--steps", 4, "--checkpoint-every", 2, "--keep-color", "painting_0")
    assert result.exit_code == 0, result.output
    assert "1 unreadable files skipped" in result.output
    assert "step 2: total" in result.output
    network = TransformerNetwork.from_file(first / "trunk.safetensors")
    assert {path.stem for path in first.glob("painting_*")} == {"painting_0", "painting_1", "painting_0_color"}
    with Image.open(first / "preview-000004.jpg") as preview:
        assert preview.width > 256
    stylized = tmp_path / "stylized.png"
    painting = pictures / "painting_2.png"
    given = ("--style-id", "painting_0_color", "--styles-dir", first, "--out", stylized, "--device", "cpu")
    assert nst("stylize", painting, *given).exit_code == 0
    again = train_style(nst, pictures, first, "--steps", 4, "--checkpoint-every", 2, "--keep-color", "painting_0")
    assert "going on from step 4" in again.output

    second = tmp_path / "second"
    result = train_style(nst, pictures, second, "--steps", 2, "--init", first, "--freeze-trunk")
    assert result.exit_code == 0, result.output
    frozen = TransformerNetwork.from_file(second / "trunk.safetensors")
    assert all(a.equal(b) for a, b in zip(frozen.parameters(), network.parameters(), strict=True))

    alone = tmp_path / "alone"
    only = ("--keep-color", "painting_0", "--only", "painting_0_color", "--init", first)
    result = train_style(nst, pictures, alone, "--steps", 2, *only)
    assert result.exit_code == 0, result.output
    assert [style.id for style in Gallery(alone).all()] == ["painting_0_color"]
    given = ("--style-id", "painting_0_color", "--styles-dir", alone, "--out", stylized, "--device", "cpu")
    assert nst("stylize", painting, *given).exit_code == 0


def test_the_loss_network_may_be_a_compressed_vgg(nst: Run, pictures: Path, teacher: Path, tmp_path: Path) -> None:
    more = ("--only", "painting_1", "--steps", 2, "--encoder", teacher, "--pooling", "max")
    result = train_style(nst, pictures, tmp_path / "run", *more)
    assert result.exit_code == 0, result.output
    assert Gallery(tmp_path / "run")["painting_1"].training["encoder"] == "vgg19-16x"
    result = train_style(nst, pictures, tmp_path / "none", "--encoder", tmp_path / "none.safetensors")
    assert (result.exit_code, result.output[:4]) == (1, "nst:")


def test_a_training_that_cannot_start_says_why(nst: Run, pictures: Path, tmp_path: Path) -> None:
    result = train_style(nst, pictures, tmp_path, "--keep-color", "painting_7")
    assert (result.exit_code, result.output) == (1, "nst: --keep-color painting_7: there is no such painting\n")
    for name in ("trunk.png", "A Painting.png", "star.ry.png"):
        (tmp_path / name).write_bytes((pictures / "painting_0.png").read_bytes())
        result = nst("train", "style", tmp_path / name, "--images", pictures, "--run-dir", tmp_path)
        assert result.exit_code == 1
        assert "cannot be the id of a style" in result.output
    twice = (pictures / "painting_0.png", pictures / "painting_0.png")
    result = nst("train", "style", *twice, "--images", pictures, "--run-dir", tmp_path)
    assert "there are two styles painting_0" in result.output
    result = train_style(nst, pictures, tmp_path, "--only", "painting_7")
    assert (result.exit_code, result.output) == (1, "nst: --only painting_7: there is no such style\n")
