"""``nst mask``: what the automatic masks find."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cli.console import ImageFile, fail, format_of, out, read_picture, write
from nst_core.errors import NoSubject
from nst_core.options import MEDIA_TYPES, AutoMask

_HELP = f"Where to write the mask; the suffix gives the format ({', '.join(MEDIA_TYPES)})."


def mask(
    photograph: ImageFile,
    output: Annotated[Path, typer.Argument(help=_HELP)] = Path("mask.png"),
    kind: Annotated[AutoMask, typer.Option(help="What is white in it.")] = "subject",
    overlay: Annotated[
        bool,
        typer.Option("--overlay", help="Write the photograph too, dark where it is not painted: -overlay in its name."),
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Tell how well it agrees with this mask (IoU)."),
    ] = None,
) -> None:
    """Find the mask that --auto-mask paints PHOTOGRAPH by, to look at it before painting.

    It is what stands out, and nothing was learned to find it: see whether that is what you mean. A mask that you have
    corrected, or drawn, goes into --mask.
    """
    output_format = format_of(output)
    picture, other = read_picture(photograph), read_picture(against) if against else None
    from PIL import Image

    from nst_core.picture import encode
    from nst_core.segmentation import auto_mask, intersection_over_union

    try:
        found = auto_mask(picture, kind)
    except NoSubject as error:
        raise fail(f"{photograph.name}: {error}") from None
    written = {output: found}
    if overlay:
        dark = picture.point(lambda value: value // 4)
        written[output.with_stem(f"{output.stem}-overlay")] = Image.composite(picture, dark, found)
    for path, image in written.items():
        write(path, encode(image, output_format))
        out.print(f"{escape(str(path))} ({image.width} x {image.height})", soft_wrap=True)
    if other and against:
        out.print(f"IoU with {escape(against.name)}: {intersection_over_union(found, other):.3f}", soft_wrap=True)
