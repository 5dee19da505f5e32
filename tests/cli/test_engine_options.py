"""The options of the command line are the engines'."""

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli.engine_options import with_options_of
from nst_core.options import FAST_OPTIONS, OPTIONS, FastOptions, GatysOptions

#: One value per option that is allowed and not its default.
VALUES: dict[str, tuple[str, Any]] = {
    "size": ("100", 100),
    "style_size": ("80", 80),
    "iterations": ("7", 7),
    "scales": ("2", 2),
    "encoder": ("vgg16", "vgg16"),
    "content_layers": ("relu3_1,relu4_1", ["relu3_1", "relu4_1"]),
    "style_layers": ("relu1_1", ["relu1_1"]),
    "content_layer_weights": ("1, 2.5", [1.0, 2.5]),
    "style_layer_weights": ("3", [3.0]),
    "content_weight": ("0.5", 0.5),
    "style_weight": ("2", 2.0),
    "tv_weight": ("0", 0.0),
    "pooling": ("max", "max"),
    "init": ("noise", "noise"),
    "optimizer": ("adam", "adam"),
    "learning_rate": ("0.5", 0.5),
    "history": ("3", 3),
    "snapshot_every": ("20", 20),
    "seed": ("4294967295", 2**32 - 1),
    "precision": ("float32", "float32"),
    "color": ("luminance,style", ["luminance", "style"]),
    "style_weights": ("1,2", [1.0, 2.0]),
    "style_loss": ("moments", "moments"),
    "final_content_weight": ("0.1", 0.1),
    "averaging": ("0.9", 0.9),
    "tile": ("256", 256),
    "strength": ("0.25", 0.25),
}

ALL_OPTIONS = OPTIONS | FAST_OPTIONS


def run(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit status and what the command got for these arguments, if it was called."""
    seen: list[dict[str, Any]] = []
    tool = typer.Typer()

    @tool.command()
    @with_options_of(GatysOptions, FastOptions)
    def command(*, engine: dict[str, Any]) -> None:
        seen.append(engine)

    return CliRunner().invoke(tool, list(arguments)).exit_code, seen


def flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


NUMBERS = [name for name, o in ALL_OPTIONS.items() if o.metadata["minimum"] is not None and o.default != ()]


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_have_the_bounds_of_the_engine(name: str) -> None:
    low, high = (ALL_OPTIONS[name].metadata[bound] for bound in ("minimum", "maximum"))
    for value in (low, high):
        assert run(flag(name), str(value)) == (0, [{name: value}])
    for value in (low - 1, high * 2):
        assert run(flag(name), str(value)) == (2, [])


def test_every_option_reaches_the_engine() -> None:
    assert VALUES.keys() | {"normalize_weights"} == ALL_OPTIONS.keys()
    for name, (text, value) in VALUES.items():
        assert run(flag(name), text) == (0, [{name: value}])
    assert run("--normalize-weights") == (0, [{"normalize_weights": True}])
    assert run("--no-normalize-weights") == (0, [{"normalize_weights": False}])
    GatysOptions.from_mapping({name: value for name, (_, value) in VALUES.items() if name in OPTIONS})
    FastOptions.from_mapping({name: value for name, (_, value) in VALUES.items() if name in FAST_OPTIONS})


def test_options_that_are_not_given_are_left_to_whoever_paints() -> None:
    assert run() == (0, [{}])
