"""Images and bodies that clients may send, and those that they may not."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from errno import ENOSPC
from tempfile import SpooledTemporaryFile

import imagecodecs
import numpy as np
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nst_core.options import SMALLEST_SIDE

MakePicture = Callable[..., bytes]

KINDS = ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "HEIF", "AVIF"]


def post(client, content: bytes, style: bytes):
    return client.post("/jobs", files={"content": ("a.png", content), "style": ("b.png", style)})


def animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (64, 64), color) for color in ("red", "green")]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=100)
    return file.getvalue()


def claimed_png(width: int, height: int) -> bytes:
    """A small file that says it is large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 10_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        *((mode, "PNG") for mode in ("1", "L", "LA", "I;16", "P", "RGB", "RGBA")),
        *((mode, "JPEG") for mode in ("L", "RGB", "CMYK")),
        *((mode, "TIFF") for mode in ("1", "L", "I;16", "F", "RGB", "RGBA", "CMYK")),
        ("P", "GIF"),
        ("RGB", "BMP"),
        ("RGBA", "WEBP"),
        *((mode, kind) for mode in ("RGB", "RGBA") for kind in ("HEIF", "AVIF")),
    ],
)
def test_still_images_of_every_kind_are_taken(client, picture: MakePicture, png: bytes, mode: str, kind: str) -> None:
    assert post(client, picture(mode=mode, kind=kind), png).status_code == 202


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_images_of_16_bits_are_taken(client, png: bytes, channels: int) -> None:
    samples = np.full((80, 100, channels), 40_000, np.uint16)
    response = post(client, bytes(imagecodecs.png_encode(samples)), png)
    assert response.status_code == 202
    assert response.json()["input"]["params"]["size"] == 100


def test_a_camera_s_several_renditions_are_one_picture(client, png: bytes) -> None:
    file = io.BytesIO()
    rendition = Image.new("RGB", (40, 30))
    Image.new("RGB", (100, 80)).save(file, "MPO", save_all=True, append_images=[rendition])
    response = post(client, file.getvalue(), png)
    assert response.status_code == 202
    assert response.json()["input"]["params"]["size"] == 100


@pytest.mark.parametrize("name", ["content", "style", "init_image"])
def test_every_image_is_looked_at(client, png: bytes, name: str) -> None:
    sent = dict.fromkeys(("content", "style", "init_image"), ("a.png", png)) | {name: ("a.png", png[:60])}
    response = client.post("/jobs", files=sent, data={"init": "image"})
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == f"#/{name}"


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_animated_images_are_refused(client, png: bytes, kind: str) -> None:
    response = post(client, animated(kind), png)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_image")
    assert "animated" in response.json()["detail"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kept", [0.1, 0.6, 0.9])
def test_truncated_images_are_refused(client, png: bytes, kind: str, kept: float) -> None:
    file = io.BytesIO()
    Image.effect_noise((100, 80), 50).convert("P" if kind == "GIF" else "RGB").save(file, kind)
    response = post(client, file.getvalue()[: int(len(file.getvalue()) * kept)], png)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_image")


@pytest.mark.parametrize(
    "data",
    [
        b"just some text",
        b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"/>',
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n",
        b"%PDF-1.7\n",
        b"\x00" * 100,
        b"PK\x03\x04" + b"\x00" * 100,
        b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 100,
    ],
)
def test_other_files_are_refused_whatever_their_name(client, png: bytes, data: bytes) -> None:
    response = post(client, data, png)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_format")
    assert "PNG" in response.json()["detail"]


def test_formats_that_are_not_read_are_refused(client, picture: MakePicture, png: bytes) -> None:
    assert post(client, picture(kind="PPM"), png).status_code == 415


def test_an_empty_file_is_refused(client, png: bytes) -> None:
    response = post(client, b"", png)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_image")


@pytest.mark.parametrize("side", [10_000, 50_000, 2**31 - 1])
def test_a_small_file_that_claims_many_pixels_is_refused(client, png: bytes, side: int) -> None:
    response = post(client, claimed_png(side, side), png)
    assert (response.status_code, response.json()["code"]) == (413, "image_too_large")
    assert "NST_MAX_IMAGE_PIXELS" in response.json()["detail"]


def test_the_limits_on_pixels_are_settings(make_client, picture: MakePicture, png: bytes) -> None:
    client = make_client(max_image_pixels=10_000, max_image_side=150)
    assert post(client, picture(100, 100), png).status_code == 202
    assert "10000" in post(client, picture(101, 100), png).json()["detail"]
    assert "150" in post(client, picture(151, 20), png).json()["detail"]


def test_a_tiny_image_is_refused(client, picture: MakePicture, png: bytes) -> None:
    assert post(client, picture(15, SMALLEST_SIDE), png).status_code == 400


def test_a_file_over_the_limit_is_refused(make_client, picture: MakePicture, png: bytes) -> None:
    client = make_client(max_upload_bytes=len(png))
    assert post(client, png, png).status_code == 202
    response = post(client, png, png + b"\0")
    assert (response.status_code, response.json()["code"]) == (413, "upload_too_large")
    assert response.json()["errors"][0]["pointer"] == "#/style"
    assert str(len(png)) in response.json()["detail"]
    assert "NST_MAX_UPLOAD_BYTES" in response.json()["detail"]


# Bodies


def multipart(parts: bytes) -> tuple[bytes, dict[str, str]]:
    return parts, {"content-type": "multipart/form-data; boundary=x"}


def file_part(name: str, data: bytes) -> bytes:
    return f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="a"\r\n\r\n'.encode() + data + b"\r\n"


def test_a_body_over_the_limit_is_refused_before_it_is_read(make_client, monkeypatch: pytest.MonkeyPatch) -> None:
    def stream(request: object) -> Iterator[bytes]:
        pytest.fail("the body was read")

    monkeypatch.setattr("starlette.requests.Request.stream", stream)
    client = make_client(max_request_bytes=2000)
    headers = {"content-type": "multipart/form-data; boundary=x", "content-length": "100000"}
    response = client.post("/jobs", content=iter([b"x"]), headers=headers)
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    assert "2000" in response.json()["detail"]
    assert "NST_MAX_REQUEST_BYTES" in response.json()["detail"]


def test_a_body_without_a_length_is_refused_when_it_gets_over_the_limit(make_client) -> None:
    client = make_client(max_request_bytes=10_000, max_upload_bytes=10**9)
    response = client.post(
        "/jobs",
        content=iter([file_part("content", b"")[:-2], *[b"x" * 1000] * 20]),
        headers={"content-type": "multipart/form-data; boundary=x"},
    )
    assert "content-length" not in response.request.headers
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


def test_a_full_folder_of_temporary_files_is_told(client, png: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    files = {"content": png + b"." * 2_000_000, "style": png}
    with monkeypatch.context() as patch:
        patch.setattr(SpooledTemporaryFile, "rollover", full)
        response = client.post("/jobs", files=files)
    assert (response.status_code, response.json()["code"]) == (503, "disk_full")
    assert int(response.headers["retry-after"]) > 0
    assert client.post("/jobs", files=files).status_code == 202


def test_too_many_parts_are_refused(client, png: bytes) -> None:
    for part in (file_part("style", b""), b'--x\r\nContent-Disposition: form-data; name="seed"\r\n\r\n1\r\n'):
        body, headers = multipart(part * 10_000 + b"--x--\r\n")
        response = client.post("/jobs", content=body, headers=headers)
        assert (response.status_code, response.json()["code"]) == (400, "malformed_body")


def test_a_huge_field_is_refused(client, png: bytes) -> None:
    response = client.post("/jobs", files={"content": png, "style": png}, data={"metadata": "x" * 100_000})
    assert (response.status_code, response.json()["code"]) == (400, "malformed_body")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json; charset=utf-16", 415),
        ("application/json", 400),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
        ("multipart/form-data; boundary=x; charset=utf-7", 415),
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=", 400),
        ("multipart/form-data; boundary=" + "y" * 5000, 400),
        ("multipart/form-data; boundary=other", 400),
        ("multipart/form-data; boundary=\x7f\xff", 400),
    ],
)
def test_other_content_types_are_refused(client, png: bytes, content_type: str, status: int) -> None:
    body = file_part("content", png) + file_part("style", png) + b"--x--\r\n"
    response = client.post("/jobs", content=body, headers={"content-type": content_type.encode("latin-1")})
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00" * 100,
        b"--x",
        b"--x\r\n",
        b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n",
        b"--x\r\n\r\n1\r\n--x--\r\n",
        b"--x\r\nContent-Disposition: form-data; name=\"size\"\r\n\r\n64\r\n",
        b"--x\r\nContent-Disposition: form-data; name=\"size\"; filename=\"",
        b"--x\r\nContent-Disposition: form-data; name=\"size\r\n\r\n64\r\n--x",
        b"--x\r\n" + b"A" * 20_000 + b": b\r\n\r\n1\r\n--x--\r\n",
        b"--x\r\n" + b"A: b\r\n" * 1000 + b"\r\n1\r\n--x--\r\n",
        b"--x\r\n\x00\x01: b\r\n\r\n1\r\n--x--\r\n",
        file_part("content", b"\x89PNG")[:-10],
    ],
)  # fmt: skip
def test_broken_bodies_are_refused(client, body: bytes) -> None:
    body, headers = multipart(body)
    response = client.post("/jobs", content=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "malformed_body")


@pytest.mark.parametrize("name", ["\x00", "\ud7ff\ufffd", "é" * 500, "%", "../../x", "'; --"])
def test_odd_field_names_are_refused_as_unknown(client, png: bytes, name: str) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="' + name.encode() + b'"\r\n\r\n1\r\n'
    body, headers = multipart(part + file_part("content", png) + file_part("style", png) + b"--x--\r\n")
    response = client.post("/jobs", content=body, headers=headers)
    assert response.status_code in (400, 422)
    assert len(response.content) < 10_000


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=st.binary(max_size=60), tail=st.binary(max_size=200), cut=st.integers(0, 400))
def test_no_body_is_a_fault_of_the_server(client, png: bytes, head: bytes, tail: bytes, cut: int) -> None:
    body, headers = multipart((b"--x\r\n" + head + file_part("content", png[:cut] + tail) + b"--x--\r\n")[: 400 + cut])
    assert 400 <= client.post("/jobs", content=body, headers=headers).status_code < 500


@settings(max_examples=100, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 200), byte=st.integers(0, 255), kind=st.sampled_from(KINDS))
def test_no_image_is_a_fault_of_the_server(
    client, picture: MakePicture, png: bytes, position: int, byte: int, kind: str
) -> None:
    data = bytearray(picture(20, 20, kind=kind))
    data[position % len(data)] = byte
    assert post(client, bytes(data), png).status_code in (202, 400, 413, 415, 422)


@pytest.mark.parametrize(
    "name",
    [
        *("../../../../etc/passwd", "/etc/passwd", "..\\..\\a.png", "C:\\a.png", "a.png\\0.php", "\u202egnp.exe", "."),
        *("", " ", "con", "|id", "$(id)", "<script>", "a" * 1000),
    ],
)
def test_the_name_of_a_file_means_nothing(client, redis_url: str, png: bytes, name: str) -> None:
    sent = file_part("content", png).replace(b'"a"', b'"' + name.encode() + b'"', 1) + file_part("style", png)
    body, headers = multipart(sent + b"--x--\r\n")
    response = client.post("/jobs", content=body, headers=headers)
    assert response.status_code == 202
    if len(name) > 5:
        with redis.Redis.from_url(redis_url) as kept:
            stored = b"".join(kept.get(key) or b"" for key in kept.scan_iter() if kept.type(key) == b"string")
        assert name.encode() not in response.content + stored


@pytest.mark.parametrize(
    "disposition",
    [
        b'form-data; name="content"; filename="' + b"a" * 20_000 + b'"',
        b'form-data; name="' + b"a" * 20_000 + b'"',
        b"form-data; " + b'name="content"; ' * 2000,
        b"form-data; name*=utf-8''content; filename*=utf-8''%00%ff",
        b"attachment; filename=../x",
        b"\xff\xfe",
    ],
)
def test_odd_headers_of_a_part_are_refused(client, png: bytes, disposition: bytes) -> None:
    part = b"--x\r\nContent-Disposition: " + disposition + b"\r\n\r\n" + png + b"\r\n"
    body, headers = multipart(part + file_part("style", png) + b"--x--\r\n")
    response = client.post("/jobs", content=body, headers=headers)
    assert response.status_code in (400, 422)
    assert len(response.content) < 10_000


def test_a_form_in_a_form_is_a_file_that_is_none(client, png: bytes) -> None:
    inner = file_part("content", png).replace(b"--x", b"--y") + b"--y--\r\n"
    nested = file_part("content", inner).replace(
        b"\r\n\r\n", b"\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n", 1
    )
    body, headers = multipart(nested + file_part("style", png) + b"--x--\r\n")
    response = client.post("/jobs", content=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_format")


@pytest.mark.parametrize("size", [(100_000, 16), (16, 100_000)])
def test_a_picture_that_is_a_line_is_refused(client, picture: MakePicture, png: bytes, size: tuple[int, int]) -> None:
    response = post(client, picture(*size, mode="1"), png)
    assert (response.status_code, response.json()["code"]) == (413, "image_too_large")


def test_much_metadata_is_no_part_of_the_picture(client, picture: MakePicture, png: bytes) -> None:
    exif = Image.Exif()
    exif[0x010F] = "x" * 65_000
    response = post(client, picture(kind="JPEG", exif=exif, comment=b"y" * 65_000), png)
    assert response.status_code == 202
