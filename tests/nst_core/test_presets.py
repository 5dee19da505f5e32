import json
from pathlib import Path

import pytest

from nst_core.options import GatysOptions
from nst_core.presets import PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_each_makes_options_of_the_engine(name: str) -> None:
    preset = PRESETS[name]
    assert preset.name == name
    assert preset.description
    options = GatysOptions.from_mapping(preset.options)
    assert (options == GatysOptions()) == (name == "balanced")
    # Plain values, which a user may copy as they are listed.
    assert json.loads(json.dumps(dict(preset.options))) == preset.options


def test_what_they_need() -> None:
    options = {name: GatysOptions.from_mapping(preset.options) for name, preset in PRESETS.items()}
    assert {name for name, o in options.items() if not o.needs_content(masks=0)} == {"texture"}
    assert {name for name, o in options.items() if not o.uses_style} == {"reconstruct"}


def test_the_documentation_lists_them_with_their_options() -> None:
    text = (Path(__file__).parents[2] / "docs" / "style-transfer.md").read_text()
    for preset in PRESETS.values():
        values = {k: ",".join(v) if isinstance(v, list) else v for k, v in preset.options.items()}
        options = ", ".join(f"`{name}={value}`" for name, value in values.items())
        assert f"| `{preset.name}` | {options} | {preset.description} |".replace("|  |", "| |") in text
