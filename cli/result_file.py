"""How ``nst stylize`` and ``nst submit`` write their picture."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

from cli.console import fail, format_of
from nst_core.errors import InvalidOptions
from nst_core.file_options import DEEP_FORMATS, BitDepth, FileOptions
from nst_core.options import DEFAULT_QUALITY, LOSSY_FORMATS

Quality = Annotated[
    int | None,
    typer.Option(min=1, max=100, help=f"Of JPEG and WebP. [dim]\\[default: {DEFAULT_QUALITY}][/dim]"),
]
Depth = Annotated[
    BitDepth | None,
    typer.Option("--bit-depth", help="Bits per channel; 16 of PNG and TIFF only. [dim]\\[default: 8][/dim]"),
]
KeepMetadata = Annotated[
    bool | None,
    typer.Option(
        "--keep-metadata/--drop-metadata",
        help="Copy the photograph's EXIF data (camera, date, place) into the picture. [dim]\\[default: drop][/dim]",
    ),
]


def file_options(
    output: Path,
    *,
    quality: int | None,
    bit_depth: BitDepth | None,
    keep_metadata: bool | None,
    recorded: Mapping[str, Any] = MappingProxyType({}),
) -> FileOptions:
    """The options of a file of this name; what the format cannot do ends the command.

    Args:
        quality, bit_depth, keep_metadata: as given on the command line.
        recorded: the parameters of a picture like which this one is painted: in force where nothing is given and the
            format has them.
    """
    output_format = format_of(output)
    if output_format not in LOSSY_FORMATS:
        quality = None
    elif quality is None:
        quality = recorded.get("quality") or DEFAULT_QUALITY
    if bit_depth is None:
        bit_depth = recorded.get("bit_depth", 8) if output_format in DEEP_FORMATS else 8
    if keep_metadata is None:
        keep_metadata = recorded.get("keep_metadata", False) and (output_format, bit_depth) != ("tiff", 16)
    try:
        return FileOptions(
            output_format=output_format, quality=quality, bit_depth=bit_depth, keep_metadata=keep_metadata
        )
    except InvalidOptions as error:
        raise fail(error) from None
