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
    table = Table(Column("id", no_wrap=True), "title", "artist", "year", Column("colours of", no_wrap=True), "strokes")
    licences: dict[str, list[str]] = {}
    for style in gallery.styles.values():
        colors = "photograph" if style.keeps_color else "painting"
        strokes = ", ".join(map(str, style.style_sizes))
        table.add_row(*map(escape, (style.id, style.title, style.artist, style.year, colors, strokes)))
        licences.setdefault(style.licence or "licence unknown", []).append(style.id)
    out.print(table)
    for licence, ids in licences.items():
        out.print(escape(f"{'all' if len(licences) == 1 else ', '.join(ids)}: {licence}"), soft_wrap=True)


@styles.command("export")
def styles_export(
    style_id: Annotated[str, typer.Argument(help="As `nst styles list` names it.", show_default=False)],
    output: Annotated[Path | None, typer.Option("--out", "-o", help="The file to write. Default: ID.onnx.")] = None,
    style_size: Annotated[
        int | None,
        typer.Option(
            help="Long side in pixels of the painting whose strokes it paints. Default: the smallest learned."
        ),
    ] = None,
    styles_dir: StylesDir = None,
) -> None:
    """Write a style with its network as ONNX, for programs without PyTorch."""
    import torch

    from nst_core.export import export_onnx
    from nst_core.fast_models import FastModels
    from nst_core.gallery import Gallery
    from nst_core.options import FastOptions

    path = output or Path(f"{style_id}.onnx")
    try:
        style = FastModels(Gallery(styles_dir), torch.device("cpu")).get(style_id)
        FastOptions(style_size=style_size).check_strokes(style.sizes)
        with err.status("exporting, about half a minute"):
            export_onnx(style, style_size or style.sizes[0], path)
    except NSTError as error:
        raise fail(error) from None
    except OSError as error:
        raise fail(f"cannot write {path}: {error.strerror}") from None
    out.print(f"{escape(str(path))} ({path.stat().st_size:,} bytes)", soft_wrap=True)
