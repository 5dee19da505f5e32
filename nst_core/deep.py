"""Pictures of 16 bits per channel, in PNG and TIFF, which Pillow reduces to 8.  Free of torch."""

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nst_core.profiles import srgb_profile

Samples = NDArray[np.uint16]

WHITE = 65_535

#: Signature and header (IHDR) of a PNG, and what is in it; further chunks may follow.
_PNG_HEAD = 33
_PNG_SIZE, _PNG_DEPTH = slice(16, 24), 24

#: The compressions of TIFF that are read here: none, LZW, deflate by both of its numbers, PackBits.
_TIFF_COMPRESSIONS = (1, 5, 8, 32946, 32773)

#: A tile is decoded as a whole, however small the picture is.
_LARGEST_TILE = 4096

#: Of a picture that are laid on white at a time.
_ROWS = 256

#: What makes samples (H, W, C) upright, by EXIF orientation.
_TURNS: dict[int, Callable[[Samples], Samples]] = {
    2: lambda samples: samples[:, ::-1],
    3: lambda samples: samples[::-1, ::-1],
    4: lambda samples: samples[::-1],
    5: lambda samples: samples.swapaxes(0, 1),
    6: lambda samples: samples.swapaxes(0, 1)[:, ::-1],
    7: lambda samples: samples.swapaxes(0, 1)[::-1, ::-1],
    8: lambda samples: samples.swapaxes(0, 1)[::-1],
}


@dataclass(frozen=True, eq=False)
class DeepPicture:
    """A picture of 16 bits per channel.

    Attributes:
        samples: (H, W, 3) RGB or (H, W, 4) RGBA, uint16.
    """

    samples: Samples

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as of a Pillow image."""
        return self.width, self.height

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.samples.shape[1])

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.samples.shape[0])

    def reduced(self) -> Image.Image:
        """The same of 8 bits, rounded."""
        return Image.fromarray(_reduced(self.samples))


#: A picture in RGB, or RGBA, as files give it and the engines take it.
Picture = Image.Image | DeepPicture


def eight_bits(picture: Picture) -> Image.Image:
    """A picture of 8 bits per channel."""
    return picture.reduced() if isinstance(picture, DeepPicture) else picture


def _reduced(samples: Samples) -> NDArray[np.uint8]:
    # 257 = 65535 / 255.  Not (samples + 128) // 257, for which 16 bits are too few.
    return (samples // 257 + (samples % 257 > 128)).astype(np.uint8)


def read_deep(data: bytes, image: Image.Image, orientation: int) -> tuple[DeepPicture, Image.Image | None] | None:
    """A file's picture in RGB, upright, in sRGB, laid on white, and how opaque it is (``L``; None: everywhere).

    Args:
        data: the file.
        image: as Pillow has opened and loaded it: its size is within the limits, and the file is whole.
        orientation: by EXIF.

    Returns:
        None if the file has not 16 bits, or is of a kind that only Pillow reads.
    """
    reader = _READERS.get(image.format or "")
    try:
        samples = reader(data, image.size) if reader else None
        if samples is None:
            return None
        if orientation in _TURNS:
            samples = _TURNS[orientation](samples)
        colors, opacity = samples, None
        if samples.shape[2] in (2, 4):
            colors, alpha = samples[..., :-1], samples[..., -1]
            if alpha.min() < WHITE:
                colors, opacity = _on_white(colors, alpha), Image.fromarray(_reduced(alpha))
        return DeepPicture(_as_srgb(colors, image.info.get("icc_profile"))), opacity
    except Exception:  # what these libraries cannot read, Pillow has read
        return None


def _on_white(colors: Samples, alpha: Samples) -> Samples:
    laid = np.empty_like(colors)
    # Some rows at a time: the steps between take several times the memory of what they work on.
    for top in range(0, len(colors), _ROWS):
        rows = slice(top, top + _ROWS)
        # The sum fits into 32 bits, because the weights of the two numbers of 16 bits add up to 65535.
        weight = alpha[rows, ..., None].astype(np.uint32)
        laid[rows] = (colors[rows] * weight + WHITE * (WHITE - weight) + WHITE // 2) // WHITE
    return laid


def _as_srgb(colors: Samples, profile: bytes | None) -> Samples:
    """Grey or RGB samples (H, W, 1 or 3) as RGB."""
    import imagecodecs

    grey = colors.shape[2] == 1
    if profile and profile != srgb_profile():
        given = np.ascontiguousarray(colors[..., 0] if grey else colors)
        space = "gray" if grey else "rgb"
        try:
            return imagecodecs.cms_transform(given, profile, srgb_profile(), colorspace=space, outcolorspace="rgb")
        except imagecodecs.CmsError:
            pass  # an unusable profile is no reason to refuse the picture
    return np.ascontiguousarray(np.broadcast_to(colors, (*colors.shape[:2], 3)))


def _png_samples(data: bytes, size: tuple[int, int]) -> Samples | None:
    """Samples (H, W, C), grey or RGB, with or without opacity; None if they have not 16 bits or not this size."""
    if data[_PNG_DEPTH] != 16 or data[_PNG_SIZE] != struct.pack(">II", *size):
        return None
    # Imported here, as tifffile below: few files have 16 bits.
    import imagecodecs

    samples: Samples = imagecodecs.png_decode(data)
    return samples if samples.ndim == 3 else samples[..., None]


def _tiff_samples(data: bytes, size: tuple[int, int]) -> Samples | None:
    """As :func:`_png_samples`, but of this size when upright; None also for what is stored in an unusual way."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        colors = {0: 1, 1: 1, 2: 3}.get(page.photometric, 0)
        # What a further channel is: 0 unknown, 1 opacity by which the colours are multiplied, 2 opacity.
        further = page.extrasamples or (2,) * (page.samplesperpixel - colors)
        if (
            (page.bitspersample, page.sampleformat, page.imagedepth) != (16, 1, 1)
            or page.compression not in _TIFF_COMPRESSIONS
            or not colors
            or len(further) != page.samplesperpixel - colors
            or further not in ((), (0,), (2,))
            or sorted((page.imagewidth, page.imagelength)) != sorted(size)
            or (page.is_tiled and max(page.tilewidth, page.tilelength) > _LARGEST_TILE)
        ):
            return None
        samples: Samples = page.asarray()
        if page.planarconfig == 2:
            samples = np.moveaxis(samples.reshape(-1, page.imagelength, page.imagewidth), 0, -1)
        samples = samples.reshape(page.imagelength, page.imagewidth, -1)
        if page.photometric == 0:  # 0 is white
            samples[..., 0] = WHITE - samples[..., 0]
        return samples[..., :colors] if further == (0,) else samples


_READERS: dict[str, Callable[[bytes, tuple[int, int]], Samples | None]] = {"PNG": _png_samples, "TIFF": _tiff_samples}


def encode_deep_png(picture: DeepPicture, *, text: Mapping[str, str] | None = None, exif: bytes | None = None) -> bytes:
    """A picture of 16 bits as a PNG in sRGB.

    Args:
        text: by keyword, into text chunks (iTXt).
        exif: as Pillow has it.
    """
    import imagecodecs

    file = bytes(imagecodecs.png_encode(picture.samples, level=2))
    chunks = [_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(srgb_profile()))]
    if exif:
        chunks.append(_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")))
    for key, value in (text or {}).items():
        # Not compressed, in no language, and under no other keyword.
        chunks.append(_chunk(b"iTXt", key.encode("latin-1") + bytes(5) + value.encode()))
    return file[:_PNG_HEAD] + b"".join(chunks) + file[_PNG_HEAD:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def encode_deep_tiff(picture: DeepPicture) -> bytes:
    """A picture of 16 bits as a TIFF in sRGB, without metadata."""
    import tifffile

    file = io.BytesIO()
    options: dict[str, Any] = {"extrasamples": ["unassalpha"]} if picture.samples.shape[2] == 4 else {}
    tifffile.imwrite(
        file,
        picture.samples,
        photometric="rgb",
        compression="adobe_deflate",
        predictor=True,
        iccprofile=srgb_profile(),
        metadata=None,
        software=False,
        **options,
    )
    return file.getvalue()
