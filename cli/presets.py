"""``nst presets``: named sets of options."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from cli.console import out
from nst_core.presets import PRESETS


def presets() -> None:
    """Show the sets of options that --preset takes."""
    table = Table(Column("name", no_wrap=True), "what for", "options")
    for preset in PRESETS.values():
        options = (f"{name}={','.join(v) if isinstance(v, list) else v}" for name, v in preset.options.items())
        table.add_row(*map(escape, (preset.name, preset.description, "\n".join(options))))
    out.print(table)


def _known(name: str | None) -> str | None:
    if name is not None and name not in PRESETS:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(PRESETS)}")
    return name


PresetName = Annotated[
    str | None,
    typer.Option(
        callback=_known,
        metavar="|".join(PRESETS),
        help="A named set of options, which single options override: nst presets.",
        rich_help_panel="Engine, with a STYLE image",
    ),
]
