"""How the file of a result is written.  Free of torch."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self, get_args

from nst_core.errors import InvalidOptions
from nst_core.options import LOSSY_FORMATS, OutputFormat

BitDepth = Literal[8, 16]

#: Formats that may have 16 bits per channel.
DEEP_FORMATS = ("png", "tiff")


@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """The file of a result.

    Attributes:
        quality: 1 to 100, of lossy formats; None: the default, or that there is none to choose.
        bit_depth: bits per channel.
        keep_metadata: whether the content's EXIF data goes into the file.

    Raises:
        InvalidOptions: a value is out of its bounds, or the format cannot do that.
    """

    output_format: OutputFormat = "png"
    quality: int | None = None
    bit_depth: BitDepth = 8
    keep_metadata: bool = False

    def __post_init__(self) -> None:
        if self.quality is not None and not (type(self.quality) is int and 1 <= self.quality <= 100):
            raise InvalidOptions("quality must be a whole number between 1 and 100", field="quality")
        if self.bit_depth not in get_args(BitDepth):
            raise InvalidOptions(
                f"bit_depth must be one of {', '.join(map(str, get_args(BitDepth)))}", field="bit_depth"
            )
        if not isinstance(self.keep_metadata, bool):
            raise InvalidOptions("keep_metadata must be true or false", field="keep_metadata")
        if self.quality is not None and self.output_format not in LOSSY_FORMATS:
            raise InvalidOptions(f"quality goes with output_format {' or '.join(LOSSY_FORMATS)} only", field="quality")
        if self.bit_depth == 16 and self.output_format not in DEEP_FORMATS:
            raise InvalidOptions(
                f"a bit_depth of 16 goes with output_format {' or '.join(DEEP_FORMATS)} only", field="bit_depth"
            )
        if self.keep_metadata and (self.output_format, self.bit_depth) == ("tiff", 16):
            raise InvalidOptions("a TIFF of bit_depth 16 cannot keep_metadata; a PNG can", field="keep_metadata")

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Self:
        """Those of a job; what one of an earlier version does not tell has its default.

        Raises:
            InvalidOptions: as the class.
        """
        return cls(**{field.name: params[field.name] for field in fields(cls) if field.name in params})
