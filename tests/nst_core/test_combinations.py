"""Options in every combination: each either paints or is refused by name before anything is painted."""

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from nst_core.encoders import Encoder
from nst_core.errors import InvalidOptions
from nst_core.gatys import Subject, paint
from nst_core.options import Color, GatysOptions, StyleLossName, layer_names
from nst_core.pretrained import load_encoder

LAYERS = st.lists(st.sampled_from(layer_names("compact")), min_size=0, max_size=3).map(tuple)
WEIGHTS = st.lists(st.sampled_from([0.0, 0.5, 2.0]), max_size=3).map(tuple)

OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "style_size": st.sampled_from([64, 100]),
        "scales": st.sampled_from([None, 1, 2]),
        "content_layers": LAYERS,
        "style_layers": LAYERS,
        "content_layer_weights": WEIGHTS,
        "style_layer_weights": WEIGHTS,
        "content_weight": st.sampled_from([0.0, 0.1]),
        "final_content_weight": st.sampled_from([None, 0.01, 10.0]),
        "style_weight": st.sampled_from([0.0, 1.0]),
        "style_weights": WEIGHTS,
        "color": st.lists(st.sampled_from(get_args(Color)), min_size=1, max_size=2).map(tuple),
        "style_loss": st.sampled_from(get_args(StyleLossName)),
        "tv_weight": st.sampled_from([0.0, 1.0]),
        "normalize_weights": st.booleans(),
        "history": st.sampled_from([1, 100]),
        "learning_rate": st.sampled_from([None, 0.5]),
        "pooling": st.sampled_from(["average", "max"]),
        "init": st.sampled_from(["content", "noise", "image", "fast"]),
        "optimizer": st.sampled_from(["lbfgs", "adam"]),
        "averaging": st.sampled_from([0.0, 0.9]),
        "tile": st.sampled_from([None, 128]),
        "snapshot_every": st.sampled_from([None, 1]),
    },
)


@pytest.fixture(scope="module")
def compact() -> Encoder:
    return load_encoder("compact")


def picture(width: int, height: int) -> Image.Image:
    return Image.effect_noise((width, height), 70).convert("RGB")


def mask(k: int) -> Image.Image:
    values = np.zeros((20, 30), np.uint8)
    values[:, k * 10 : k * 10 + 12] = 200
    return Image.fromarray(values)


@example(
    values={"style_loss": "gram-shifted", "style_layers": ("relu3_1", "relu1_1")},
    **{"size": 64, "styles": 1, "masks": 0, "has_content": True},
)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=OPTIONS,
    size=st.sampled_from([64, 160]),
    styles=st.integers(0, 2),
    masks=st.integers(0, 2),
    has_content=st.booleans(),
)
def test_options_paint_or_are_refused(
    compact: Encoder, values: dict[str, Any], size: int, styles: int, masks: int, has_content: bool
) -> None:
    try:
        options = GatysOptions(size=size, iterations=2, precision="float32", **values)
        options.check_images(styles=styles, masks=masks, content=has_content)
    except InvalidOptions as error:
        if error.field is None:
            raise
        return
    subject = Subject(
        content=picture(90, 70) if has_content else None,
        styles=[picture(60, 60)] * styles,
        masks=[mask(k) for k in range(masks)],
        initial=picture(40, 40) if options.starts_from_picture else None,
    )
    iterates = list(paint(subject, options, compact))
    assert len(iterates) == 2
    made = iterates[-1].picture()
    assert max(made.size) == size
    again = list(paint(replace(subject), options, compact))[-1].picture()
    assert made.tobytes() == again.tobytes()
