"""``nst weights``: where the weights of the VGG encoders come from."""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import ImageFile, fail, out, progress_bar
from nst_core.errors import NSTError

WeightsDir = Annotated[
    Path | None,
    typer.Option(envvar="NST_WEIGHTS_DIR", help="Folder to write to. Default: beside torchvision's own downloads."),
]

weights = typer.Typer(
    help="Weights of the VGG encoders (the compact encoder comes with the program).", no_args_is_help=True
)


@weights.command("fetch")
def weights_fetch(
    name: Annotated[str, typer.Argument(help="vgg19 or vgg16.")] = "vgg19",
    weights_dir: WeightsDir = None,
) -> None:
    """Download torchvision's weights of VGG (550 MB), verify them, keep the convolutions (80 MB)."""
    from nst_core.pretrained import fetch_weights

    if name not in ("vgg16", "vgg19"):
        raise fail(f"{name!r} is not vgg16 or vgg19")
    with progress_bar(f"downloading {name}") as bar:

        def report(done: int, total: int) -> None:
            bar.update(bar.task_ids[0], completed=done / max(total, 1), note=f"{done >> 20} MB")

        try:
            file = fetch_weights(name, weights_dir, report)  # type: ignore[arg-type]
        except NSTError as error:
            raise fail(error) from None
    out.print(str(file))


@weights.command("import")
def weights_import(
    file: ImageFile,
    name: Annotated[str | None, typer.Option(help="vgg16 or vgg19, when the file's name does not tell.")] = None,
    verify: Annotated[bool, typer.Option(help="Compare the SHA-256 with torchvision's.")] = True,
    weights_dir: WeightsDir = None,
) -> None:
    """Take over a file of VGG weights in torchvision's format, for machines without internet."""
    from nst_core.pretrained import import_weights

    if name not in (None, "vgg16", "vgg19"):
        raise fail(f"{name!r} is not vgg16 or vgg19")
    try:
        out.print(str(import_weights(file, weights_dir, name=name, verify=verify)))  # type: ignore[arg-type]
    except NSTError as error:
        raise fail(error) from None
