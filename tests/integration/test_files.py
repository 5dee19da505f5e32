"""Faithful files through the whole service."""

import io
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image
from PIL.ExifTags import Base

import nst_core.picture  # noqa: F401 - teaches Pillow to write HEIF
from tests.service import DEADLINE, Service, System


def test_16_bits_come_back_as_they_were_sent(service: Service) -> None:
    gradient = np.linspace(0, 65535, 96 * 64).round().astype(np.uint16).reshape(64, 96, 1).repeat(3, 2)
    response = service.http.post(
        "/jobs",
        files={"content": bytes(imagecodecs.png_encode(gradient))},
        data={"style_id": "waves", "strength": "0", "bit_depth": "16"},
    )
    assert np.array_equal(imagecodecs.png_decode(service.result(service.accepted(response))), gradient)


def test_a_phone_s_photograph_keeps_its_metadata_when_asked(system: System, service: Service, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Orientation] = "Maker", 6
    photograph, output = tmp_path / "photograph.heic", tmp_path / "painted.jpg"
    Image.effect_noise((96, 64), 60).convert("RGB").save(photograph, "HEIF", exif=exif.tobytes())
    for options, maker in (((), None), (("--keep-metadata",), "Maker")):
        command = system.nst(
            "submit", str(photograph), "--style-id=waves", f"--out={output}", *options, NST_URL=service.url
        )
        said, _ = command.communicate(timeout=DEADLINE)
        assert command.returncode == 0, said
        with Image.open(io.BytesIO(output.read_bytes())) as picture:
            assert picture.size == (64, 96)
            assert picture.getexif().get(Base.Make) == maker
            assert picture.getexif().get(Base.Orientation, 1) == 1
