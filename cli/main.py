"""``nst``: everything that can be done from a terminal.  Heavy imports happen inside the commands."""

import json
import math
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated, Any

import platformdirs
import typer
from rich.markup import escape

from cli.console import (
    SAMPLES,
    ImageFile,
    OutputFile,
    end_as_with_ctrl_c,
    err,
    fail,
    format_of,
    out,
    progress_bar,
    read_photograph,
    write,
)
from cli.engine_options import Pictures, check_styles, with_options_of
from cli.evaluation import evaluate
from cli.likeness import Likeness, record_of, write_record
from cli.masks import mask
from cli.presets import PresetName, presets
from cli.result_file import Depth, KeepMetadata, Quality, file_options
from cli.sheet import sheet
from cli.snapshots import SnapshotFolder
from cli.styles import StylesDir, styles
from cli.training import train, train_style
from cli.weights import weights
from nst_core.errors import NSTError, UnknownStyle
from nst_core.options import DEFAULT_QUALITY, AutoMask, FastOptions, GatysOptions
from nst_core.presets import PRESETS
from nst_core.record import KEY

app = typer.Typer(
    help="Neural style transfer: paint a photograph in the style of a painting.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
styles.command("train")(train_style)  # where one looks for it who has styles in mind
app.command("sheet")(sheet)
app.command("presets")(presets)
app.command("mask")(mask)
app.add_typer(styles, name="styles")
app.add_typer(weights, name="weights")
app.add_typer(train, name="train")
app.add_typer(evaluate, name="eval")

DataDir = Annotated[
    Path,
    typer.Option(
        envvar="NST_DATA_DIR",
        help="Folder of jobs, results and logs.",
        file_okay=False,
        show_default="your data folder",
    ),
]
StyleFiles = Annotated[
    list[Path] | None,
    typer.Argument(exists=True, dir_okay=False, readable=True, show_default=False, help="Without --style-id."),
]
StyleIds = Annotated[
    list[str] | None,
    typer.Option(help="A style of the gallery instead of STYLE: nst styles list. May be repeated."),
]
Masks = Annotated[
    list[Path] | None,
    typer.Option(exists=True, dir_okay=False, help="Where the style in its place is painted: white. May be repeated."),
]
AutomaticMask = Annotated[
    AutoMask | None,
    typer.Option(help="Find a mask, of the content's subject or background; nst mask shows it."),
]
Like = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        help="Paint as this picture was painted: a PNG of nst, or the JSON beside another. Single options override it.",
    ),
]
Initial = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Start from this image.")]


#: Seconds for which the demo's job may wait for its worker, which imports torch first.
DEMO_PATIENCE = 300.0


def default_data_dir() -> Path:
    """The user's folder for application data."""
    return platformdirs.user_data_path("nst-server")


@app.command()
def up(
    host: Annotated[str, typer.Option(envvar="NST_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="NST_PORT", min=0, max=65535, help="Port; 0 picks a free one.")] = 8000,
    data_dir: DataDir = default_data_dir(),  # noqa: B008 - shown in the help
) -> None:
    """Run the whole service on this machine: Redis, API and workers. Ctrl-C stops it; jobs and results are kept.

    Redis is the one at NST_REDIS_URL, else a redis-server on PATH, else the embedded one (NST_REDIS_SERVER=embedded
    forces it).
    """
    from cli.redis_server import RedisServerError
    from cli.up import Stack, StackError

    end_as_with_ctrl_c()
    try:
        with Stack(host, port, data_dir) as stack:
            where = escape(str(data_dir))
            out.print(
                f"NST Server is ready at [bold]{stack.url}[/bold] (API: {stack.url}/docs), data in {where}",
                soft_wrap=True,
            )
            while True:
                for told in stack.mend():
                    out.print(told, soft_wrap=True, highlight=False, markup=False)
                sleep(0.5)
    except (StackError, RedisServerError) as error:
        raise fail(error) from None
    except KeyboardInterrupt:
        out.print("Stopped. Jobs and results are kept.")


@app.command("webhook-secret")
def show_webhook_secret(data_dir: DataDir = default_data_dir()) -> None:  # noqa: B008 - shown in the help
    """Show the key with which nst up signs webhooks: NST_WEBHOOK_SECRET, else the one that it keeps in its data."""
    from cli.webhook_secret import webhook_secret

    try:
        out.print(webhook_secret(data_dir), soft_wrap=True, highlight=False, markup=False)
    except OSError as error:
        raise fail(f"cannot read the key in {data_dir}: {error.strerror}") from None


@app.command()
@with_options_of(GatysOptions, FastOptions)
def stylize(
    content: ImageFile,
    style: StyleFiles = None,
    style_id: StyleIds = None,
    output: OutputFile = Path("stylized.png"),
    quality: Quality = None,
    bit_depth: Depth = None,
    keep_metadata: KeepMetadata = None,
    mask: Masks = None,
    auto_mask: AutomaticMask = None,
    init_image: Initial = None,
    preset: PresetName = None,
    like: Like = None,
    device: Annotated[str, typer.Option(envvar="NST_DEVICE", help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    weights_dir: Annotated[Path | None, typer.Option(envvar="NST_WEIGHTS_DIR", help="Folder of VGG weights.")] = None,
    styles_dir: StylesDir = None,
    *,
    engine: dict[str, Any],
) -> None:
    """Paint CONTENT in the style of STYLE, or in a trained style, on this machine, without the service.

    Several styles blend; with as many masks, each is painted where its mask is white.  With --preset texture one
    picture is enough, and is the style; with --preset reconstruct it is the content.
    """
    likeness = Likeness(like) if like else None
    recorded = likeness.record.params if likeness else {}
    defaults = (likeness.options if likeness else {}) | _defaults(preset, init_image)
    pictures = _pictures(content, style, style_id, mask, auto_mask, init_image)
    if likeness:
        pictures = likeness.completed(pictures, {**defaults, **engine})
    pictures = check_styles(pictures, engine, defaults=defaults, preset=preset)
    if likeness:
        likeness.check(pictures)
    engine = {**defaults, **engine}
    file = file_options(output, quality=quality, bit_depth=bit_depth, keep_metadata=keep_metadata, recorded=recorded)
    from cli.painting import paint_in_styles, paint_like
    from nst_core.allocator import keep_freed_memory
    from nst_core.device import choose_device
    from nst_core.image import to_deep_picture, to_picture
    from nst_core.options import default_long_side, default_of
    from nst_core.picture import encode, with_alpha

    keep_freed_memory()
    read = read_photograph(pictures.content or pictures.styles[0])
    frame = read.picture
    if "size" not in engine:
        engine["size"] = default_long_side(frame.width, frame.height, default_of("size"))
    photograph = frame if pictures.content else None
    try:
        where = choose_device(device)
        began = monotonic()
        if pictures.method == "fast":
            painted = paint_in_styles(photograph, pictures, engine, where, styles_dir)
        else:
            painted = paint_like(photograph, pictures, engine, where, weights_dir, styles_dir, SnapshotFolder(output))
    except UnknownStyle as error:
        raise fail(f"{error}; see: nst styles list") from None
    except NSTError as error:
        raise fail(error) from None
    picture = to_deep_picture(painted.image) if file.bit_depth == 16 else to_picture(painted.image)
    preset = preset or recorded.get("preset")
    record = record_of(painted, pictures, where, preset=preset, **asdict(file)).to_json()
    data = encode(
        with_alpha(picture, read.alpha if photograph else None),
        file.output_format,
        quality=file.quality or DEFAULT_QUALITY,
        text={KEY: record},
        exif=read.exif if photograph and file.keep_metadata else None,
    )
    write(output, data)
    if file.output_format != "png":
        write_record(output, record)
    if likeness:
        likeness.check_weights(painted.weights_sha256)
    seconds = monotonic() - began
    out.print(
        f"{escape(str(output))} ({picture.width} x {picture.height}, {painted.by}, {where}, {seconds:.1f} s)",
        soft_wrap=True,
    )


@app.command()
@with_options_of(GatysOptions, FastOptions)
def submit(
    content: ImageFile,
    style: StyleFiles = None,
    style_id: StyleIds = None,
    output: OutputFile = Path("stylized.png"),
    quality: Quality = None,
    bit_depth: Depth = None,
    keep_metadata: KeepMetadata = None,
    mask: Masks = None,
    auto_mask: AutomaticMask = None,
    init_image: Initial = None,
    preset: PresetName = None,
    url: Annotated[str, typer.Option(envvar="NST_URL", help="Where the service is.")] = "http://127.0.0.1:8000",
    api_key: Annotated[
        str | None, typer.Option(envvar="NST_API_KEY", help="Your key, where the service asks for one.")
    ] = None,
    *,
    engine: dict[str, Any],
) -> None:
    """Paint CONTENT in the style of STYLE, or in a trained style, with a running service, and wait.

    Several styles blend; with as many masks, each is painted where its mask is white.  Ctrl-C cancels the job.
    """
    from client import NSTClient, ServiceError

    pictures = _pictures(content, style, style_id, mask, auto_mask, init_image)
    pictures = check_styles(pictures, engine, defaults=_defaults(preset, init_image), preset=preset)
    file = file_options(output, quality=quality, bit_depth=bit_depth, keep_metadata=keep_metadata)
    fields = {**engine, "output_format": file.output_format}
    if preset:
        fields["preset"] = preset
    if pictures.style_ids:
        fields["style_id"] = pictures.style_ids
    if pictures.auto_mask:
        fields["auto_mask"] = pictures.auto_mask
    # What is not given is left to the service.
    if quality and file.quality:
        fields["quality"] = file.quality
    if bit_depth:
        fields["bit_depth"] = bit_depth
    if keep_metadata:
        fields["keep_metadata"] = True
    if init_image:
        fields.setdefault("init", "image")
    try:
        with NSTClient(url, api_key) as client:
            _submit_and_wait(client, pictures, output, fields)
    except ServiceError as error:
        raise fail(error) from None


def _defaults(preset: str | None, initial: Path | None) -> dict[str, Any]:
    """The options in force where none is given."""
    options = dict(PRESETS[preset].options) if preset else {}
    return options | {"init": "image"} if initial else options


def _pictures(
    content: Path,
    styles: list[Path] | None,
    style_ids: list[str] | None,
    masks: list[Path] | None,
    auto_mask: AutoMask | None,
    initial: Path | None,
) -> Pictures:
    return Pictures(
        content=content,
        styles=styles or [],
        style_ids=style_ids or [],
        masks=masks or [],
        auto_mask=auto_mask,
        initial=initial,
    )


def _submit_and_wait(
    client: Any,
    pictures: Pictures,
    output: Path,
    fields: dict[str, Any],
    *,
    check: Callable[[], None] = lambda: None,
    patience: float = math.inf,
) -> None:
    """Paints with a service and writes the picture.

    Args:
        check: called with each look at the job; what it raises ends the wait.
        patience: seconds for which the job may wait for a worker.
    """
    from client import JobFailed

    files = [("content", pictures.content)] if pictures.content else []
    files += [("style", path) for path in pictures.styles]
    files += [("mask", path) for path in pictures.masks]
    if pictures.initial:
        files.append(("init_image", pictures.initial))
    job = client.submit_files(files, fields)
    deadline = monotonic() + patience
    try:
        with progress_bar("queued") as bar:
            for seen in client.poll(job["id"]):
                check()
                job = seen
                if job["status"] == "queued" and monotonic() > deadline:
                    raise JobFailed(f"no worker has taken the job within {patience:g} s")
                step = job["progress"]
                note = step["message"] if job["status"] == "processing" else ""
                bar.update(bar.task_ids[0], description=job["status"], completed=step["fraction"], note=note)
    except KeyboardInterrupt:
        client.cancel(job["id"])
        raise fail(f"canceled job {job['id']}") from None
    if job["status"] != "succeeded":
        error = job["error"] or {"code": "canceled", "message": "the job was canceled"}
        raise JobFailed(f"the job ended as {job['status']}: {error['message']} ({error['code']})")
    write(output, client.result(job["id"]))
    if job["output"]["media_type"] != "image/png":
        write_record(output, json.dumps(job))
    if "snapshot_every" in fields:
        SnapshotFolder(output).fetch(client, job["id"])
    made, metrics = job["output"], job["metrics"]
    painter = metrics["encoder"] or job["input"]["params"]["style_id"]
    out.print(
        f"{escape(str(output))} ({made['width']} x {made['height']}, {painter}, {metrics['device']}, "
        f"{metrics['run_seconds']:.1f} s of painting, {metrics['queue_seconds']:.1f} s in the queue)",
        soft_wrap=True,
    )


@app.command()
def demo(
    output: OutputFile = Path("demo.png"),
    content: Annotated[Path, typer.Option(exists=True, dir_okay=False)] = SAMPLES / "content_harbour.jpg",
    style: Annotated[Path, typer.Option(exists=True, dir_okay=False)] = SAMPLES / "style_flow.jpg",
    size: Annotated[int | None, typer.Option(min=64, help="Long side in pixels; default: the server's.")] = None,
    iterations: Annotated[int | None, typer.Option(min=1, help="Default: the engine's.")] = None,
) -> None:
    """Start the whole service on free ports, paint the sample pair through HTTP, stop it again."""
    from cli.redis_server import RedisServerError
    from cli.up import Stack, StackError
    from client import NSTClient, ServiceError

    output_format = format_of(output)
    end_as_with_ctrl_c()
    began = monotonic()
    wanted = {"output_format": output_format, "size": size, "iterations": iterations}
    fields = {name: value for name, value in wanted.items() if value is not None}
    with tempfile.TemporaryDirectory(prefix="nst-demo-") as folder:
        try:
            with (
                Stack("127.0.0.1", 0, Path(folder), quiet=True, own_redis=True) as stack,
                NSTClient(stack.url) as client,
            ):
                out.print(f"the service runs at {stack.url}; painting {content.name} in the style of {style.name}")
                pictures = _pictures(content, [style], None, None, None, None)
                _submit_and_wait(client, pictures, output, fields, check=stack.check, patience=DEMO_PATIENCE)
        except (StackError, RedisServerError, ServiceError) as error:
            for log in sorted(Path(folder).glob("logs/*.log")):
                err.print(f"--- {log.name}", log.read_text(errors="replace")[-3000:], sep="\n", markup=False)
            raise fail(error) from None
    out.print(f"done in {monotonic() - began:.0f} s: open {output.absolute()}", soft_wrap=True)


def main() -> None:
    """The entry point."""
    try:
        app()
    except BrokenPipeError:
        sys.exit(1)
