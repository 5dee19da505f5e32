"""``nst sheet``: one pair of pictures over two options, as a labelled grid."""

from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from rich.markup import escape

from cli.console import ImageFile, fail, format_of, out, progress_bar, read_picture, write
from cli.engine_options import with_options_of
from nst_core.errors import NSTError
from nst_core.options import GatysOptions

AXIS_HELP = "NAME=VALUE,VALUE,...: an option of the engine; in one value, the items of a list are joined by +."


@dataclass(frozen=True)
class Axis:
    """An option and the values that it takes along one side of the sheet; (None,) without an option."""

    name: str | None
    values: tuple[Any, ...]

    def label(self, value: Any) -> str:
        """How a value is written beside its pictures."""
        return "" if self.name is None else f"{self.name} {_text(value)}"

    def chosen(self, value: Any) -> dict[str, Any]:
        """The option with this value."""
        return {} if self.name is None else {self.name: value}


def _text(value: Any) -> str:
    return "+".join(map(_text, value)) if isinstance(value, list) else str(value)


def read_axis(text: str | None, flag: str) -> Axis:
    """The axis that a text as in AXIS_HELP describes.

    Raises:
        BadParameter: there is no such option, or a value is not of its type.
    """
    if text is None:
        return Axis(None, (None,))
    name, equals, values = text.partition("=")
    name = name.strip().replace("-", "_")
    hints = get_type_hints(GatysOptions)
    if name not in hints or not equals:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE,... of an option of the engine", param_hint=flag)
    try:
        return Axis(name, tuple(_value(hints[name], value.strip()) for value in values.split(",")))
    except ValueError:
        raise typer.BadParameter(f"{values!r} are not values of {name}", param_hint=flag) from None


def _value(hint: Any, text: str) -> Any:
    if get_origin(hint) is UnionType:
        return None if text == "none" else _value(get_args(hint)[0], text)
    if get_origin(hint) is tuple:
        return [_value(get_args(hint)[0], item) for item in text.split("+") if item]
    if hint is bool:
        if text not in ("true", "false"):
            raise ValueError(text)
        return text == "true"
    return hint(text) if hint in (int, float) else text


@with_options_of(GatysOptions)
def sheet(
    content: ImageFile,
    style: ImageFile,
    rows: Annotated[str, typer.Option(help=f"From top to bottom, {AXIS_HELP}")],
    columns: Annotated[str | None, typer.Option(help="From left to right, as --rows.")] = None,
    output: Annotated[Path, typer.Option("--out", "-o", help="Where to write the sheet.")] = Path("sheet.jpg"),
    cell: Annotated[int, typer.Option(min=64, max=2048, help="Side of a picture on the sheet in pixels.")] = 320,
    device: Annotated[str, typer.Option(envvar="NST_DEVICE", help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    weights_dir: Annotated[Path | None, typer.Option(envvar="NST_WEIGHTS_DIR", help="Folder of VGG weights.")] = None,
    *,
    engine: dict[str, Any],
) -> None:
    """Paint CONTENT in the style of STYLE with every pair of values of two options, on one labelled sheet.

    Below each picture: its content and style loss, and the seconds that it took.
    """
    down, across = read_axis(rows, "--rows"), read_axis(columns, "--columns")
    if down.name == across.name:
        raise typer.BadParameter(f"{down.name} is that of the rows", param_hint="--columns")
    if "snapshot_every" in (engine.keys() | {down.name, across.name}):
        raise typer.BadParameter("goes with a single picture: nst stylize", param_hint="--snapshot-every")
    starts = [engine.get("init"), *(value for axis in (down, across) if axis.name == "init" for value in axis.values)]
    if "fast" in starts:
        raise typer.BadParameter("fast goes with a single picture: nst stylize", param_hint="--init")
    output_format = format_of(output)
    from nst_core.allocator import keep_freed_memory
    from nst_core.contact_sheet import contact_sheet
    from nst_core.device import choose_device
    from nst_core.gatys import Subject, paint
    from nst_core.picture import encode
    from nst_core.pretrained import EncoderCache

    keep_freed_memory()
    subject = Subject(content=read_picture(content), styles=[read_picture(style)])
    pictures: list[list[Any]] = []
    captions: list[list[str]] = []
    try:
        # All of them before the first is painted: a value that cannot be is told at once.
        chosen = [
            [GatysOptions.from_mapping(engine | down.chosen(row) | across.chosen(column)) for column in across.values]
            for row in down.values
        ]
        encoders = EncoderCache(choose_device(device), weights_dir)
        done, count = 0, len(down.values) * len(across.values)
        with progress_bar("painting") as bar:
            for row, line in zip(down.values, chosen, strict=True):
                pictures.append([])
                captions.append([])
                for column, options in zip(across.values, line, strict=True):
                    label = ", ".join(filter(None, (down.label(row), across.label(column))))
                    encoder = encoders.get(options.encoder, normalized=options.normalize_weights)
                    began = monotonic()
                    for last in paint(subject, options, encoder):
                        note = f"{done + 1}/{count}: {label}"
                        bar.update(bar.task_ids[0], completed=(done + last.fraction) / count, note=note)
                    done += 1
                    pictures[-1].append(last.picture())
                    captions[-1].append(f"{label}\n{_figures(last.losses)}, {monotonic() - began:.0f} s")
    except NSTError as error:
        raise fail(error) from None
    made = contact_sheet(pictures, captions, cell=cell)
    write(output, encode(made, output_format))
    out.print(f"{escape(str(output))} ({made.width} x {made.height})", soft_wrap=True)


def _figures(losses: dict[str, float]) -> str:
    return f"content {losses['content']:.3f}, style {losses['style']:.4f}"
