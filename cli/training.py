"""``nst train``: the compact encoder and fast styles."""

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
from cli.evaluation import TeacherFile, load_teacher
from nst_core.errors import NSTError
from nst_core.options import StyleTrainingOptions

train = typer.Typer(help="Train networks; resumable.", no_args_is_help=True)


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
        run = Distillation(load_teacher(teacher, wide=True), images, paintings, options, choose_device(device))
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
@with_options_of(StyleTrainingOptions)
def train_style(
    paintings: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="Paintings; the file's name is the style's id.")
    ],
    images: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of photographs: COCO or any.")],
    engine: dict[str, Any],
    run_dir: Annotated[Path, typer.Option(help="Folder of the checkpoint, the previews and the weights.")] = Path(
        "runs/style"
    ),
    keep_color: Annotated[
        list[str] | None,
        typer.Option(help="Also train ID_color, an edition of ID that keeps the photographs' colours."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Train this style of those alone, in a network of its own; may be repeated."),
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Start from this gallery: from its trunk and styles, or from the style that comes closest. "
            "Default with --freeze-trunk: the gallery that comes with the program.",
        ),
    ] = None,
    encoder: Annotated[
        str,
        typer.Option(
            help="The loss network: compact, vgg16, vgg19, or a safetensors file of a compressed VGG-19 with auxiliary "
            "maps."
        ),
    ] = "compact",
    device: Annotated[str, typer.Option(envvar="NST_DEVICE")] = "auto",
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps; previews and weights are written too.")] = 500,
) -> None:
    """Train fast styles; goes on from the checkpoint in the run's folder.

    One style gets a network of its own, which gives the better picture; several share one and are small.
    """
    from nst_core.allocator import keep_freed_memory
    from nst_core.dataset import find_images
    from nst_core.device import choose_device
    from nst_core.gallery import Gallery
    from nst_core.pretrained import load_encoder
    from nst_core.style_training import Painting, StyleTraining

    keep_freed_memory()
    names = _style_ids(paintings, keep_color or [])
    if unknown := set(only or ()) - names.keys():
        raise fail(f"--only {min(unknown)}: there is no such style")
    names = {name: names[name] for name in only or names}
    styles = {name: Painting(picture=read_picture(path), keep_color=keeps) for name, (path, keeps) in names.items()}
    checkpoint = run_dir / "checkpoint.pt"
    samples = [read_picture(path) for path in sorted(SAMPLES.glob("content_*.jpg"))]
    for sample in samples:
        sample.thumbnail((512, 512))
    try:
        options = StyleTrainingOptions.from_mapping(engine)
        network = load_teacher(encoder, wide=True) if encoder.endswith(".safetensors") else load_encoder(encoder)
        run = StyleTraining(network, find_images(images), styles, options, choose_device(device))
        if run.photographs.skipped:
            out.print(f"{run.photographs.skipped} unreadable files skipped")
        if init or options.freeze_trunk:
            run.initialize(Gallery(init))
        if checkpoint.exists():
            run.resume(checkpoint)
            out.print(f"going on from step {run.step}")
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
    from nst_core.contact_sheet import contact_sheet

    rows = [[run.painted(picture, style) for picture in pictures] for style in run.styles]
    return contact_sheet(rows, [[style] * len(pictures) for style in run.styles])
