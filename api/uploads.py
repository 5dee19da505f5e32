"""Images that clients send: decoded for real before a job is made of them."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from anyio import CapacityLimiter, to_thread
from PIL import Image

from api.errors import Problem, invalid_fields
from api.settings import ApiSettings
from nst_core.errors import InvalidImage, NoSubject
from nst_core.options import SHORTEST_SIDE, AutoMask, output_size
from nst_core.picture import ImageTooLarge, PictureLimits, UnsupportedFormat, decode, decode_mask, upright_size
from nst_core.segmentation import auto_mask

_STATUSES: dict[type[InvalidImage], int] = {ImageTooLarge: 413, UnsupportedFormat: 415}


@dataclass(frozen=True, kw_only=True)
class CheckedImage:
    """An image file that can be painted.

    Attributes:
        data: the file as it was sent.
        sha256: of the file, in hexadecimal.
        width, height: upright, in pixels.
        black: everywhere; of masks only.
    """

    data: bytes
    sha256: str
    width: int
    height: int
    black: bool


def _too_narrow(image: CheckedImage, long_side: int) -> str | None:
    """What is wrong with an image of which nothing is left when it is scaled to this long side; None if there is."""
    width, height = output_size(image.width, image.height, long_side)
    if min(width, height) >= SHORTEST_SIDE:
        return None
    scaled = f"{image.width} x {image.height} pixels would be scaled to {width} x {height}"
    return f"{scaled}; the short side must keep at least {SHORTEST_SIDE} pixels"


def narrow_images(images: Iterable[tuple[str, CheckedImage, int]]) -> list[tuple[str, str]]:
    """(name, what is wrong) of those of (name, image, long side) that are too narrow."""
    told = [(name, _too_narrow(image, long_side)) for name, image, long_side in images]
    return [(name, detail) for name, detail in told if detail]


async def check_image(name: str, file: BinaryIO, settings: ApiSettings, limiter: CapacityLimiter) -> CheckedImage:
    """Decode an image that was sent in a thread, as many at a time as ``limiter`` lets.

    Raises:
        Problem: 400 damaged, animated or too small; 413 too many pixels; 415 of a format that is not read.
    """
    return await to_thread.run_sync(_check, name, file, settings, limiter=limiter)


def decode_upload(name: str, data: bytes, settings: ApiSettings) -> Image.Image:
    """The picture of the file that was sent in a field, in RGB; a mask in grey.  It takes time; call it in a thread.

    Raises:
        Problem: as :func:`check_image`.
    """
    with _told_as_problems(name):
        return (decode_mask if name == "mask" else decode)(data, picture_limits(settings))


def picture_limits(settings: ApiSettings) -> PictureLimits:
    """What an image file may be at most on this server."""
    return PictureLimits(max_pixels=settings.max_image_pixels, max_side=settings.max_image_side)


@contextmanager
def _told_as_problems(name: str) -> Iterator[None]:
    try:
        yield
    except InvalidImage as error:
        status = _STATUSES.get(type(error), 400)
        detail = str(error) + (" (NST_MAX_IMAGE_PIXELS, NST_MAX_IMAGE_SIDE)" if status == 413 else "")
        raise Problem(status, error.code, f"{name}: {detail}", errors=[(name, detail)]) from None


def _check(name: str, file: BinaryIO, settings: ApiSettings) -> CheckedImage:
    data = file.read()
    if name == "mask":
        mask = decode_upload(name, data, settings)
        (width, height), black = mask.size, mask.getbbox() is None
    else:
        with _told_as_problems(name):
            (width, height), black = upright_size(data, picture_limits(settings)), False
    return CheckedImage(data=data, sha256=hashlib.sha256(data).hexdigest(), width=width, height=height, black=black)


def find_mask(content: bytes, kind: AutoMask, settings: ApiSettings) -> Image.Image:
    """A mask of a picture.  It takes time; call it in a thread.

    Raises:
        Problem: as :func:`decode_upload`, or 422 nothing stands out in it.
    """
    picture = decode_upload("content", content, settings)
    try:
        return auto_mask(picture, kind)
    except NoSubject as error:
        raise invalid_fields([("content", str(error))], error.code) from None
