"""``nst``: everything that can be done from a terminal.  Heavy imports happen inside the commands."""

import math
import sys
import tempfile
from collections.abc import Callable
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
    read_picture,
    read_with_alpha,
    write,
)
from cli.engine_options import check_style, with_options_of
from cli.evaluation import evaluate
from cli.styles import StylesDir, styles
from cli.training import train, train_style
from cli.weights import weights
from nst_core.errors import NSTError, UnknownStyle
from nst_core.options import DEFAULT_QUALITY, LOSSY_FORMATS, FastOptions, GatysOptions

app = typer.Typer(
    help="Neural style transfer: paint a photograph in the style of a painting.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
styles.command("train")(train_style)  # where one looks for it who has styles in mind
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
StyleFile = Annotated[
    Path | None,
    typer.Argument(exists=True, dir_okay=False, readable=True, show_default=False, help="Without --style-id."),
]
StyleId = Annotated[str | None, typer.Option(help="A style of the gallery instead of STYLE: nst styles list.")]
Quality = Annotated[int, typer.Option(min=1, max=100, help="Of JPEG and WebP.")]
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
                stack.check()
                sleep(0.5)
    except (StackError, RedisServerError) as error:
        raise fail(error) from None
    except KeyboardInterrupt:
        out.print("Stopped. Jobs and results are kept.")


@app.command()
@with_options_of(GatysOptions, FastOptions)
def stylize(
    content: ImageFile,
    style: StyleFile = None,
    style_id: StyleId = None,
    output: OutputFile = Path("stylized.png"),
    quality: Quality = DEFAULT_QUALITY,
    init_image: Initial = None,
    device: Annotated[str, typer.Option(envvar="NST_DEVICE", help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    weights_dir: Annotated[Path | None, typer.Option(envvar="NST_WEIGHTS_DIR", help="Folder of VGG weights.")] = None,
    styles_dir: StylesDir = None,
    *,
    engine: dict[str, Any],
) -> None:
    """Paint CONTENT in the style of STYLE, or in a trained style, on this machine, without the service."""
    check_style(style, style_id, init_image, engine)
    output_format = format_of(output)
    from cli.painting import paint_in_style, paint_like
    from nst_core.allocator import keep_freed_memory
    from nst_core.device import choose_device
    from nst_core.options import default_long_side, default_of
    from nst_core.picture import encode, with_alpha

    keep_freed_memory()
    photograph, alpha = read_with_alpha(content)
    if "size" not in engine:
        engine["size"] = default_long_side(photograph.width, photograph.height, default_of("size"))
    try:
        where = choose_device(device)
        if style_id is not None:
            began = monotonic()
            picture, painter = paint_in_style(photograph, style_id, engine, where, styles_dir)
        else:
            assert style is not None  # there is one of them
            painting, initial = read_picture(style), read_picture(init_image) if init_image else None
            began = monotonic()
            picture, painter = paint_like(photograph, painting, initial, engine, where, weights_dir)
    except UnknownStyle as error:
        raise fail(f"{error}; see: nst styles list") from None
    except NSTError as error:
        raise fail(error) from None
    write(output, encode(with_alpha(picture, alpha), output_format, quality=quality))
    seconds = monotonic() - began
    out.print(
        f"{escape(str(output))} ({picture.width} x {picture.height}, {painter}, {where}, {seconds:.1f} s)",
        soft_wrap=True,
    )


@app.command()
@with_options_of(GatysOptions, FastOptions)
def submit(
    content: ImageFile,
    style: StyleFile = None,
    style_id: StyleId = None,
    output: OutputFile = Path("stylized.png"),
    quality: Quality = DEFAULT_QUALITY,
    init_image: Initial = None,
    url: Annotated[str, typer.Option(envvar="NST_URL", help="Where the service is.")] = "http://127.0.0.1:8000",
    *,
    engine: dict[str, Any],
) -> None:
    """Paint CONTENT in the style of STYLE, or in a trained style, with a running service, and wait.

    Ctrl-C cancels the job.
    """
    from cli.client import Client, JobFailed, RequestRefused

    check_style(style, style_id, init_image, engine)
    output_format = format_of(output)
    fields = {**engine, "output_format": output_format}
    if style_id is not None:
        fields["style_id"] = style_id
    if output_format in LOSSY_FORMATS:
        fields["quality"] = quality
    if init_image:
        fields.setdefault("init", "image")
    try:
        with Client(url) as client:
            _submit_and_wait(client, content, style, output, fields, init_image)
    except (RequestRefused, JobFailed) as error:
        raise fail(error) from None


def _submit_and_wait(
    client: Any,
    content: Path,
    style: Path | None,
    output: Path,
    fields: dict[str, Any],
    initial: Path | None = None,
    *,
    check: Callable[[], None] = lambda: None,
    patience: float = math.inf,
) -> None:
    """Paints with a service and writes the picture.

    Args:
        check: called with each look at the job; what it raises ends the wait.
        patience: seconds for which the job may wait for a worker.
    """
    from cli.client import JobFailed

    job = client.submit(content, style, fields, initial)
    deadline = monotonic() + patience
    try:
        with progress_bar("queued") as bar:
            for seen in client.watch(job["id"]):
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
    from cli.client import Client, JobFailed, RequestRefused
    from cli.redis_server import RedisServerError
    from cli.up import Stack, StackError

    output_format = format_of(output)
    end_as_with_ctrl_c()
    began = monotonic()
    wanted = {"output_format": output_format, "size": size, "iterations": iterations}
    fields = {name: value for name, value in wanted.items() if value is not None}
    with tempfile.TemporaryDirectory(prefix="nst-demo-") as folder:
        try:
            with (
                Stack("127.0.0.1", 0, Path(folder), quiet=True, own_redis=True) as stack,
                Client(stack.url) as client,
            ):
                out.print(f"the service runs at {stack.url}; painting {content.name} in the style of {style.name}")
                _submit_and_wait(client, content, style, output, fields, check=stack.check, patience=DEMO_PATIENCE)
        except (StackError, RedisServerError, RequestRefused, JobFailed) as error:
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
