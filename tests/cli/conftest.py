"""The command line in this process, and pictures to give it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from cli.main import app

Run = Callable[..., Result]


@pytest.fixture
def nst() -> Run:
    """Runs ``nst`` with these arguments."""

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """A picture of 120 x 80 pixels."""
    path = tmp_path / "content.png"
    Image.linear_gradient("L").resize((120, 80)).convert("RGB").save(path)
    return path


@pytest.fixture
def style(tmp_path: Path) -> Path:
    path = tmp_path / "style.png"
    Image.effect_noise((90, 90), 80).convert("RGB").save(path)
    return path


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    """A compressed VGG-19 of random weights."""
    # Imported here: most tests need no PyTorch.
    import torch
    from safetensors.torch import save_file

    from nst_core.encoders import Compact

    path = tmp_path / "teacher.safetensors"
    convolutions = Compact({}, widths=(4, 4, 8, 8, 8)).convolutions
    state = {f"conv{n}.{part}": getattr(c, part) for n, c in convolutions.items() for part in ("weight", "bias")}
    save_file(state | {"preprocess.weight": torch.eye(3).view(3, 3, 1, 1), "preprocess.bias": torch.zeros(3)}, path)
    return path
