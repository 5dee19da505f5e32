"""Pictures of 16 bits per channel, in files and on their way through the engines."""

import io
import struct
import zlib
from contextlib import suppress
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray
from PIL import Image

from nst_core.deep import DeepPicture, eight_bits
from nst_core.errors import InvalidImage
from nst_core.fast import paint_fast, paint_fast_image
from nst_core.gatys import Subject, paint
from nst_core.image import to_deep_picture, to_picture, to_tensor
from nst_core.options import FastOptions, GatysOptions
from nst_core.picture import Photograph, decode, decode_photograph, encode, with_alpha
from nst_core.pretrained import load_encoder
from nst_core.profiles import srgb_profile
from nst_core.record import KEY, Record
from nst_core.transformer import FastStyle, TransformerNetwork

Samples = NDArray[np.uint16]

RANDOM = np.random.default_rng(0)
NOISE = RANDOM.integers(0, 65536, (40, 56, 4), dtype=np.uint16)

#: From black to white in steps that 8 bits do not have: 64 x 64 different levels in each channel.
GRADIENT = np.repeat(np.linspace(0, 65535, 64 * 64).round().astype(np.uint16).reshape(64, 64, 1), 3, 2)


def png(samples: Samples, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of these samples, (H, W) or (H, W, C), with further chunks before its pixels."""
    file = imagecodecs.png_encode(np.ascontiguousarray(samples))
    added = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return bytes(file[:33] + added + file[33:])


def tiff(samples: Samples, **options: Any) -> bytes:
    file = io.BytesIO()
    options = {"photometric": "minisblack" if samples.ndim == 2 else "rgb", "metadata": None, **options}
    tifffile.imwrite(file, np.ascontiguousarray(samples), **options)
    return file.getvalue()


def profile_chunk(profile: bytes) -> tuple[bytes, bytes]:
    return b"iCCP", b"profile\0\0" + zlib.compress(profile)


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes().removeprefix(b"Exif\0\0")


def samples_of(photograph: Photograph) -> Samples:
    assert isinstance(photograph.picture, DeepPicture)
    assert photograph.picture.samples.dtype == np.uint16
    return photograph.picture.samples


def test_a_png_gives_its_samples() -> None:
    photograph = decode_photograph(png(NOISE[..., :3]))
    assert np.array_equal(samples_of(photograph), NOISE[..., :3])
    assert photograph.picture.size == (56, 40)
    assert photograph.alpha is None


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"compression": "adobe_deflate", "predictor": True},
        {"compression": "lzw", "predictor": True, "rowsperstrip": 7},
        {"compression": "packbits"},
        {"tile": (16, 32), "compression": "deflate"},
    ],
)
def test_a_tiff_gives_its_samples(options: dict[str, Any]) -> None:
    assert np.array_equal(samples_of(decode_photograph(tiff(NOISE[..., :3], **options))), NOISE[..., :3])


def test_a_tiff_of_separate_planes_gives_its_samples() -> None:
    planes = np.moveaxis(NOISE[..., :3], -1, 0)
    data = tiff(planes, planarconfig="separate", compression="adobe_deflate")
    assert np.array_equal(samples_of(decode_photograph(data)), NOISE[..., :3])


@pytest.mark.parametrize("make", [png, tiff])
def test_grey_is_the_same_in_all_channels(make: Any) -> None:
    assert np.array_equal(samples_of(decode_photograph(make(NOISE[..., 0]))), np.repeat(NOISE[..., :1], 3, 2))


def test_a_tiff_whose_white_is_0_is_turned_round() -> None:
    read = samples_of(decode_photograph(tiff(NOISE[..., 0], photometric="miniswhite")))
    assert np.array_equal(read, np.repeat(65535 - NOISE[..., :1], 3, 2))


@pytest.mark.parametrize("make", [png, lambda samples: tiff(samples, extrasamples=["unassalpha"])])
def test_transparency_is_laid_on_white(make: Any) -> None:
    photograph = decode_photograph(make(NOISE))
    weight = NOISE[..., 3:] / 65535
    assert abs(samples_of(photograph) - (NOISE[..., :3] * weight + 65535 * (1 - weight))).max() <= 0.5 + 1e-6
    assert photograph.alpha is not None
    assert abs(np.asarray(photograph.alpha) - NOISE[..., 3] / 257).max() <= 0.5


def test_grey_with_transparency() -> None:
    photograph = decode_photograph(png(NOISE[..., 2:]))
    assert np.ptp(samples_of(photograph), axis=2).max() == 0
    assert photograph.alpha is not None


@pytest.mark.parametrize("make", [png, lambda samples: tiff(samples, extrasamples=["unassalpha"])])
def test_what_is_opaque_everywhere_is_not_changed(make: Any) -> None:
    opaque = np.dstack([NOISE[..., :3], np.full((40, 56), 65535, np.uint16)])
    photograph = decode_photograph(make(opaque))
    assert np.array_equal(samples_of(photograph), opaque[..., :3])
    assert photograph.alpha is None


def test_a_colour_that_stands_for_nothing_is_transparent() -> None:
    plain = np.full((40, 56, 3), 20_000, np.uint16)
    plain[:, :10] = 30_001
    photograph = decode_photograph(png(plain, (b"tRNS", struct.pack(">3H", *[30_001] * 3))))
    assert samples_of(photograph)[0, :12, 0].tolist() == [65535] * 10 + [20_000] * 2
    assert photograph.alpha is not None
    assert photograph.alpha.getextrema() == (0, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_that_of_8_bits(orientation: int) -> None:
    # Nothing is lost of these on the way to 8 bits.
    samples = (NOISE[..., :3] // 257) * 257
    photograph = decode_photograph(png(samples, (b"eXIf", exif(orientation))))
    tagged = io.BytesIO()
    tags = Image.Exif()
    tags[0x0112] = orientation
    Image.fromarray((samples // 257).astype(np.uint8)).save(tagged, "PNG", exif=tags)
    assert eight_bits(photograph.picture).tobytes() == decode(tagged.getvalue()).tobytes()
    turned_tiff = decode_photograph(tiff(samples, extratags=[(274, 3, 1, orientation, True)]))
    assert np.array_equal(samples_of(turned_tiff), samples_of(photograph))


def linear_srgb(samples: Samples) -> NDArray[np.float64]:
    value = samples / 65535
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("make", ["png", "tiff"])
def test_a_gamma_of_another_profile_is_converted_at_16_bits(make: str) -> None:
    # The primaries of sRGB with values proportional to light: only the curve of sRGB has to be applied.
    given = np.ascontiguousarray(GRADIENT)
    primaries, white = [0.64, 0.33, 0.3, 0.6, 0.15, 0.06], [0.3127, 0.329, 1.0]
    linear = imagecodecs.cms_profile("rgb", whitepoint=white, primaries=primaries, gamma=1.0)
    data = png(given, profile_chunk(linear)) if make == "png" else tiff(given, iccprofile=linear)
    converted = samples_of(decode_photograph(data))
    assert abs(linear_srgb(converted) - given / 65535).max() < 2e-4
    assert len(np.unique(converted[..., 0])) > 2000


def test_swapped_primaries_swap_the_channels() -> None:
    swapped = imagecodecs.cms_profile(
        "rgb", whitepoint=[0.3127, 0.329, 1.0], primaries=[0.3, 0.6, 0.64, 0.33, 0.15, 0.06], gamma=2.2
    )
    straight = imagecodecs.cms_profile(
        "rgb", whitepoint=[0.3127, 0.329, 1.0], primaries=[0.64, 0.33, 0.3, 0.6, 0.15, 0.06], gamma=2.2
    )
    one = samples_of(decode_photograph(png(NOISE[..., [1, 0, 2]], profile_chunk(swapped)))).astype(int)
    other = samples_of(decode_photograph(png(NOISE[..., :3], profile_chunk(straight)))).astype(int)
    assert abs(one - other).max() < 257  # a level of 8 bits
    assert np.median(abs(one - other)) <= 2


def test_a_grey_profile_is_honoured() -> None:
    linear = imagecodecs.cms_profile("gray", gamma=1.0)
    read = samples_of(decode_photograph(png(GRADIENT[..., 0], profile_chunk(linear))))
    assert abs(linear_srgb(read) - GRADIENT / 65535).max() < 0.01


@pytest.mark.parametrize("profile", [srgb_profile(), b"junk" * 50, imagecodecs.cms_profile("gray", gamma=1.0)])
def test_the_own_profile_and_unusable_ones_change_nothing(profile: bytes) -> None:
    read = decode_photograph(png(NOISE[..., :3], profile_chunk(profile)))
    assert np.array_equal(samples_of(read), NOISE[..., :3])


def test_it_is_rounded_where_8_bits_are_wanted() -> None:
    levels = np.repeat(np.arange(256, dtype=np.uint16)[None, :, None], 16, 0) * 257
    samples = np.repeat(levels, 3, 2)
    samples[:, 1:255] += RANDOM.integers(-128, 128, (16, 254, 1)).astype(np.int16).view(np.uint16)
    assert np.array_equal(np.asarray(decode(png(samples)))[0, :, 0], np.arange(256))


@pytest.mark.parametrize("kept", [0.05, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("make", [png, tiff, lambda samples: tiff(samples, compression="adobe_deflate")])
def test_truncated_files_are_refused(make: Any, kept: float) -> None:
    data = make(NOISE[..., :3])
    with pytest.raises(InvalidImage):
        decode_photograph(data[: int(kept * len(data))])


@pytest.mark.parametrize("make", [png, lambda samples: tiff(samples, compression="lzw")])
def test_damaged_files_are_refused_or_read(make: Any) -> None:
    data = make(NOISE[..., :3])
    positions = [*range(8, 200), *RANDOM.integers(200, len(data), 60).tolist()]
    for position in positions:
        damaged = bytearray(data)
        damaged[position] ^= 0x41
        with suppress(InvalidImage):
            decode_photograph(bytes(damaged))


def test_what_only_pillow_reads_has_8_bits() -> None:
    data = tiff(NOISE[..., :3], compression="lzma")
    picture = decode_photograph(data).picture
    assert isinstance(picture, Image.Image)
    assert abs(np.asarray(picture) - NOISE[..., :3] / 257).max() <= 1


def test_files_of_8_bits_stay_so() -> None:
    assert isinstance(decode_photograph(encode(Image.new("RGB", (20, 30)))).picture, Image.Image)


# Tensors


def test_a_deep_picture_survives_the_way_there_and_back() -> None:
    picture = DeepPicture(np.ascontiguousarray(NOISE[..., :3]))
    tensor = to_tensor(picture)
    assert tensor.shape == (1, 3, 40, 56)
    assert torch.equal(tensor[0, :, 0, 0], torch.tensor(NOISE[0, 0, :3].astype(np.float32)) / 65535)
    assert np.array_equal(to_deep_picture(tensor).samples, picture.samples)


def test_resizing_is_that_of_8_bits_without_its_rounding() -> None:
    # Not so light or dark that something would be cut off between the two passes of 8 bits, each of which rounds.
    picture = Image.fromarray((80 + NOISE[..., :3] % 96).astype(np.uint8))
    deep = DeepPicture(np.asarray(picture, np.uint16) * 257)
    assert (to_tensor(deep, (31, 23)) - to_tensor(picture, (31, 23))).abs().max() <= 2 / 255
    larger = to_tensor(DeepPicture(GRADIENT), (150, 150))
    assert len(larger[0, 0].mul(65535).round().unique()) > 5000
    assert 0 <= larger.min() <= larger.max() <= 1


def test_values_outside_are_cut_off() -> None:
    tensor = torch.tensor([-1.0, 0.5, 9.0]).view(1, 3, 1, 1)
    assert to_deep_picture(tensor).samples.tolist() == [[[0, 32768, 65535]]]


# Files that are written


@pytest.mark.parametrize("output_format", ["png", "tiff"])
@pytest.mark.parametrize("channels", [3, 4])
def test_a_file_has_the_samples_and_the_profile_of_srgb(output_format: Any, channels: int) -> None:
    samples = np.ascontiguousarray(NOISE[..., :channels])
    data = encode(DeepPicture(samples), output_format)
    if output_format == "png":
        assert np.array_equal(imagecodecs.png_decode(data), samples)
    else:
        assert np.array_equal(tifffile.imread(io.BytesIO(data)), samples)
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert (image.format, image.mode) == (output_format.upper(), "RGBA" if channels == 4 else "RGB")
        assert image.info["icc_profile"] == srgb_profile()
    assert encode(DeepPicture(samples), output_format) == data


@pytest.mark.parametrize("output_format", ["png", "tiff"])
def test_what_is_written_is_read_again(output_format: Any) -> None:
    picture = DeepPicture(GRADIENT)
    assert np.array_equal(samples_of(decode_photograph(encode(picture, output_format))), GRADIENT)
    alpha = Image.linear_gradient("L").resize((32, 32))
    read = decode_photograph(encode(with_alpha(picture, alpha), output_format))
    assert read.alpha is not None
    assert read.alpha.tobytes() == alpha.resize((64, 64), Image.Resampling.LANCZOS).tobytes()


def test_a_png_carries_its_record() -> None:
    record = Record(method="gatys", params={"note": "größer"})
    data = encode(DeepPicture(GRADIENT), text={KEY: record.to_json()})
    assert Record.from_file(data).params == {"note": "größer"}


def test_a_tiff_tells_neither_program_nor_time() -> None:
    with Image.open(io.BytesIO(encode(DeepPicture(GRADIENT), "tiff"))) as image:
        assert not {270, 305, 306} & dict(image.tag_v2).keys()


# The engines


@pytest.fixture(scope="module")
def style() -> FastStyle:
    torch.manual_seed(0)
    network = TransformerNetwork((4, 6, 8), blocks=1).eval().requires_grad_(False)
    return FastStyle(network, network.neutral_style()[None], (512,))


def left_half() -> Image.Image:
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (0, 0, 32, 64))
    return mask.convert("RGB")


def test_the_fast_engine_keeps_16_bits(style: FastStyle) -> None:
    content = DeepPicture(GRADIENT)
    unchanged = paint_fast_image(content, [style], FastOptions(size=64, strength=0.0))
    assert np.array_equal(to_deep_picture(unchanged).samples, GRADIENT)
    masked = to_deep_picture(paint_fast_image(content, [style], FastOptions(size=64), masks=[left_half()])).samples
    assert np.array_equal(masked[:, 34:], GRADIENT[:, 34:])
    assert not np.array_equal(masked[:, :30], GRADIENT[:, :30])
    shown = paint_fast(content, [style], FastOptions(size=64, strength=0.0))
    assert shown.tobytes() == to_picture(unchanged).tobytes()


def test_the_iterative_engine_keeps_16_bits() -> None:
    pattern = Image.effect_noise((64, 64), 80).convert("RGB")
    subject = Subject(content=DeepPicture(GRADIENT), styles=[pattern], masks=[left_half()])
    options = GatysOptions(size=64, iterations=2, precision="float32")
    *_, last = paint(subject, options, load_encoder("compact"))
    painted = last.deep_picture().samples
    assert np.array_equal(painted[:, 34:], GRADIENT[:, 34:])
    assert not np.array_equal(painted[:, :30], GRADIENT[:, :30])


@pytest.mark.parametrize("output_format", ["png", "tiff"])
@pytest.mark.parametrize("engine", ["fast", "gatys"])
def test_a_painted_gradient_has_more_than_256_levels(style: FastStyle, output_format: Any, engine: str) -> None:
    content = DeepPicture(GRADIENT)
    if engine == "fast":
        image = paint_fast_image(content, [style], FastOptions(size=64))
    else:
        pattern = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
        options = GatysOptions(size=64, iterations=2, precision="float32")
        *_, last = paint(Subject(content=content, styles=[pattern]), options, load_encoder("compact"))
        image = last.image
    data = encode(to_deep_picture(image), output_format)
    samples = imagecodecs.png_decode(data) if output_format == "png" else tifffile.imread(io.BytesIO(data))
    assert samples.dtype == np.uint16
    assert min(len(np.unique(samples[..., channel])) for channel in range(3)) > 256
