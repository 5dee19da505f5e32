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
