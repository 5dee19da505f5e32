import io
import json
from importlib import metadata
from types import SimpleNamespace

import pytest
from PIL import Image

from nst_core.picture import encode
from nst_core.record import KEY, NoRecord, Record, ScaleClock, ScaleTime

PICTURE = Image.new("RGB", (20, 30), "teal")

RECORD = Record(
    method="gatys",
    params={"size": 64, "color": ["style"], "preset": None, "note": "größer"},
    content_sha256="c" * 64,
    style_sha256=["5" * 64, "6" * 64],
    mask_sha256=["a" * 64],
    init_sha256="1" * 64,
    weights_sha256=["e" * 64],
    losses={"total": 0.5},
    similarity=0.75,
    device="cpu",
    stages=[ScaleTime(width=32, height=48, iterations=3, seconds=0.5)],
)


def test_a_png_carries_its_record() -> None:
    data = encode(PICTURE, "png", text={KEY: RECORD.to_json()})
    read = Record.from_file(data)
    for name in ("version", "method", "params", "content_sha256", "style_sha256", "mask_sha256", "init_sha256"):
        assert getattr(read, name) == getattr(RECORD, name)
    assert read.version == metadata.version("nst-server")
    with Image.open(io.BytesIO(data)) as image:
        assert image.tobytes() == PICTURE.tobytes()
        document = json.loads(image.text[KEY])
    assert document["output"] == {"losses": {"total": 0.5}, "similarity": 0.75}
    assert document["metrics"]["device"] == "cpu"
    assert document["metrics"]["stages"] == [{"width": 32, "height": 48, "iterations": 3, "seconds": 0.5}]


def test_other_formats_carry_none() -> None:
    assert encode(PICTURE, "webp", text={KEY: "x"}) == encode(PICTURE, "webp")


def test_a_file_of_json_is_read_too() -> None:
    assert Record.from_file(RECORD.to_json().encode()).params == RECORD.params


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no json",
        b"\xff\xd8\xff",
        b"[]",
        b"{}",
        b'{"method": "gatys", "input": {"params": [], "style_sha256": [], "content_sha256": null}}',
        encode(PICTURE, "jpeg"),
        encode(PICTURE, "png"),
        encode(PICTURE, "png", text={KEY: "{}"}),
        encode(PICTURE, "png", text={KEY: RECORD.to_json()})[:60],
    ],
)
def test_what_tells_nothing_is_refused(data: bytes) -> None:
    with pytest.raises(NoRecord):
        Record.from_file(data)


def test_the_iterations_of_each_scale_are_counted() -> None:
    sizes = [(32, 24)] * 3 + [(64, 48)] * 2
    iterates = [SimpleNamespace(width=width, height=height) for width, height in sizes]
    clock = ScaleClock()
    assert list(clock.watch(iterates)) == iterates
    assert [(s.width, s.height, s.iterations) for s in clock.scales] == [(32, 24, 3), (64, 48, 2)]
    assert all(s.seconds >= 0 for s in clock.scales)
