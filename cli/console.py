"""What the commands share: the terminal, errors, progress, image files."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from nst_core.errors import NSTError
from nst_core.options import MEDIA_TYPES

#: Pictures drawn by our own script, for the demo and the documentation.
SAMPLES = Path(__file__).parent / "samples"

out = Console()
err = Console(stderr=True)

ImageFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, show_default=False)]
OutputFile = Annotated[
    Path,
    typer.Option(
        "--out", "-o", help=f"Where to write the picture; the suffix gives the format ({', '.join(MEDIA_TYPES)})."
    ),
]


def fail(message: object) -> typer.Exit:
    """Prints an error; to be raised."""
    err.print(f"nst: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(1)


def warn(message: object) -> None:
    """Prints what may be wrong, and goes on."""
    err.print(f"nst: {message}", style="yellow", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_bar(description: str) -> Iterator[Progress]:
    """A progress bar on standard error with the time that remains."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=False) as progress:
        progress.add_task(description, total=1.0, note="")
        yield progress


def end_as_with_ctrl_c() -> None:
    """Takes the same orderly way out when a supervisor (SIGTERM) or a closed terminal (SIGHUP) ends this process."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, signal.default_int_handler)


def read_picture(path: Path) -> Any:
    """A picture of 8 bits as the engine takes it; an unreadable one is named."""
    from nst_core.deep import eight_bits

    return eight_bits(read_photograph(path).picture)


def read_photograph(path: Path) -> Any:
    """A picture and what else its file tells, as ``nst_core.picture`` has them; an unreadable one is named."""
    from nst_core.picture import decode_photograph

    return _read(path, decode_photograph)


def read_mask(path: Path) -> Any:
    """A mask as the engines take it; an unreadable one is named."""
    from nst_core.picture import decode_mask

    return _read(path, decode_mask)


def _read(path: Path, decode: Callable[[bytes], Any]) -> Any:
    try:
        return decode(path.read_bytes())
    except NSTError as error:
        raise fail(f"{path.name}: {error}") from None


def write(path: Path, data: bytes) -> None:
    """Writes a file, or says why not."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise fail(f"cannot write {path}: {error.strerror}") from None


def format_of(path: Path) -> Any:
    """The output format that a path's suffix stands for; its folder must exist."""
    name = {"jpg": "jpeg", "tif": "tiff"}.get(path.suffix[1:].lower(), path.suffix[1:].lower())
    if name not in MEDIA_TYPES:
        raise fail(f"{path.name}: the name must end in one of {', '.join('.' + name for name in MEDIA_TYPES)}")
    if not path.absolute().parent.is_dir():
        raise fail(f"there is no folder {path.parent}")
    return name
