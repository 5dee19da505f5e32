"""Image files of 8 bits in and out; those of 16 are in ``test_deep``."""

import io
import struct
import subprocess
import sys
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from nst_core.deep import DeepPicture
from nst_core.errors import InvalidImage
from nst_core.picture import (
    READABLE,
    ImageTooLarge,
    PictureLimits,
    UnsupportedFormat,
    decode,
    decode_mask,
    decode_photograph,
    encode,
    media_type,
    reduced_jpeg,
    upright_size,
    with_alpha,
)
from nst_core.profiles import srgb_profile

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))

#: A red and a blue half, whose place tells how the picture was turned.
HALVES = Image.new("RGB", (64, 32), "red")
HALVES.paste("blue", (32, 0, 64, 32))

ORIENTATION, GPS = 0x0112, 0x8825


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def oriented(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif.tobytes()


@pytest.mark.parametrize(
    ("kind", "told"), [(kind, f"image/{kind.lower()}") for kind in READABLE] + [("MPO", "image/jpeg")]
)
def test_a_file_is_what_its_bytes_are(kind: str, told: str) -> None:
    options = {"save_all": True, "append_images": [HALVES]} if kind == "MPO" else {}
    assert media_type(saved(HALVES, kind, **options)) == told


@pytest.mark.parametrize("data", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<!doctype html>"])
def test_what_is_no_image_is_none(data: bytes) -> None:
    with pytest.raises(InvalidImage):
        media_type(data)


def test_a_reduced_picture_is_upright_and_opaque() -> None:
    transparent = HALVES.resize((640, 320)).convert("RGBA")
    transparent.paste((0, 0, 0, 0), (320, 0, 640, 320))
    with Image.open(io.BytesIO(reduced_jpeg(saved(transparent, "PNG", exif=oriented(6)), 160))) as small:
        assert (small.format, small.size) == ("JPEG", (80, 160))
        (red, white) = small.getpixel((40, 20)), small.getpixel((40, 140))
    assert np.abs(np.subtract(red, (255, 0, 0))).max() < 8
    assert np.abs(np.subtract(white, 255)).max() < 4


def test_a_small_picture_is_not_enlarged() -> None:
    with Image.open(io.BytesIO(reduced_jpeg(saved(HALVES, "PNG"), 160))) as small:
        assert small.size == HALVES.size


def test_phones_formats_are_read() -> None:
    assert {"AVIF", "HEIF"} <= set(READABLE)


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_heif_and_avif_give_the_picture(kind: str) -> None:
    picture = decode(saved(HALVES, kind))
    assert picture.size == (64, 32)
    assert np.abs(np.array(picture).astype(int) - np.array(HALVES)).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "HEIF"])
def test_the_size_is_that_of_the_upright_picture(kind: str, orientation: int) -> None:
    file = saved(HALVES, kind, exif=oriented(orientation))
    assert upright_size(file) == decode(file).size == ((64, 32) if orientation < 5 else (32, 64))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_pictures_are_turned_upright(kind: str) -> None:
    # Orientation 6: what is at the left belongs to the top.
    picture = decode(saved(HALVES, kind, exif=oriented(6)))
    assert picture.size == (32, 64)
    assert np.abs(np.array(picture.getpixel((16, 8))) - [255, 0, 0]).max() < 12
    assert np.abs(np.array(picture.getpixel((16, 56))) - [0, 0, 255]).max() < 12


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_transparency_of_heif_and_avif_is_kept(kind: str) -> None:
    transparent = PICTURE.copy()
    transparent.putalpha(Image.linear_gradient("L").resize(PICTURE.size))
    alpha = decode_photograph(saved(transparent, kind)).alpha
    assert alpha is not None
    assert alpha.size == PICTURE.size
    assert alpha.getpixel((0, 0)) < 20
    assert alpha.getpixel((0, 39)) > 235


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "HEIF", "AVIF"])
def test_limits_are_told_from_the_header(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(PICTURE, kind)

    def load(self: Image.Image) -> None:
        pytest.fail("pixels were decoded")

    for module in {type(Image.open(io.BytesIO(data))), Image.Image}:
        monkeypatch.setattr(module, "load", load)
    for limits in (PictureLimits(max_pixels=2399), PictureLimits(max_side=59)):
        with pytest.raises(ImageTooLarge):
            decode(data, limits)
    with pytest.raises(InvalidImage):
        decode(data, PictureLimits(min_side=41))


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_several_pictures_in_one_file_are_refused(kind: str) -> None:
    with pytest.raises(InvalidImage, match="several pages"):
        decode(saved(PICTURE, kind, save_all=True, append_images=[PICTURE.rotate(180)]))


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
@pytest.mark.parametrize("kept", [0.05, 0.3, 0.6, 0.9])
def test_damaged_heif_and_avif_are_told(kind: str, kept: float) -> None:
    data = saved(PICTURE, kind)
    with pytest.raises(InvalidImage, match="damaged or truncated"):
        decode(data[: int(kept * len(data))])


def test_a_video_is_of_another_format() -> None:
    with pytest.raises(UnsupportedFormat, match="HEIF"):
        decode(b"\0\0\0\x18ftypmp42" + bytes(100))


def test_without_its_library_heif_is_another_format() -> None:
    script = """
import sys
sys.modules["pillow_heif"] = None
from nst_core.picture import READABLE, UnsupportedFormat, decode
assert "HEIF" not in READABLE and "PNG" in READABLE, READABLE
assert not {"torch", "tifffile", "imagecodecs"} & sys.modules.keys()
try:
    decode(b"\\0\\0\\0\\x18ftypheic" + bytes(100))
except UnsupportedFormat as error:
    assert "HEIF" not in str(error)
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


# Colour


@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_swapped_primaries_are_swapped_back(mode: str) -> None:
    white = [0.3127, 0.329, 1.0]
    swapped = imagecodecs.cms_profile("rgb", whitepoint=white, primaries=[0.3, 0.6, 0.64, 0.33, 0.15, 0.06], gamma=2.2)
    green = Image.new("RGB", (20, 20), (0, 255, 0)).convert(mode)
    red = decode(saved(green, "PNG", icc_profile=swapped)).getpixel((0, 0))
    assert np.abs(np.array(red) - [255, 0, 0]).max() <= 3


def test_what_is_transparent_in_a_mask_is_black() -> None:
    mask = Image.new("RGBA", (40, 20), (255, 255, 255, 0))
    mask.paste((255, 255, 255, 255), (0, 0, 20, 20))
    mask.paste((100, 100, 100, 128), (20, 0, 30, 20))
    read = decode_mask(saved(mask, "PNG"))
    assert read.mode == "L"
    assert [read.getpixel((x, 10)) for x in (10, 35)] == [255, 0]
    assert read.getpixel((25, 10)) == pytest.approx(50, abs=1)
    grey = Image.linear_gradient("L")
    assert decode_mask(saved(grey, "PNG")).tobytes() == grey.tobytes()


def test_a_grey_profile_is_honoured() -> None:
    linear = imagecodecs.cms_profile("gray", gamma=1.0)
    value = decode(saved(Image.new("L", (20, 20), 55), "PNG", icc_profile=linear)).getpixel((0, 0))
    # sRGB of the light 55/255 is 0.502.
    assert np.abs(np.array(value) - 128).max() <= 1


@pytest.mark.parametrize("profile", [srgb_profile(), b"junk" * 50])
def test_the_own_profile_and_unusable_ones_change_nothing(profile: bytes) -> None:
    assert decode(saved(PICTURE, "PNG", icc_profile=profile)).tobytes() == PICTURE.tobytes()


def test_the_profile_is_srgb_and_has_a_date_of_its_own() -> None:
    profile = srgb_profile()
    assert len(profile) < 1000
    assert struct.unpack(">6H", profile[24:36]) == (2000, 1, 1, 0, 0, 0)
    imagecodecs.cms_profile_validate(profile)
    foreign = imagecodecs.cms_profile("srgb")
    assert (
        np.abs(np.array(decode(saved(PICTURE, "PNG", icc_profile=foreign))).astype(int) - np.array(PICTURE)).max() <= 1
    )


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp", "tiff"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_every_file_has_the_profile_of_srgb(output_format: Any, mode: str) -> None:
    data = encode(PICTURE.convert(mode), output_format)
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["icc_profile"] == srgb_profile()
    assert encode(PICTURE.convert(mode), output_format) == data


def test_grey_has_no_profile_of_colours() -> None:
    with Image.open(io.BytesIO(encode(PICTURE.convert("L")))) as image:
        assert (image.mode, "icc_profile" in image.info) == ("L", False)


# Opacity


def test_a_picture_gets_the_opacity_of_its_content() -> None:
    alpha = Image.linear_gradient("L").resize((30, 20))
    scaled = alpha.resize(PICTURE.size, Image.Resampling.LANCZOS)
    transparent = with_alpha(PICTURE, alpha)
    assert isinstance(transparent, Image.Image)
    assert transparent.getchannel("A").tobytes() == scaled.tobytes()
    deep = with_alpha(DeepPicture(np.zeros((40, 60, 3), np.uint16)), alpha)
    assert isinstance(deep, DeepPicture)
    assert np.array_equal(deep.samples[..., 3], np.asarray(scaled, np.uint16) * 257)
    assert with_alpha(PICTURE, None) is PICTURE
