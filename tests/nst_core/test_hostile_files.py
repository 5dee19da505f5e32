"""Files that were made to harm: an error that names what is wrong or a picture, never more memory than a picture's."""

import io
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from PIL import Image

from nst_core.errors import InvalidImage
from nst_core.picture import ImageTooLarge, PictureLimits, decode, decode_photograph, upright_size
from nst_core.profiles import srgb_profile

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))
DEEP = np.random.default_rng(0).integers(0, 65_536, (40, 60, 4), dtype=np.uint16)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def deep_tiff(samples: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, samples, photometric="rgb", metadata=None, **options)
    return file.getvalue()


def exif() -> bytes:
    tags = Image.Exif()
    tags[0x0112], tags[0x010F] = 6, "Maker"
    return tags.tobytes()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(kind: bytes, data: bytes) -> bytes:
    """A PNG with a chunk more, behind its header."""
    file = saved(NOISE, "PNG")
    return file[:33] + chunk(kind, data) + file[33:]


@cache
def zeros() -> bytes:
    """Compressed: 300 MB in 1 MB."""
    packer = zlib.compressobj(1)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()


# Mutations

SEEDS = {
    "png": saved(NOISE, "PNG", exif=exif()),
    "png of 16 bits": bytes(imagecodecs.png_encode(DEEP)),
    "palette": saved(NOISE.convert("P"), "PNG", transparency=3),
    "jpeg": saved(NOISE, "JPEG", exif=exif(), icc_profile=srgb_profile()),
    "progressive jpeg": saved(NOISE.convert("CMYK"), "JPEG", progressive=True),
    "webp": saved(NOISE, "WEBP", exif=exif()),
    "lossless webp": saved(NOISE.convert("RGBA"), "WEBP", lossless=True),
    "tiff": saved(NOISE, "TIFF", compression="tiff_lzw"),
    "tiff of jpeg": saved(NOISE, "TIFF", compression="jpeg"),
    "tiff of 16 bits": deep_tiff(DEEP[..., :3], compression="adobe_deflate", predictor=True),
    "tiles": deep_tiff(DEEP[..., :3], tile=(16, 16), compression="lzw"),
    "gif": saved(NOISE.convert("P"), "GIF"),
    "bmp": saved(NOISE, "BMP"),
    "heic": saved(NOISE, "HEIF"),
    "avif": saved(NOISE, "AVIF"),
}  # fmt: skip

Mutation = Callable[[bytes], bytes]


def replaced(at: float, by: bytes) -> Mutation:
    return lambda data: data[: int(at * len(data))] + by + data[int(at * len(data)) + len(by) :]


def inserted(at: float, more: bytes) -> Mutation:
    return lambda data: data[: int(at * len(data))] + more + data[int(at * len(data)) :]


def removed(at: float, count: int) -> Mutation:
    return lambda data: data[: int(at * len(data))] + data[int(at * len(data)) + count :]


def repeated(at: float, count: int) -> Mutation:
    return lambda data: data + data[int(at * len(data)) :][:count]


#: Mostly at the beginning, where formats say what is to come.
PLACES = st.one_of(st.floats(0, 0.05), st.floats(0, 1))
ODD = st.sampled_from([b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\xff\xff", b"\x80\0\0\0"])
MUTATIONS = st.lists(
    st.one_of(
        st.builds(replaced, PLACES, st.one_of(ODD, st.binary(min_size=1, max_size=8))),
        st.builds(inserted, PLACES, st.binary(min_size=1, max_size=30)),
        st.builds(removed, PLACES, st.integers(1, 100)),
        st.builds(repeated, PLACES, st.integers(1, 500)),
    ),
    min_size=1,
    max_size=6,
)


@seed(6)
@settings(max_examples=200, deadline=None, database=None)
@given(kind=st.sampled_from(sorted(SEEDS)), mutations=MUTATIONS)
def test_a_damaged_file_is_a_picture_or_an_error_that_says_so(kind: str, mutations: list[Mutation]) -> None:
    data = SEEDS[kind]
    for mutation in mutations:
        data = mutation(data)
    limits = PictureLimits(max_pixels=1_000_000)
    try:
        size = decode_photograph(data, limits).picture.size
    except InvalidImage as error:
        with pytest.raises(type(error)):
            upright_size(data, limits)
    else:
        assert size[0] * size[1] <= limits.max_pixels
        assert upright_size(data, limits) == size


def test_a_jpeg_is_read_to_its_end_to_know_its_size() -> None:
    file = saved(NOISE.resize((600, 400)), "JPEG")
    assert upright_size(file) == (600, 400)
    for kept in range(len(file) // 2, len(file) - 2, 97):
        with pytest.raises(InvalidImage):
            decode_photograph(file[:kept])
        with pytest.raises(InvalidImage):
            upright_size(file[:kept])


# Bombs


def tiff_of_zeros(**claims: int) -> bytes:
    """A TIFF of 16 bits whose only strip unpacks to far more than its tags tell."""
    data = bytearray(deep_tiff(DEEP[..., :3], compression="adobe_deflate"))
    tags = {"StripOffsets": len(data), "StripByteCounts": len(zeros())} | claims
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        for name, value in tags.items():
            struct.pack_into("<HII", data, file.pages.first.tags[name].offset + 2, 4, 1, value)
    return bytes(data) + zeros()


def claimed_png(side: int) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zeros()) + chunk(b"IEND", b"")


def claimed_bmp(side: int) -> bytes:
    header = (40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<IiiHHIIiiII", *header)


def wide_gif(frames: int) -> bytes:
    canvas = [Image.new("P", (3000, 3000), k) for k in range(2)]
    return saved(canvas[0], "GIF", save_all=True, append_images=[canvas[k % 2] for k in range(1, frames)])


#: Of EXIF: a text of 2 GB.
TAG = b"\x0f\x01\x02\0\xff\xff\xff\x7f\x08\0\0\0"

#: Files of at most a few MB, which would take hundreds or thousands of MB.
BOMBS: dict[str, Callable[[], bytes]] = {
    "a PNG's text": lambda: png_with(b"zTXt", b"Comment\0\0" + zeros()),
    "a PNG's international text": lambda: png_with(b"iTXt", b"Comment\0\1\0\0\0" + zeros()),
    "a PNG's profile": lambda: png_with(b"iCCP", b"profile\0\0" + zeros()),
    "a PNG's EXIF": lambda: png_with(b"eXIf", b"II*\0\x08\0\0\0\xff\xff" + TAG * 65_535),
    "a PNG's pixels": lambda: claimed_png(50_000),
    "a TIFF's pixels": lambda: tiff_of_zeros(ImageWidth=50_000, ImageLength=50_000),
    "a TIFF's strip": tiff_of_zeros,
    "a WebP's pixels": lambda: b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\xff\xff\xff\x0f" + bytes(8),
    "a GIF's frames": lambda: wide_gif(8),
    "a BMP's header": lambda: claimed_bmp(2**31 - 1),
    "a JPEG's header": lambda: b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xff\xff\xff\x01\x01\x11\0" + bytes(50),
    "a line": lambda: saved(Image.new("L", (100_000, 1)), "PNG"),
}  # fmt: skip

_MEASURE = """
import json, resource, sys
from nst_core.errors import InvalidImage
from nst_core.picture import decode_photograph
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    told = decode_photograph(sys.stdin.buffer.read()).picture.size
except InvalidImage as error:
    told = error.code
print(json.dumps([told, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in other units elsewhere")
@pytest.mark.parametrize("bomb", BOMBS)
def test_no_file_takes_more_memory_than_its_picture(bomb: str) -> None:
    data = BOMBS[bomb]()
    assert len(data) < 10_000_000
    done = subprocess.run([sys.executable, "-c", _MEASURE], input=data, capture_output=True, check=True)
    told, megabytes = json.loads(done.stdout)
    assert told in ([60, 40], "invalid_image", "image_too_large")
    assert megabytes < 150


@pytest.mark.parametrize("size", [(100_000, 16), (16, 100_000)])
def test_a_side_may_be_so_long_only(size: tuple[int, int]) -> None:
    with pytest.raises(ImageTooLarge, match="16384"):
        decode(saved(Image.new("1", size), "PNG"))


# Two files in one


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
@pytest.mark.parametrize(
    "more", [b"PK\x03\x04" + bytes(100), b"<script>alert(1)</script>", b"%PDF-1.7\n", b"#!/bin/sh\n"]
)
def test_what_follows_a_picture_is_not_looked_at(kind: str, more: bytes) -> None:
    assert decode(saved(NOISE, kind) + more).size == NOISE.size


@pytest.mark.parametrize(
    "begin", [b"GIF89a/*", b"BM<script>", b"\xff\xd8\xff<?php ", b"RIFF\0\0\0\0WEBP<svg>", b"II*\0%!PS"]
)
def test_a_beginning_alone_makes_no_picture(begin: bytes) -> None:
    with pytest.raises(InvalidImage):
        decode(begin + b"*/=alert(1)//" * 100)


# Unusual, and right

COLOR = (200, 60, 30)
GREY = 100


def solid(mode: str, color: Any) -> Image.Image:
    return Image.new(mode, (64, 48), color)


DEEP_GREY = np.full((48, 64, 2), (GREY * 257, 65_535), np.uint16)

UNUSUAL = {
    "CMYK": (saved(solid("RGB", COLOR).convert("CMYK"), "TIFF"), COLOR),
    "CMYK in JPEG": (saved(solid("RGB", COLOR).convert("CMYK"), "JPEG", quality=95), COLOR),
    "palette": (saved(solid("RGB", COLOR).convert("P", palette=Image.Palette.ADAPTIVE), "PNG"), COLOR),
    "palette in GIF": (saved(solid("RGB", COLOR).convert("P", palette=Image.Palette.ADAPTIVE), "GIF"), COLOR),
    "grey": (saved(solid("L", GREY), "PNG"), (GREY,) * 3),
    "grey and alpha": (saved(solid("LA", (GREY, 255)), "PNG"), (GREY,) * 3),
    "grey, half transparent": (saved(solid("LA", (GREY, 51)), "PNG"), (224,) * 3),
    "wholly transparent": (saved(solid("RGBA", (*COLOR, 0)), "PNG"), (255,) * 3),
    "one bit": (saved(solid("1", 1), "PNG"), (255,) * 3),
    "one bit in TIFF": (saved(solid("1", 0), "TIFF", compression="group4"), (0,) * 3),
    "16 bits of grey": (saved(solid("I;16", GREY * 257), "PNG"), (GREY,) * 3),
    "16 bits of grey in TIFF": (saved(solid("I;16", GREY * 257), "TIFF"), (GREY,) * 3),
    "floating point": (saved(solid("F", GREY / 255), "TIFF"), (GREY,) * 3),
    "16 bits and alpha": (bytes(imagecodecs.png_encode(DEEP_GREY)), (GREY,) * 3),
    "YCbCr": (saved(solid("RGB", COLOR).convert("YCbCr"), "TIFF"), COLOR),
}


@pytest.mark.parametrize("kind", UNUSUAL)
def test_unusual_pictures_are_converted(kind: str) -> None:
    data, color = UNUSUAL[kind]
    picture = decode(data)
    assert (picture.mode, picture.size) == ("RGB", (64, 48))
    assert np.abs(np.asarray(picture).astype(int) - color).max() <= 6
