"""``nst train`` and ``nst eval``: the compact encoder made and measured."""

import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.console import SAMPLES, fail, out, progress_bar, read_picture
from cli.engine_options import with_options_of
from nst_core.errors import NSTError
from nst_core.options import ENCODER_BLOCKS, GatysOptions

train = typer.Typer(help="Train networks; resumable.", no_args_is_help=True)
evaluate = typer.Typer(help="Measure networks.", no_args_is_help=True)

TeacherFile = Annotated[
    str,
    typer.Option(help="vgg19 (needs its weights), or a safetensors file of a compressed VGG-19 with auxiliary maps."),
]

ENCODERS = "a compact safetensors file, `teacher` (its narrow maps), or a name"


def _teacher(teacher: str, *, wide: bool) -> Any:
    from nst_core.encoders import CompressedVGG
    from nst_core.pretrained import load_encoder

    if teacher == "vgg19":
        return load_encoder("vgg19")
    return CompressedVGG.from_file(Path(teacher), wide=wide).eval().requires_grad_(False)


@contextmanager
def _ctrl_c_between_steps() -> Iterator[threading.Event]:
    """Ctrl-C sets the event instead of cutting a step, whose half would spoil a checkpoint; a second one cuts."""
    asked = threading.Event()

    def ask(*_: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


@train.command("encoder")
def train_encoder(
    images: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of photographs.")],
    paintings: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of paintings.")],
    teacher: TeacherFile = "vgg19",
    run_dir: Annotated[Path, typer.Option(help="Folder of the checkpoint and the weights.")] = Path("runs/encoder"),
    init: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Start from these weights, not from random ones.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Updates in all; the schedule spans them.")] = 20_000,
    batch: Annotated[int, typer.Option(min=1, help="Crops of photographs and paintings per step.")] = 8,
    iterates: Annotated[int, typer.Option(min=0, max=24, help="Iterates of style transfer that join each batch.")] = 2,
    crop: Annotated[int, typer.Option(min=64, help="Side of the crops in pixels.")] = 128,
    learning_rate: Annotated[float, typer.Option(min=1e-6, max=1.0)] = 3e-3,
    seed: int = 0,
    device: Annotated[str, typer.Option(envvar="NST_DEVICE")] = "auto",
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps.")] = 500,
) -> None:
    """Train the compact encoder; goes on from the checkpoint in the run's folder, if there is one."""
    from nst_core.allocator import keep_freed_memory
    from nst_core.device import choose_device
    from nst_core.distillation import Distillation, DistillationOptions

    keep_freed_memory()
    options = DistillationOptions(
        steps=steps, batch=batch, iterates=iterates, crop=crop, learning_rate=learning_rate, seed=seed
    )
    checkpoint, result = run_dir / "checkpoint.pt", run_dir / "compact.safetensors"
    try:
        run = Distillation(_teacher(teacher, wide=True), images, paintings, options, choose_device(device))
        if checkpoint.exists():
            run.resume(checkpoint)
            out.print(f"going on from step {run.step}")
        elif init:
            run.initialize(init)
        if run.photographs.skipped or run.paintings.skipped:
            out.print(f"{run.photographs.skipped + run.paintings.skipped} unreadable files skipped")
        with _ctrl_c_between_steps() as asked, progress_bar("training") as bar:
            for step in run.run(validate_every=checkpoint_every):
                note = f"{step.step}/{step.total_steps}, loss {step.loss:.3f}"
                bar.update(bar.task_ids[0], completed=step.step / step.total_steps, note=note)
                if step.validation:
                    run.save_weights(result)
                    run.save_checkpoint(checkpoint)
                    bar.console.print(
                        f"step {step.step}: " + ", ".join(f"{k} {v:.3f}" for k, v in step.validation.items())
                    )
                if asked.is_set() and step.step < step.total_steps:
                    run.save_checkpoint(checkpoint)
                    raise fail(f"stopped at step {step.step}; the same command goes on")
    except NSTError as error:
        raise fail(error) from None
    except KeyboardInterrupt:
        raise fail("stopped; the same command goes on from the last checkpoint, if there is one") from None
    out.print(str(result))


@train.command("style")
def train_style(
    paintings: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="Paintings; the file's name is the style's id.")
    ],
    images: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of photographs: COCO or any.")],
    run_dir: Annotated[Path, typer.Option(help="Folder of the checkpoint, the previews and the weights.")] = Path(
        "runs/style"
    ),
    keep_color: Annotated[
        list[str] | None,
        typer.Option(help="Also train ID_color, an edition of ID that keeps the photographs' colours."),
    ] = None,
    init: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Start from the trunk and styles of this folder.")
    ] = None,
    freeze_trunk: Annotated[
        bool, typer.Option(help="Train the style vectors alone: quick, for new styles of a trained trunk.")
    ] = False,
    encoder: Annotated[str, typer.Option(help="The loss network: compact, vgg16 or vgg19.")] = "compact",
    steps: Annotated[int, typer.Option(min=1, help="Updates in all; the schedule spans them.")] = 20_000,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="End after this time, if that is sooner.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Photographs per step.")] = 1,
    crop: Annotated[int, typer.Option(min=64, help="Side of the photographs' crops in pixels.")] = 256,
    style_size: Annotated[
        int, typer.Option(min=64, help="Long side of the paintings in pixels: larger means larger strokes.")
    ] = 512,
    content_weight: Annotated[float, typer.Option(min=0)] = 0.15,
    style_weight: Annotated[float, typer.Option(min=0)] = 1.0,
    tv_weight: Annotated[float, typer.Option(min=0)] = 0.05,
    learning_rate: Annotated[float, typer.Option(min=1e-6, max=1.0)] = 1e-3,
    seed: int = 0,
    device: Annotated[str, typer.Option(envvar="NST_DEVICE")] = "auto",
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps; previews and weights are written too.")] = 500,
) -> None:
    """Train fast styles, one or many at once; goes on from the checkpoint in the run's folder."""
    from nst_core.allocator import keep_freed_memory
    from nst_core.device import choose_device
    from nst_core.pretrained import load_encoder
    from nst_core.style_training import Painting, StyleTraining, StyleTrainingOptions

    keep_freed_memory()
    options = StyleTrainingOptions(
        steps=steps,
        minutes=minutes,
        batch=batch,
        crop=crop,
        style_size=style_size,
        content_weight=content_weight,
        style_weight=style_weight,
        tv_weight=tv_weight,
        learning_rate=learning_rate,
        trunk=not freeze_trunk,
        seed=seed,
    )
    names = _style_ids(paintings, keep_color or [])
    if freeze_trunk and not init:
        raise fail("--freeze-trunk needs a trained trunk: --init FOLDER")
    styles = {name: Painting(picture=read_picture(path), keep_color=keeps) for name, (path, keeps) in names.items()}
    checkpoint = run_dir / "checkpoint.pt"
    samples = [read_picture(path) for path in sorted(SAMPLES.glob("content_*.jpg"))]
    for sample in samples:
        sample.thumbnail((512, 512))
    try:
        run = StyleTraining(load_encoder(encoder), images, styles, options, choose_device(device))
        if run.photographs.skipped:
            out.print(f"{run.photographs.skipped} unreadable files skipped")
        if checkpoint.exists():
            run.resume(checkpoint)
            out.print(f"going on from step {run.step}")
        elif init:
            run.initialize(init)
        with _ctrl_c_between_steps() as asked, progress_bar("training") as bar:
            losses: dict[str, deque[float]] = {}
            for step in run.run():
                for name, value in step.losses.items():
                    losses.setdefault(name, deque(maxlen=checkpoint_every)).append(value)
                means = ", ".join(f"{name} {sum(values) / len(values):.3f}" for name, values in losses.items())
                bar.update(bar.task_ids[0], completed=step.fraction, note=f"step {step.step}, {means}")
                ends = step.fraction == 1 or asked.is_set()
                if ends or step.step % checkpoint_every == 0:
                    run.save_gallery(run_dir, samples[0])
                    run.save_checkpoint(checkpoint)
                    _preview(run, samples).save(run_dir / f"preview-{step.step:06}.jpg", quality=90)
                    bar.console.print(f"step {step.step}: {means}")
                if asked.is_set() and step.fraction < 1:
                    raise fail(f"stopped at step {step.step}; the same command goes on")
    except NSTError as error:
        raise fail(error) from None
    except KeyboardInterrupt:
        raise fail("stopped; the same command goes on from the last checkpoint, if there is one") from None
    out.print(f"{run_dir}: for --style-id, give this folder as --styles-dir or NST_STYLES_DIR", soft_wrap=True)


def _style_ids(paintings: Sequence[Path], keep_color: Sequence[str]) -> dict[str, tuple[Path, bool]]:
    """The painting of each style to train, and whether it keeps the photographs' colours."""
    from nst_core.gallery import STYLE_ID, TRUNK

    given = [(path.stem, path, False) for path in paintings]
    for name in keep_color:
        if name not in (known := {path.stem: path for path in paintings}):
            raise fail(f"--keep-color {name}: there is no such painting")
        given.append((f"{name}_color", known[name], True))
    styles: dict[str, tuple[Path, bool]] = {}
    for name, path, keeps in given:
        if not STYLE_ID.fullmatch(name) or name == Path(TRUNK).stem:
            raise fail(f"{path.name}: {name!r} cannot be the id of a style; use lower-case letters, digits, _ and -")
        if name in styles:
            raise fail(f"there are two styles {name}; rename {path.name}")
        styles[name] = path, keeps
    return styles


def _preview(run: Any, pictures: Sequence[Any]) -> Any:
    """Every picture in every style, with the networks as they are now."""
    from nst_core.evaluation import contact_sheet
    from nst_core.image import to_picture

    rows = [[to_picture(run.preview(picture, style)) for picture in pictures] for style in run.styles]
    return contact_sheet(rows, [[style] * len(pictures) for style in run.styles])


@evaluate.command("encoder")
@with_options_of(GatysOptions)
def eval_encoder(
    contents: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of photographs.")],
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
    from nst_core.evaluation import Painted, Summary, evaluate

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
        judge = _teacher(teacher, wide=True).to(place)
        photographs, paintings = _pictures(find_images(contents)[:limit]), _pictures(find_images(styles))
        for name, label in zip(names, labels, strict=True):
            encoder = _encoder(name, teacher).to(place)
            painted: list[Painted] = []
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


def _sheet(painted: Sequence[Any], width: int) -> Any:
    """All pictures, ``width`` in a row, with their style error and SSIM."""
    from nst_core.evaluation import contact_sheet

    rows = [painted[i : i + width] for i in range(0, len(painted), width)]
    captions = [[f"{p.style} {p.verdict.style_error:.3f} / {p.verdict.similarity:.2f}" for p in row] for row in rows]
    return contact_sheet([[p.picture for p in row] for row in rows], captions)


def _encoder(name: str, teacher: str) -> Any:
    from nst_core.encoders import Compact
    from nst_core.pretrained import load_encoder

    if name == "teacher":
        return _teacher(teacher, wide=False)
    if name.endswith(".safetensors"):
        return Compact.from_file(Path(name)).eval().requires_grad_(False)
    return load_encoder(name)
