"""``nst eval``: encoders and fast styles, measured."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from cli.console import fail, out, progress_bar, read_picture
from cli.engine_options import with_options_of
from cli.styles import StylesDir
from nst_core.errors import NSTError
from nst_core.options import ENCODER_BLOCKS, LARGEST_SIDE, SMALLEST_SIDE, FastOptions, GatysOptions

if TYPE_CHECKING:
    from nst_core.evaluation import Judged, Painted
    from nst_core.gallery import Gallery

evaluate = typer.Typer(help="Measure networks.", no_args_is_help=True)

TEACHER_HELP = "vgg19 (needs its weights), or a safetensors file of a compressed VGG-19 with auxiliary maps."
TeacherFile = Annotated[str, typer.Option(help=TEACHER_HELP)]
Contents = Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of photographs.")]

ENCODERS = "a compact safetensors file, `teacher` (its narrow maps), or a name"


def load_teacher(teacher: str, *, wide: bool) -> Any:
    """The network that teaches and judges; see TEACHER_HELP.

    Raises:
        NSTError: it cannot be had.
    """
    from nst_core.encoders import CompressedVGG
    from nst_core.pretrained import load_encoder

    if teacher == "vgg19":
        return load_encoder("vgg19")
    return CompressedVGG.from_file(Path(teacher), wide=wide).eval().requires_grad_(False)


@evaluate.command("encoder")
@with_options_of(GatysOptions)
def eval_encoder(
    contents: Contents,
    styles: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of paintings.")],
    teacher: TeacherFile = "vgg19",
    weights_file: Annotated[str, typer.Option("--weights", help=f"Encoder to measure: {ENCODERS}.")] = "compact",
    against: Annotated[str | None, typer.Option(help=f"Encoder to compare it with: {ENCODERS}.")] = None,
    out_dir: Annotated[
        Path, typer.Option(help="Folder of the pictures and contact sheets; pictures made before are not made again.")
    ] = Path("runs/evaluation"),
    limit: Annotated[int, typer.Option(min=1, help="Use only so many photographs.")] = 100,
    device: Annotated[str, typer.Option(envvar="NST_DEVICE")] = "auto",
    *,
    engine: dict[str, Any],
) -> None:
    """Paint every photograph in every style and let the teacher's wide maps judge; writes contact sheets."""
    from nst_core.allocator import keep_freed_memory
    from nst_core.dataset import find_images
    from nst_core.device import choose_device
    from nst_core.evaluation import Judged, Summary, evaluate

    keep_freed_memory()
    if {"encoder", "init"} & engine.keys():
        raise fail("--weights names the encoder, and every picture starts from its photograph: no --encoder, no --init")
    if weights_file in ENCODER_BLOCKS:
        engine["encoder"] = weights_file
    names = [weights_file, against] if against else [weights_file]
    labels = [_label(name) for name in names]
    if len(set(labels)) < len(labels):
        raise fail(f"both encoders would be called {labels[0]}; rename a file or its folder")
    summaries = []
    try:
        options = GatysOptions.from_mapping(engine)
        place = choose_device(device)
        judge = load_teacher(teacher, wide=True).to(place)
        photographs, paintings = _pictures(find_images(contents)[:limit]), _pictures(find_images(styles))
        for name, label in zip(names, labels, strict=True):
            encoder = _encoder(name, teacher).to(place)
            painted: list[Judged] = []
            with progress_bar(f"painting with {label}") as bar:
                for one in evaluate(encoder, judge, photographs, paintings, options, out_dir / label):
                    painted.append(one)
                    done = len(painted) / (len(photographs) * len(paintings))
                    note = f"{one.style}, {one.content}: style error {one.verdict.style_error:.4f}"
                    bar.update(bar.task_ids[0], completed=done, note=note)
            sheet = out_dir / f"{label}.png"
            _sheet(painted, len(photographs)).save(sheet)
            summaries.append(Summary.of(painted))
            out.print(f"{label}: {summaries[-1]}\n{sheet}", soft_wrap=True)
    except NSTError as error:
        raise fail(error) from None
    except KeyboardInterrupt:
        raise fail("stopped; the same command goes on") from None
    if against:
        made, reference = summaries
        out.print(
            f"{labels[0]} against {labels[1]}: {made.style_error / reference.style_error:.2f} times the style error, "
            f"{made.seconds / reference.seconds:.2f} times the time, "
            f"SSIM to the content {made.similarity - reference.similarity:+.3f}",
            soft_wrap=True,
        )


@evaluate.command("style")
def eval_style(
    contents: Contents,
    styles: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder of the paintings: ID.jpg of the style ID.")
    ] = None,
    teacher: Annotated[str | None, typer.Option(help=f"The judge: {TEACHER_HELP} Without one, sheets only.")] = None,
    against: Annotated[
        str,
        typer.Option(help=f"Encoder with which the iterative engine paints the same pairs, or none: {ENCODERS}."),
    ] = "compact",
    styles_dir: StylesDir = None,
    style_id: Annotated[list[str] | None, typer.Option(help="Only this style; may be repeated.")] = None,
    size: Annotated[
        list[int] | None,
        typer.Option(
            min=SMALLEST_SIDE,
            max=LARGEST_SIDE,
            help="Long side in pixels; may be repeated. [dim]\\[default: 512][/dim]",
        ),
    ] = None,
    out_dir: Annotated[
        Path, typer.Option(help="Folder of pictures, sheets and figures; pictures made before are not made again.")
    ] = Path("runs/styles"),
    device: Annotated[str, typer.Option(envvar="NST_DEVICE")] = "auto",
) -> None:
    """Paint every photograph in every trained style, and let the teacher hold them against the iterative engine's."""
    from nst_core.allocator import keep_freed_memory
    from nst_core.dataset import find_images
    from nst_core.device import choose_device
    from nst_core.evaluation import Judged, Painted, judged, paint_again, paint_styles, style_target
    from nst_core.fast_models import FastModels
    from nst_core.files import replaced
    from nst_core.gallery import Gallery

    if teacher and not styles:
        raise fail("--teacher judges against the paintings: --styles FOLDER")
    keep_freed_memory()
    figures = []
    known = {"encoder": against} if against in ENCODER_BLOCKS else {}
    try:
        place = choose_device(device)
        models = FastModels(Gallery(styles_dir), place)
        style_ids = [models.gallery[name].id for name in dict.fromkeys(style_id or models.gallery.styles)]
        if not style_ids:
            raise fail("the gallery has no styles; another one: --styles-dir FOLDER")
        photographs = _pictures(find_images(contents))
        paintings = _paintings(models.gallery, style_ids, _pictures(find_images(styles))) if styles else {}
        judge = load_teacher(teacher, wide=True).to(place) if teacher else None
        encoder = _encoder(against, teacher).to(place) if teacher and against != "none" else None
        for side in dict.fromkeys(size or [512]):
            painted: list[Painted] = []
            with progress_bar(f"{side} px") as bar:
                for one in paint_styles(
                    models, style_ids, photographs, FastOptions(size=side), out_dir / f"fast-{side}"
                ):
                    photograph = photographs[one.content]
                    if judge is not None:
                        one = judged(one, photograph, style_target(paintings[one.style], photograph), judge)
                    painted.append(one)
                    done = len(painted) / (len(photographs) * len(style_ids))
                    bar.update(bar.task_ids[0], completed=done, note=f"{one.style}, {one.content}")
            sheet = out_dir / f"sheet-{side}.jpg"
            with replaced(sheet) as partial:
                _style_sheet(painted, photographs, paintings).save(partial, "JPEG", quality=90)
            out.print(escape(str(sheet)), soft_wrap=True)
            if judge is None:
                continue
            fast = [one for one in painted if isinstance(one, Judged)]
            references: list[Judged] = []
            if encoder is not None:
                options = GatysOptions.from_mapping({"size": side} | known)
                folder = out_dir / f"{_label(against)}-{side}"
                with progress_bar(f"{side} px, iterative") as bar:
                    for other in paint_again(fast, encoder, judge, photographs, paintings, options, folder):
                        references.append(other)
                        note = f"{other.style}, {other.content}"
                        bar.update(bar.task_ids[0], completed=len(references) / len(fast), note=note)
            out.print(_style_table(fast, references, side))
            figures += _figures(fast, references, side)
        if judge is not None:
            with replaced(out_dir / "figures.json") as partial:
                partial.write_text(json.dumps({"teacher": teacher, "against": against, "pictures": figures}, indent=1))
            out.print(escape(str(out_dir / "figures.json")), soft_wrap=True)
    except NSTError as error:
        raise fail(error) from None
    except KeyboardInterrupt:
        raise fail("stopped; the same command goes on") from None


def _paintings(gallery: "Gallery", style_ids: Sequence[str], pictures: Mapping[str, Any]) -> dict[str, Any]:
    """The painting of each style: an edition that keeps the photographs' colours shares that of its original."""
    from nst_core.style_training import Painting

    paintings = {}
    for style_id in style_ids:
        keeps_color = gallery[style_id].keeps_color
        name = style_id.removesuffix("_color") if keeps_color else style_id
        if name not in pictures:
            raise fail(f"the painting of the style {style_id} is missing: {name}.jpg, or another format")
        paintings[style_id] = Painting(picture=pictures[name], keep_color=keeps_color)
    return paintings


def _style_sheet(painted: "Sequence[Painted]", photographs: Mapping[str, Any], paintings: Mapping[str, Any]) -> Any:
    """The photographs, and below them a row for each style, which begins with its painting where that is known."""
    from PIL import Image

    from nst_core.contact_sheet import contact_sheet
    from nst_core.evaluation import Judged

    corner = [Image.new("RGB", (1, 1), "white")] if paintings else []
    rows, captions = [[*corner, *photographs.values()]], [[""] * len(corner) + list(photographs)]
    for i in range(0, len(painted), len(photographs)):
        row = painted[i : i + len(photographs)]
        style = row[0].style
        first = [paintings[style].picture] if paintings else []
        rows.append([*first, *(p.picture for p in row)])
        captions.append([style] * len(first) + [_caption(p) if isinstance(p, Judged) else p.style for p in row])
    return contact_sheet(rows, captions)


def _style_table(fast: "Sequence[Judged]", references: "Sequence[Judged]", size: int) -> Table:
    """Means over the photographs, a row per style and one for all."""
    from nst_core.evaluation import STYLE_LAYERS, Summary, style_error_ratio

    titles = ["style\nerror", *(k.removeprefix("relu") for k in STYLE_LAYERS), "content\nerror", "SSIM"]
    if references:
        titles.append("ratio")
    columns = [Column(f"{size} px", no_wrap=True), *(Column(title, justify="right") for title in titles)]
    table = Table(*columns, box=None, padding=(0, 0, 0, 1))
    for style in (*dict.fromkeys(p.style for p in fast), None):
        chosen = [k for k, p in enumerate(fast) if style in (p.style, None)]
        mean = Summary.of([fast[k] for k in chosen])
        errors = (mean.style_error, *mean.style_errors.values(), mean.content_error)
        cells = [*(f"{error:.3f}" for error in errors), f"{mean.similarity:.2f}"]
        if references:
            ratio = style_error_ratio([fast[k] for k in chosen], [references[k] for k in chosen])
            cells.append(f"{ratio:.2f}")
        table.add_row(escape(style or "all"), *cells)
    return table


def _figures(fast: "Sequence[Judged]", references: "Sequence[Judged]", size: int) -> list[dict[str, Any]]:
    """What was measured, a picture each, for programs."""

    def measured(one: "Judged") -> dict[str, Any]:
        return {"style_error": one.verdict.style_error, **asdict(one.verdict), "seconds": one.seconds}

    figures: list[dict[str, Any]] = [
        {"size": size, "style": one.style, "content": one.content, **measured(one)} for one in fast
    ]
    for entry, one in zip(figures, references, strict=False):
        entry["iterative"] = measured(one)
        entry["ratio"] = entry["style_error"] / one.verdict.style_error
    return figures


def _label(encoder: str) -> str:
    """What an encoder's pictures are kept under: a file's name alone does not tell editions apart."""
    path = Path(encoder)
    return f"{path.absolute().parent.name}-{path.stem}" if path.suffix else encoder


def _pictures(paths: Sequence[Path]) -> dict[str, Any]:
    """Pictures by name."""
    pictures = {path.stem: read_picture(path) for path in paths}
    if len(pictures) < len(paths):
        raise fail("two pictures have the same name; rename one")
    return pictures


def _sheet(painted: "Sequence[Judged]", width: int) -> Any:
    """All pictures, ``width`` in a row, with their style error and SSIM."""
    from nst_core.contact_sheet import contact_sheet

    rows = [painted[i : i + width] for i in range(0, len(painted), width)]
    return contact_sheet([[p.picture for p in row] for row in rows], [[_caption(p) for p in row] for row in rows])


def _caption(painted: "Judged") -> str:
    return f"{painted.style} {painted.verdict.style_error:.3f} / {painted.verdict.similarity:.2f}"


def _encoder(name: str, teacher: str) -> Any:
    """The network that ENCODERS describes."""
    from nst_core.encoders import Compact
    from nst_core.pretrained import load_encoder

    if name == "teacher":
        return load_teacher(teacher, wide=False)
    if name.endswith(".safetensors"):
        return Compact.from_file(Path(name)).eval().requires_grad_(False)
    return load_encoder(name)
