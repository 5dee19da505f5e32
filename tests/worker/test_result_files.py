"""The file of a result: bits per channel, profile and metadata, as a job asks for them."""

import io
from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from jobs.contract import Job, Status
from jobs.memory import MemoryStore
from nst_core.picture import decode
from nst_core.profiles import srgb_profile
from nst_core.record import Record
from worker.runner import Runner

AddJob = Callable[..., Job]

#: 64 x 64 levels in each channel, which 8 bits do not have.
GRADIENT = np.repeat(np.linspace(0, 65535, 64 * 64).round().astype(np.uint16).reshape(64, 64, 1), 3, 2)
GRADIENT_PNG = bytes(imagecodecs.png_encode(GRADIENT))


@pytest.fixture(params=["fast", "gatys"])
def add(request: pytest.FixtureRequest) -> AddJob:
    """Adds a job of each engine."""
    name = "add_fast_job" if request.param == "fast" else "add_job"
    return request.getfixturevalue(name)  # type: ignore[no-any-return]


def result_of(runner: Runner, store: MemoryStore, job: Job) -> bytes:
    assert runner.run(job.id)
    assert store.get(job.id).status is Status.SUCCEEDED, store.get(job.id).error
    return store.result(job.id)


def samples(data: bytes) -> NDArray[np.uint16]:
    return imagecodecs.png_decode(data) if data.startswith(b"\x89PNG") else tifffile.imread(io.BytesIO(data))


def photograph() -> bytes:
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Orientation] = "Maker", 6
    exif[IFD.GPSInfo] = {GPS.GPSMapDatum: "WGS-84-MARK"}
    file = io.BytesIO()
    Image.effect_noise((96, 64), 60).convert("RGB").save(file, "JPEG", exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("output_format", ["png", "tiff"])
def test_a_painted_gradient_has_more_than_256_levels(
    runner: Runner, store: MemoryStore, add: AddJob, output_format: str
) -> None:
    data = result_of(runner, store, add(content=GRADIENT_PNG, output_format=output_format, bit_depth=16))
    painted = samples(data)
    assert (painted.dtype, painted.shape) == (np.uint16, (64, 64, 3))
    assert min(len(np.unique(painted[..., channel])) for channel in range(3)) > 256
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["icc_profile"] == srgb_profile()


def test_8_bits_are_the_rounding_of_16(runner: Runner, store: MemoryStore, add: AddJob) -> None:
    deep, plain = (result_of(runner, store, add(content=GRADIENT_PNG, bit_depth=depth)) for depth in (16, 8))
    with Image.open(io.BytesIO(plain)) as image:
        assert np.abs(np.asarray(image) - samples(deep) / 257).max() <= 0.5 + 1e-6


def test_what_is_not_painted_keeps_its_16_bits(runner: Runner, store: MemoryStore, add_fast_job: AddJob) -> None:
    data = result_of(runner, store, add_fast_job(content=GRADIENT_PNG, bit_depth=16, strength=0.0))
    assert np.array_equal(samples(data), GRADIENT)
    assert Record.from_file(data).params["bit_depth"] == 16


@pytest.mark.parametrize("output_format", ["png", "tiff"])
def test_16_bits_are_as_transparent_as_the_content(
    runner: Runner, store: MemoryStore, add_fast_job: AddJob, output_format: str
) -> None:
    alpha = GRADIENT[..., :1]
    content = bytes(imagecodecs.png_encode(np.dstack([GRADIENT, alpha])))
    painted = samples(
        result_of(runner, store, add_fast_job(content=content, bit_depth=16, output_format=output_format))
    )
    assert painted.shape == (64, 64, 4)
    assert np.abs(painted[..., 3] - alpha[..., 0].astype(int)).max() <= 129


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp", "tiff"])
def test_metadata_are_kept_only_when_asked(runner: Runner, store: MemoryStore, add: AddJob, output_format: str) -> None:
    content = photograph()
    assert b"WGS-84-MARK" in content
    without, kept = (
        result_of(runner, store, add(content=content, output_format=output_format, keep_metadata=keep))
        for keep in (False, True)
    )
    assert b"WGS-84-MARK" not in without
    assert b"Maker" not in without
    with Image.open(io.BytesIO(kept)) as image:
        image.load()
        exif = image.getexif()
    assert (exif[Base.Make], exif[Base.Orientation]) == ("Maker", 1)
    assert exif.get_ifd(IFD.GPSInfo)[GPS.GPSMapDatum] == "WGS-84-MARK"
    assert decode(kept).size == decode(without).size == (43, 64)


def test_metadata_go_into_a_png_of_16_bits(runner: Runner, store: MemoryStore, add_fast_job: AddJob) -> None:
    data = result_of(runner, store, add_fast_job(content=photograph(), bit_depth=16, keep_metadata=True))
    assert samples(data).dtype == np.uint16
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif()[Base.Make] == "Maker"
    assert Record.from_file(data).params["keep_metadata"] is True


def test_a_content_without_metadata_has_none_to_keep(runner: Runner, store: MemoryStore, add: AddJob) -> None:
    data = result_of(runner, store, add(keep_metadata=True))
    with Image.open(io.BytesIO(data)) as image:
        assert not image.getexif()


def test_the_same_job_gives_the_same_file(runner: Runner, store: MemoryStore, add_fast_job: AddJob) -> None:
    params = {"content": photograph(), "keep_metadata": True, "bit_depth": 16}
    first, second = (result_of(runner, store, add_fast_job(**params)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "params",
    [{"output_format": "jpeg", "bit_depth": 16}, {"output_format": "tiff", "bit_depth": 16, "keep_metadata": True}],
)
def test_what_the_front_end_of_another_version_let_through(
    runner: Runner, store: MemoryStore, add_fast_job: AddJob, params: dict[str, object]
) -> None:
    job_id = add_fast_job(**params).id
    assert runner.run(job_id)
    error = store.get(job_id).error
    assert error is not None
    assert error.code == "invalid_options"
