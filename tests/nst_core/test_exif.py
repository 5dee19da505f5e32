"""What of a photograph's EXIF data goes into the file of the picture painted of it."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from nst_core.deep import DeepPicture
from nst_core.picture import decode_photograph, encode

PHOTOGRAPH = Image.effect_noise((60, 40), 60).convert("RGB")
PAINTED = Image.new("RGB", (30, 20), "teal")


def exif_of_a_camera() -> Image.Exif:
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Model], exif[Base.DateTime] = "Maker", "Model 7", "2026:05:04 03:02:01"
    exif[Base.Orientation], exif[Base.ImageWidth], exif[Base.ImageLength] = 6, 60, 40
    exif[IFD.Exif] = {
        Base.ExposureTime: 0.01,
        Base.DateTimeOriginal: "2026:05:04 03:02:00",
        Base.ExifImageWidth: 60,
        Base.ExifImageHeight: 40,
        Base.ColorSpace: 65535,
        Base.MakerNote: b"secret preview",
    }
    exif[IFD.GPSInfo] = {GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (47.0, 22.0, 1.5), GPS.GPSMapDatum: "WGS-84-MARK"}
    return exif


def photograph(kind: str, exif: Image.Exif | bytes) -> bytes:
    file = io.BytesIO()
    PHOTOGRAPH.save(file, kind, exif=exif if isinstance(exif, bytes) else exif.tobytes())
    return file.getvalue()


def read(data: bytes) -> Image.Exif:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.getexif()


def written(output_format: str, exif: bytes | None) -> bytes:
    if output_format == "png16":
        return encode(DeepPicture(np.zeros((20, 30, 3), np.uint16)), "png", exif=exif)
    return encode(PAINTED, output_format, exif=exif)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp", "tiff", "png16"])
def test_camera_date_and_place_are_kept(kind: str, output_format: str) -> None:
    content = decode_photograph(photograph(kind, exif_of_a_camera()))
    assert content.picture.size == (40, 60)
    data = written(output_format, content.exif)
    kept = read(data)
    assert (kept[Base.Make], kept[Base.Model], kept[Base.DateTime]) == ("Maker", "Model 7", "2026:05:04 03:02:01")
    details, place = kept.get_ifd(IFD.Exif), kept.get_ifd(IFD.GPSInfo)
    assert details[Base.DateTimeOriginal] == "2026:05:04 03:02:00"
    assert float(details[Base.ExposureTime]) == pytest.approx(0.01)
    assert [float(part) for part in place[GPS.GPSLatitude]] == [47.0, 22.0, 1.5]
    # What is not true of the painted picture.
    assert kept[Base.Orientation] == 1
    assert details[Base.ColorSpace] == 1
    assert not {Base.ExifImageWidth, Base.ExifImageHeight, Base.MakerNote} & details.keys()
    assert b"secret preview" not in data
    if output_format == "tiff":
        assert (kept[Base.ImageWidth], kept[Base.ImageLength]) == (30, 20)
    else:
        assert not {Base.ImageWidth, Base.ImageLength} & set(kept)
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (30, 20)
        image.load()
    assert written(output_format, content.exif) == data


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp", "tiff", "png16"])
def test_nothing_is_written_unless_asked(output_format: str) -> None:
    content = decode_photograph(photograph("JPEG", exif_of_a_camera()))
    assert content.exif is not None
    assert b"WGS-84-MARK" in written(output_format, content.exif)
    data = written(output_format, None)
    assert b"WGS-84-MARK" not in data
    assert not {Base.Make, Base.Model, Base.DateTime, IFD.GPSInfo, IFD.Exif} & set(read(data))


def test_a_thumbnail_is_left_out() -> None:
    # A second directory, which is where thumbnails are: a tag of it is found in the input only.
    exif = exif_of_a_camera().tobytes()
    head, body = exif[:6], bytearray(exif[6:])
    end = 8 + 2 + 12 * int.from_bytes(body[8:10], "big")
    second = b"\0\1" + b"\x01\x0e\0\2\0\0\0\4" + b"TMB\0" + bytes(4)
    body[end : end + 4] = len(body).to_bytes(4, "big")
    data = photograph("JPEG", head + bytes(body) + second)
    assert read(data).get_ifd(IFD.IFD1)
    content = decode_photograph(data)
    assert content.exif is not None
    assert b"TMB" in data
    assert b"TMB" not in content.exif


def test_where_there_is_nothing_nothing_is_kept() -> None:
    for kind in ("JPEG", "PNG", "TIFF", "BMP"):
        file = io.BytesIO()
        PHOTOGRAPH.save(file, kind)
        assert decode_photograph(file.getvalue()).exif is None
    turned = Image.Exif()
    turned[Base.Orientation] = 3
    assert decode_photograph(photograph("JPEG", turned)).exif is None


@pytest.mark.parametrize(
    "damaged",
    [
        b"Exif\0\0garbage garbage",
        b"Exif\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xff" * 40,
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        exif_of_a_camera().tobytes()[:70],
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_data_are_no_reason_to_refuse_a_picture(kind: str, damaged: bytes) -> None:
    assert decode_photograph(photograph(kind, damaged)).picture.size in ((60, 40), (40, 60))


def test_any_damaged_byte_is_no_reason_either() -> None:
    exif = exif_of_a_camera().tobytes()
    for position in range(6, len(exif)):
        changed = bytearray(exif)
        changed[position] ^= 0xA5
        content = decode_photograph(photograph("JPEG", bytes(changed)))
        for output_format in ("png", "jpeg", "webp", "tiff"):
            encode(PAINTED, output_format, exif=content.exif)  # type: ignore[arg-type]


def test_data_that_no_jpeg_can_carry_are_left_out() -> None:
    exif = exif_of_a_camera()
    exif[IFD.Exif] = {Base.UserComment: bytes(70_000)}
    content = decode_photograph(photograph("PNG", exif))
    assert content.exif is None


def test_xmp_is_never_kept() -> None:
    file = io.BytesIO()
    options: dict[str, Any] = {"xmp": b"<x:xmpmeta>MARK</x:xmpmeta>"}
    PHOTOGRAPH.save(file, "JPEG", exif=exif_of_a_camera(), **options)
    content = decode_photograph(file.getvalue())
    assert b"MARK" in file.getvalue()
    assert b"xmpmeta" not in written("jpeg", content.exif)
