"""Image files in and out: decoding with limits, orientation, colour mode, opacity, encoding.  Free of torch."""

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageCms, features
from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngInfo

from nst_core.deep import DeepPicture, Picture, eight_bits, encode_deep_png, encode_deep_tiff, read_deep
from nst_core.errors import InvalidImage
from nst_core.exif import kept_exif
from nst_core.options import DEFAULT_QUALITY, LOSSY_FORMATS, OutputFormat
from nst_core.profiles import srgb_profile


def _containers() -> Iterator[str]:
    """The formats of phones, where there is a decoder for them."""
    if features.check("avif"):
        yield "AVIF"
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return
    # Of the pictures in such a file, the main one is all that counts.
    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    yield "HEIF"


#: Formats that are read, in Pillow's names.  Others are refused before a decoder sees them.
READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", *_containers())

#: How files of these formats begin; tells a damaged file from one of another format.
_SIGNATURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"RIFF", b"II*\0", b"MM\0*", b"BM", b"GIF8")

#: The brands of those that begin with a box "ftyp", as videos do.
_BRANDS = {
    "AVIF": (b"avif", b"avis"),
    "HEIF": (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
}

#: How to turn an image that has this EXIF orientation.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

#: Of these orientations, those that make height of width.
_ON_THEIR_SIDE = range(5, 9)


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Photograph:
    """What is taken from the file of a content.

    Attributes:
        picture: RGB, upright, in sRGB; of 16 bits where the file has them.
        alpha: how opaque it is (``L``); None for one that is so everywhere.
        exif: what can be kept of its EXIF data.
    """

    picture: Picture
    alpha: Image.Image | None
    exif: bytes | None


def decode(data: bytes, limits: PictureLimits | None = None) -> Image.Image:
    """A file's picture in RGB of 8 bits, upright, in sRGB, as :func:`decode_photograph` says."""
    return eight_bits(decode_photograph(data, limits).picture)


def reduced_jpeg(data: bytes, side: int, limits: PictureLimits | None = None) -> bytes:
    """A file's picture, as :func:`decode` has it, as a JPEG whose sides are at most so long.

    Raises:
        InvalidImage: as :func:`decode_photograph`.
    """
    picture = decode(data, limits)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return encode(picture, "jpeg", quality=85)


def media_type(data: bytes) -> str:
    """What an image file is, by its first bytes.

    Raises:
        InvalidImage: as :func:`decode_photograph`.
    """
    with _opened(data, PictureLimits()) as image:
        # What many phones and cameras call a JPEG has further pictures, of which no browser knows.
        return Image.MIME["JPEG" if image.format == "MPO" else str(image.format)]


def decode_mask(data: bytes, limits: PictureLimits | None = None) -> Image.Image:
    """A file as a mask (``L``), upright: what is transparent is black, where a picture would be white.

    Raises:
        InvalidImage: as :func:`decode_photograph`.
    """
    photograph = decode_photograph(data, limits)
    grey = eight_bits(photograph.picture).convert("L")
    # The picture was laid on white: what the white gave is taken off.
    return ImageChops.subtract(grey, ImageChops.invert(photograph.alpha)) if photograph.alpha else grey


def decode_photograph(data: bytes, limits: PictureLimits | None = None) -> Photograph:
    """A file's picture, and what else the result of painting it may have of it.

    EXIF orientation is applied, an ICC profile is converted from, transparency is laid on white, CMYK, palette and grey
    images are converted.  The header is checked against the limits before any pixel is decoded.

    Raises:
        UnsupportedFormat: of no format in ``READABLE``.
        ImageTooLarge: more pixels than the limits allow.
        InvalidImage: truncated, damaged, animated or too small.
    """
    limits = limits or PictureLimits()
    with _opened(data, limits) as image:
        _check_header(image, limits)
        orientation = _orientation(image)
        image.load()
        # What an HEIF claims to be may be less than what is in it.
        _check_size(image, limits)
        deep = read_deep(data, image, orientation)
        if deep:
            return Photograph(picture=deep[0], alpha=deep[1], exif=kept_exif(image))
        # Asked again: Pillow turns a TIFF itself.
        turn = _TURNS.get(_orientation(image))
        upright = image if turn is None else image.transpose(turn)
        return Photograph(picture=_as_srgb(upright), alpha=_alpha(upright), exif=kept_exif(image))


def upright_size(data: bytes, limits: PictureLimits | None = None) -> tuple[int, int]:
    """Width and height of a file's picture, upright, if :func:`decode_photograph` will decode it.

    All of a JPEG is read, but computed at an eighth of its size only, which takes a third of the time.

    Raises:
        InvalidImage: as :func:`decode_photograph`.
    """
    limits = limits or PictureLimits()
    with _opened(data, limits) as image:
        if image.format not in ("JPEG", "MPO"):
            return decode_photograph(data, limits).picture.size
        _check_header(image, limits)
        width, height = image.size
        image.draft(image.mode, (width // 8, height // 8))
        image.load()
        turned = _orientation(image) in _ON_THEIR_SIDE
        return (height, width) if turned else (width, height)


@contextmanager
def _opened(data: bytes, limits: PictureLimits) -> Iterator[Image.Image]:
    """An image of which only the header has been read; whatever is raised while it is used is an InvalidImage."""
    with warnings.catch_warnings():
        # Damaged metadata and large headers warn; the limits decide.
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data), formats=READABLE)
        except Image.DecompressionBombError:
            raise ImageTooLarge(f"the image has more than {limits.max_pixels} pixels") from None
        except Exception:  # a decoder meets a hostile header with any exception
            if not data:
                raise InvalidImage("the file is empty") from None
            if _is_readable(data):
                raise InvalidImage("the image is damaged or truncated") from None
            raise UnsupportedFormat(f"not a readable image; these formats are: {', '.join(READABLE)}") from None
        try:
            with image:
                yield image
        except InvalidImage:
            raise
        except Exception:  # a decoder meets a damaged file with any exception
            raise InvalidImage("the image is damaged or truncated") from None


def _is_readable(data: bytes) -> bool:
    """Whether a file begins as one of a format that is read."""
    brands = tuple(brand for name in READABLE for brand in _BRANDS.get(name, ()))
    return data.startswith(_SIGNATURES) or (data[4:8] == b"ftyp" and data.startswith(brands, 8))


def _check_size(image: Image.Image, limits: PictureLimits) -> None:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise ImageTooLarge(f"{width} x {height} pixels are more than the limit of {limits.max_pixels}")
    if max(width, height) > limits.max_side:
        raise ImageTooLarge(f"{width} x {height}: a side is longer than the limit of {limits.max_side} pixels")
    if min(width, height) < limits.min_side:
        raise InvalidImage(f"{width} x {height}: a side is shorter than {limits.min_side} pixels")


def _check_header(image: Image.Image, limits: PictureLimits) -> None:
    """See that a picture of this header may be decoded."""
    _check_size(image, limits)
    # Telling one frame from several is cheap, counting them is not.  The further pictures of an MPO, which is what
    # many phones and cameras call a JPEG, are renditions of the first.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise InvalidImage("the image is animated or has several pages; send a single picture")


def _orientation(image: Image.Image) -> int:
    """By EXIF, 1 to 8; 1 where it tells none or is damaged."""
    try:
        return int(image.getexif().get(Base.Orientation, 1))
    except Exception:  # damaged metadata is no reason to refuse the picture
        return 1


def _as_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode.startswith(("I", "F")):
        image = _as_8_bit(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    elif image.mode == "P":  # its profile is of the palette's colours
        image = image.convert("RGB")
    if profile and profile != srgb_profile() and image.mode in ("RGB", "L", "CMYK"):
        try:
            source, srgb = (ImageCms.ImageCmsProfile(io.BytesIO(given)) for given in (profile, srgb_profile()))
            converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
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


def with_alpha(picture: Picture, alpha: Image.Image | None) -> Picture:
    """An RGB picture as opaque as the image that it was made of: RGBA, with ``alpha`` scaled to its size."""
    if alpha is None:
        return picture
    alpha = alpha.resize(picture.size, Image.Resampling.LANCZOS)
    if isinstance(picture, DeepPicture):
        return DeepPicture(np.dstack([picture.samples, np.asarray(alpha, np.uint16) * 257]))
    transparent = picture.copy()
    transparent.putalpha(alpha)
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
    picture: Picture,
    output_format: OutputFormat = "png",
    *,
    quality: int = DEFAULT_QUALITY,
    text: Mapping[str, str] | None = None,
    exif: bytes | None = None,
) -> bytes:
    """An RGB, RGBA or grey picture as a file, one in colours with the profile of sRGB.  JPEG knows no transparency.

    The same picture gives the same file.

    Args:
        picture: one of 16 bits goes as PNG or TIFF only.
        quality: 1 to 100, of JPEG and WebP.
        text: by keyword, into text chunks (iTXt) of a PNG; other formats carry none.
        exif: as :func:`nst_core.exif.kept_exif` has it; a TIFF of 16 bits carries none.
    """
    if isinstance(picture, DeepPicture):
        return encode_deep_tiff(picture) if output_format == "tiff" else encode_deep_png(picture, text=text, exif=exif)
    file = io.BytesIO()
    options: dict[str, object] = {"quality": quality} if output_format in LOSSY_FORMATS else {}
    if output_format == "png":
        options["compress_level"] = 2  # in a third of the time of 6, a twelfth larger
        chunks = PngInfo()
        for key, value in (text or {}).items():
            chunks.add_itxt(key, value)
        options["pnginfo"] = chunks
    if output_format == "tiff" and not exif:  # what compresses TIFFs in Pillow fails at EXIF data
        options["compression"] = "tiff_deflate"
    if output_format == "jpeg":
        picture = picture.convert("RGB")
    if picture.mode in ("RGB", "RGBA"):
        options["icc_profile"] = srgb_profile()
    if exif:
        options["exif"] = exif
    picture.save(file, output_format.upper(), **options)
    return file.getvalue()
