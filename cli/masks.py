"""``nst mask``: what the automatic masks find."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cli.console import ImageFile, fail, format_of, out, read_picture, write
from nst_core.errors import NoSubject
from nst_core.options import MEDIA_TYPES, AutoMask


def mask(
    photograph: ImageFile,
    output: Annotated[
        Path,
        typer.Argument(help=f"Where to write the mask; the suffix gives the format ({', '.join(MEDIA_TYPES)})."),
    ] = Path("mask.png"),
    kind: Annotated[AutoMask, typer.Option(help="What shall be white.")] = "subject",
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Write the photograph too, dark where it would not be painted.")
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Tell how well the mask agrees with this one (IoU)."),
    ] = None,
) -> None:
    """Find the mask that --auto-mask would paint PHOTOGRAPH by, to look at it first, or to change it and use it as --mask.

    Nothing was learned to find it: it is what differs from the colours along the picture's border. Where that is
    not your subject, draw a mask.
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
    shown = Image.composite(picture, picture.point(lambda value: value // 4), found) if overlay else found
    write(output, encode(shown, output_format))
    out.print(f"{escape(str(output))} ({found.width} x {found.height}, {kind})", soft_wrap=True)
    if other and against:
        agreement = intersection_over_union(found, other)
        out.print(f"IoU with {escape(against.name)}: {agreement:.3f}", soft_wrap=True)
