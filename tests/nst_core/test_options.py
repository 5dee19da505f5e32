import math
import subprocess
import sys
from typing import Any

import pytest

from nst_core.errors import InvalidOptions
from nst_core.options import OPTIONS, GatysOptions, StyleTrainingOptions, default_of, layer_names, output_size


def test_defaults_are_valid() -> None:
    assert GatysOptions() == GatysOptions.from_mapping({name: default_of(name) for name in OPTIONS})


def test_every_option_has_a_description() -> None:
    assert all(option.metadata["description"] for option in OPTIONS.values())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", 63),
        ("size", 1.5),
        ("size", True),
        ("size", "512"),
        ("iterations", 0),
        ("iterations", 10_001),
        ("seed", -1),
        ("content_weight", -0.1),
        ("content_weight", math.nan),
        ("style_weight", math.inf),
        ("encoder", "resnet"),
        ("pooling", "min"),
        ("style_layers", ["relu9_9"]),
        ("style_layers", "relu1_1"),
        ("style_layers", ["relu1_1", "relu1_1"]),
        ("style_layer_weights", [1.0]),
        ("style_layer_weights", [0, 0, 0, 0, 0]),
        ("normalize_weights", 1),
        ("learning_rate", 0),
        ("nonsense", 1),
    ],
)
def test_a_bad_value_is_refused_with_its_field(field: str, value: Any) -> None:
    with pytest.raises(InvalidOptions) as caught:
        GatysOptions.from_mapping({field: value})
    assert caught.value.field == field


def test_an_encoder_has_its_own_layers() -> None:
    assert GatysOptions(encoder="vgg19", style_layers=("relu5_4",)).style_layers == ("relu5_4",)
    with pytest.raises(InvalidOptions, match="compact has no layer"):
        GatysOptions(encoder="compact", style_layers=("relu5_4",))
    assert "relu3_4" not in layer_names("vgg16")
    for encoder in ("compact", "vgg16", "vgg19"):
        assert {"conv1_1", "relu1_1", "conv5_1", "relu5_1"} <= set(layer_names(encoder))


def test_something_must_be_optimised() -> None:
    with pytest.raises(InvalidOptions, match="cannot both be 0"):
        GatysOptions(content_weight=0, style_weight=0)


def test_numbers_and_lists_from_json() -> None:
    options = GatysOptions.from_mapping({"content_weight": 2, "style_layers": ["relu1_1"], "style_layer_weights": [3]})
    assert options.content_weight == 2.0
    assert options.style_layers == ("relu1_1",)
    assert options.style_layer_weights == (3.0,)


def test_output_size() -> None:
    assert output_size(400, 200, 512) == (512, 256)
    assert output_size(200, 400, 512) == (256, 512)
    assert output_size(3, 3000, 100) == (1, 100)


def test_options_are_free_of_torch() -> None:
    code = "import sys, nst_core.options, nst_core.picture; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_single_size_of_strokes_need_not_be_a_list() -> None:
    assert StyleTrainingOptions.from_mapping({"style_size": 300}).style_size == (300,)
    assert StyleTrainingOptions.from_mapping({"style_size": [300, 600]}).style_size == (300, 600)
    with pytest.raises(InvalidOptions, match="smallest first"):
        StyleTrainingOptions(style_size=(600, 300))
