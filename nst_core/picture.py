"""Image files in and out, with Pillow alone: decoding with limits, orientation, colour mode, encoding."""

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

from nst_core.errors import InvalidImage
from nst_core.options import DEFAULT_QUALITY, LOSSY_FORMATS, OutputFormat

#: Formats that are read, in Pillow's names.  Others are refused before a decoder sees them.
READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")

#: How files of these formats begin; tells a damaged file from one of another format.
_SIGNATURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"RIFF", b"II*\0", b"MM\0*", b"BM", b"GIF8")


class ImageTooLarge(InvalidImage):
    """The image has more pixels than this server paints."""

    code = "image_too_large"


class UnsupportedFormat(InvalidImage):
    """The file is not of an image format that is read here."""

    code = "unsupported_format"


@dataclass(frozen=True, kw_only=True)
class PictureLimits:
    """What an image file may be at most.

    Attributes:
        max_pixels: width times height.
        max_side, min_side: of the longer and the shorter side, in pixels.
    """

    max_pixels: int = 50_000_000
    max_side: int = 16_384
    min_side: int = 16


def decode(data: bytes, limits: PictureLimits | None = None) -> Image.Image:
    """A file's picture in RGB, upright, in sRGB, as :func:`decode_with_alpha` says."""
    return decode_with_alpha(data, limits)[0]


def decode_with_alpha(data: bytes, limits: PictureLimits | None = None) -> tuple[Image.Image, Image.Image | None]:
    """A file's picture in RGB, upright, in sRGB, and how opaque it is (``L``); None for one that is so everywhere.

    EXIF orientation is applied, an ICC profile is converted from, transparency is laid on white, CMYK, palette, grey
    and 16-bit images are converted.  The header is checked against the limits before any pixel is decoded.

    Raises:
        UnsupportedFormat: not a PNG, JPEG, WebP, TIFF, BMP or GIF.
        ImageTooLarge: more pixels than the limits allow.
        InvalidImage: truncated, damaged, animated or too small.
    """
    limits = limits or PictureLimits()
    try:
        with warnings.catch_warnings():
            # Damaged metadata and large headers warn; the limits below decide.
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=READABLE)
    except Image.DecompressionBombError:
        raise ImageTooLarge(f"the image has more than {limits.max_pixels} pixels") from None
    except Exception:  # a decoder meets a hostile header with any exception
        if not data:
            raise InvalidImage("the file is empty") from None
        if data.startswith(_SIGNATURES):
            raise InvalidImage("the image is damaged or truncated") from None
        raise UnsupportedFormat(f"not a readable image; these formats are: {', '.join(READABLE)}") from None
    with image:
        width, height = image.size
        if width * height > limits.max_pixels:
            raise ImageTooLarge(f"{width} x {height} pixels are more than the limit of {limits.max_pixels}")
        if max(width, height) > limits.max_side:
            raise ImageTooLarge(f"{width} x {height}: a side is longer than the limit of {limits.max_side} pixels")
        if min(width, height) < limits.min_side:
            raise InvalidImage(f"{width} x {height}: a side is shorter than {limits.min_side} pixels")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # Telling one frame from several is cheap, counting them is not.  The further pictures of an MPO,
                # which is what many phones and cameras call a JPEG, are renditions of the first.
                if image.format != "MPO" and getattr(image, "is_animated", False):
                    raise InvalidImage("the image is animated or has several pages; send a single picture")
                image.load()
                upright = ImageOps.exif_transpose(image)
                return _as_srgb(upright), _alpha(upright)
        except InvalidImage:
            raise
        except Exception:  # a decoder meets a damaged file with any exception
            raise InvalidImage("the image is damaged or truncated") from None


def _as_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode.startswith(("I", "F")):
        image = _as_8_bit(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image).convert("RGB")
    if profile and image.mode in ("RGB", "CMYK"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            assert converted is not None  # only None when converting in place
            image = converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # an unusable profile is no reason to refuse the picture
    return image.convert("RGB")


def _alpha(image: Image.Image) -> Image.Image | None:
    if not image.has_transparency_data:
        return None
    alpha = image.convert("RGBA").getchannel("A")
    return alpha if alpha.getextrema() != (255, 255) else None


def with_alpha(picture: Image.Image, alpha: Image.Image | None) -> Image.Image:
    """An RGB picture as opaque as the image that it was made of: RGBA, with ``alpha`` scaled to its size."""
    if alpha is None:
        return picture
    transparent = picture.copy()
    transparent.putalpha(alpha.resize(picture.size, Image.Resampling.LANCZOS))
    return transparent


def _as_8_bit(image: Image.Image) -> Image.Image:
    """16-bit and floating-point grey as 8-bit grey; Pillow's own conversion clips at 255 instead of scaling."""
    low, high = image.getextrema()
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    # "I" and "F" do not tell their range: it is guessed from the brightest value.
    deep = image.mode.startswith("I;16") or high > 255
    scale = 255 / 65535 if deep else 255.0 if isinstance(high, float) and high <= 1 else 1.0
    return image.convert("F").point(lambda value: value * scale).convert("L")


def encode(
    image: Image.Image,
    output_format: OutputFormat = "png",
    *,
    quality: int = DEFAULT_QUALITY,
    text: Mapping[str, str] | None = None,
) -> bytes:
    """An RGB or RGBA picture as a file.  JPEG knows no transparency.

    Args:
        quality: 1 to 100, of JPEG and WebP.
        text: by keyword, into text chunks (iTXt) of a PNG; other formats carry none.
    """
    file = io.BytesIO()
    options: dict[str, object] = {"quality": quality} if output_format in LOSSY_FORMATS else {}
    if output_format == "png":
        options["compress_level"] = 2  # in a third of the time of 6, a twelfth larger
        chunks = PngInfo()
        for key, value in (text or {}).items():
            chunks.add_itxt(key, value)
        options["pnginfo"] = chunks
    if output_format == "tiff":
        options["compression"] = "tiff_deflate"
    if output_format == "jpeg":
        image = image.convert("RGB")
    image.save(file, output_format.upper(), **options)
    return file.getvalue()
