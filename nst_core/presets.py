"""Named sets of options of the iterative engine.  Free of torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named set of options.

    Attributes:
        description: what it is for, for people.
        options: by the names of ``GatysOptions``; the others keep their defaults.
    """

    name: str
    description: str
    options: Mapping[str, Any]


#: By name.
PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="quick",
            description="A look at what will come of it, small and in a few seconds.",
            options={"size": 320, "iterations": 60},
        ),
        Preset(name="balanced", description="The defaults.", options={}),
        Preset(
            name="best",
            description="Optimised until little changes any more: more than twice the time of the defaults.",
            options={"iterations": 600},
        ),
        Preset(
            name="poster",
            description="Broad strokes and calm areas in the photograph's colours.",
            options={"style_size": 1024, "tv_weight": 0.5, "color": ["match-mkl"]},
        ),
        Preset(
            name="texture",
            description="The texture of the style alone: needs no content, the first style gives the aspect ratio.",
            options={"content_weight": 0.0, "init": "noise"},
        ),
        Preset(
            name="reconstruct",
            description="What a layer knows of the content: needs no style.",
            options={"style_weight": 0.0, "init": "noise", "content_layers": ["relu3_1"]},
        ),
    )
}
