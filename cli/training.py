"""``nst train`` and ``nst eval``: the compact encoder made and measured."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.console import fail, out, progress_bar
from cli.engine_options import with_engine_options
from nst_core.errors import NSTError

train = typer.Typer(help="Train networks; resumable.", no_args_is_help=True)
evaluate = typer.Typer(help="Measure networks.", no_args_is_help=True)

TeacherFile = Annotated[
    str,
    typer.Option(help="vgg19 (needs its weights), or a safetensors file of a compressed VGG-19 with auxiliary maps."),
]


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
    steps: Annotated[int, typer.Option(min=1, help="Updates in all; the schedule spans them.")] = 20_000,
    batch: Annotated[int, typer.Option(min=1)] = 8,
    crop: Annotated[int, typer.Option(min=64, help="Side of the crops in pixels.")] = 128,
    learning_rate: Annotated[float, typer.Option(min=1e-6, max=1.0)] = 3e-3,
    seed: int = 0,
    device: Annotated[str, typer.Option(envvar="NST_DEVICE")] = "auto",
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps.")] = 500,
) -> None:
    """Train the compact encoder from random weights; goes on from the checkpoint in the run's folder."""
    from nst_core.device import choose_device
    from nst_core.distillation import Distillation, DistillationOptions

    options = DistillationOptions(steps=steps, batch=batch, crop=crop, learning_rate=learning_rate, seed=seed)
    checkpoint, result = run_dir / "checkpoint.pt", run_dir / "compact.safetensors"
    try:
        run = Distillation(_teacher(teacher, wide=True), images, paintings, options, choose_device(device))
        if checkpoint.exists():
            run.resume(checkpoint)
            out.print(f"going on from step {run.step}")
        if run.photographs.skipped or run.paintings.skipped:
            out.print(f"{run.photographs.skipped + run.paintings.skipped} unreadable files skipped")
        with _ctrl_c_between_steps() as asked, progress_bar("training") as bar:
            for step in run.run(validate_every=checkpoint_every):
                note = f"{step.step}/{step.total_steps}, loss {step.loss:.3f}"
                bar.update(bar.task_ids[0], completed=step.step / step.total_steps, note=note)
                if step.validation:
                    run.save_checkpoint(checkpoint)
                    run.save_weights(result)
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


@evaluate.command("encoder")
@with_engine_options
def eval_encoder(
    contents: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of photographs.")],
    styles: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of paintings.")],
    teacher: TeacherFile = "vgg19",
    weights_file: Annotated[
        str, typer.Option("--weights", help="Encoder to measure: a compact safetensors file, `teacher`, or a name.")
    ] = "compact",
    sheet: Annotated[Path, typer.Option(help="Where to write the contact sheet.")] = Path("encoder.png"),
    limit: Annotated[int, typer.Option(min=1, help="Use only so many photographs.")] = 100,
    device: Annotated[str, typer.Option(envvar="NST_DEVICE")] = "auto",
    *,
    engine: dict[str, Any],
) -> None:
    """Paint every photograph in every style and let the teacher's wide maps judge; writes a contact sheet."""
    from nst_core.dataset import find_images
    from nst_core.device import choose_device
    from nst_core.encoders import Compact
    from nst_core.evaluation import contact_sheet, summarize
    from nst_core.evaluation import evaluate as evaluate_pairs
    from nst_core.options import GatysOptions
    from nst_core.picture import decode
    from nst_core.pretrained import load_encoder

    try:
        options = GatysOptions.from_mapping(engine)
        place = choose_device(device)
        judge = _teacher(teacher, wide=True).to(place)
        if weights_file == "teacher":
            encoder = _teacher(teacher, wide=False)
        elif weights_file.endswith(".safetensors"):
            encoder = Compact.from_file(Path(weights_file)).eval().requires_grad_(False)
        else:
            encoder = load_encoder(weights_file)
        photographs, paintings = find_images(contents)[:limit], find_images(styles)
        pictures, painted = ([decode(p.read_bytes()) for p in paths] for paths in (photographs, paintings))
        verdicts = []
        with progress_bar("painting") as bar:
            for verdict in evaluate_pairs(encoder.to(place), judge, pictures, painted, options):
                verdicts.append(verdict)
                share = len(verdicts) / (len(pictures) * len(painted))
                bar.update(bar.task_ids[0], completed=share, note=f"style error {verdict.style_error:.4f}")
    except NSTError as error:
        raise fail(error) from None
    width = len(pictures)
    rows = [verdicts[i : i + width] for i in range(0, len(verdicts), width)]
    captions = [
        [f"{paintings[y].stem} {v.style_error:.3f} / {v.content_error:.2f}" for v in row] for y, row in enumerate(rows)
    ]
    contact_sheet([[v.picture for v in row] for row in rows], captions).save(sheet)
    out.print(f"{summarize(verdicts)}\n{sheet}", soft_wrap=True)
