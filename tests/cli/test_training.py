"""``nst train encoder`` and Ctrl-C, over a training that does nothing."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import Result

import cli.training
from nst_core import distillation
from nst_core.distillation import DistillationStep

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
    monkeypatch.setattr(cli.training, "_teacher", lambda *_, **__: None)
    before = signal.getsignal(signal.SIGINT)
    result = nst(
        "train", "encoder", "--images", tmp_path, "--paintings", tmp_path, "--run-dir", tmp_path, "--device", "cpu"
    )
    assert signal.getsignal(signal.SIGINT) is before
    assert result.exit_code == (0 if presses == 0 else 1), result.output
    assert said in result.output.replace("\n", "")
    assert [step for training in made for step in training.saved] == saved
