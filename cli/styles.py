"""``nst styles``: the gallery of trained styles."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from cli.console import err, fail, out
from nst_core.errors import NSTError

StylesDir = Annotated[
    Path | None,
    typer.Option(envvar="NST_STYLES_DIR", help="Folder of the gallery. Default: the one that comes with the program."),
]

styles = typer.Typer(help="The gallery of trained styles, for --style-id.", no_args_is_help=True)


@styles.command("list")
def styles_list(styles_dir: StylesDir = None) -> None:
    """Show the styles that --style-id takes."""
    from nst_core.gallery import Gallery

    try:
        gallery = Gallery(styles_dir)
    except NSTError as error:
        raise fail(error) from None
    table = Table(Column("id", no_wrap=True), "title", "artist", "year", "colours of", "licence")
    for style in gallery.styles.values():
        colors = "photograph" if style.keeps_color else "painting"
        table.add_row(*map(escape, (style.id, style.title, style.artist, style.year, colors, style.licence)))
    out.print(table)


@styles.command("export")
def styles_export(
    style_id: Annotated[str, typer.Argument(help="As `nst styles list` names it.", show_default=False)],
    output: Annotated[Path | None, typer.Option("--out", "-o", help="The file to write. Default: ID.onnx.")] = None,
    styles_dir: StylesDir = None,
) -> None:
    """Write a style with its network as ONNX, for programs without PyTorch."""
    import torch

    from nst_core.export import export_onnx
    from nst_core.fast_models import FastModels
    from nst_core.gallery import Gallery

    path = output or Path(f"{style_id}.onnx")
    try:
        network, style = FastModels(Gallery(styles_dir), torch.device("cpu")).get(style_id)
        with err.status("exporting, about half a minute"):
            export_onnx(network, style, path)
    except NSTError as error:
        raise fail(error) from None
    except OSError as error:
        raise fail(f"cannot write {path}: {error.strerror}") from None
    out.print(f"{escape(str(path))} ({path.stat().st_size:,} bytes)", soft_wrap=True)
