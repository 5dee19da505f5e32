from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import combinations
from typing import get_args

import pytest
import torch
from PIL import Image, ImageChops
from torch import Tensor, nn

from nst_core.color import color_statistics, luminance
from nst_core.errors import InvalidOptions
from nst_core.fast import paint_fast
from nst_core.fast_models import FastModels
from nst_core.gallery import Gallery
from nst_core.image import to_picture, to_tensor
from nst_core.normalization import calibration_images
from nst_core.options import Color, FastOptions
from nst_core.picture import decode
from nst_core.transformer import FastStyle, TransformerNetwork

CONTENT = to_picture(calibration_images(1, 96)).crop((0, 0, 96, 70))

#: Of so little contrast that hardly any pixel leaves [0, 1] when a painting gets its colours.
SOFT_CONTENT = CONTENT.point(lambda value: 100 + value // 8)

#: A level of a file of 8 bits.
LEVEL = 1 / 255


@pytest.fixture(scope="module")
def network() -> TransformerNetwork:
    torch.manual_seed(0)
    return TransformerNetwork((4, 6, 8), blocks=1).eval().requires_grad_(False)


def plain(network: TransformerNetwork, *vectors: Tensor) -> FastStyle:
    """A style of these vectors, or of the neutral one, for strokes of 512 pixels and of twice as many each."""
    chosen = torch.stack(vectors or (network.neutral_style(),))
    return FastStyle(network, chosen, tuple(512 * 2**k for k in range(len(chosen))))


def painted(network: TransformerNetwork, content: Image.Image = CONTENT, **options: object) -> Image.Image:
    styles = [plain(network)]
    return paint_fast(content, styles, FastOptions(**options))  # type: ignore[arg-type]


def chrominance(image: Tensor) -> Tensor:
    """What is left of the channels without the luminance; I and Q are made of it."""
    return image - luminance(image)


@pytest.mark.parametrize(("size", "expected"), [(96, (96, 70)), (75, (75, 55)), (130, (130, 95))])
def test_the_long_side_is_what_was_asked_for(network: TransformerNetwork, size: int, expected: tuple[int, int]) -> None:
    assert painted(network, size=size).size == expected


def test_strength_goes_from_the_photograph_to_the_painting(network: TransformerNetwork) -> None:
    def distance(picture: Image.Image) -> float:
        return sum(i * n for i, n in enumerate(ImageChops.difference(picture, CONTENT).convert("L").histogram()))

    none, half, full = (distance(painted(network, size=96, strength=s)) for s in (0.0, 0.5, 1.0))
    assert none == 0
    assert 0 < half < full


@pytest.mark.parametrize("strength", [1.0, 0.6])
def test_luminance_keeps_the_contents_chrominance_wherever_no_channel_clips(
    network: TransformerNetwork, strength: float
) -> None:
    result = to_tensor(painted(network, size=96, color=["luminance"], strength=strength))
    content = to_tensor(CONTENT)
    whole = to_tensor(painted(network, size=96, color=["luminance"]))
    inside = ((whole > 0) & (whole < 1)).all(1, keepdim=True)
    assert inside.float().mean() > 0.5
    assert ((chrominance(result) - chrominance(content)) * inside).abs().max() < LEVEL
    assert (luminance(result) - luminance(content)).abs().mean() > 10 * LEVEL


@pytest.mark.parametrize("color", ["match-cholesky", "match-pca", "match-mkl"])
def test_a_matched_painting_has_mean_and_covariance_of_the_content(network: TransformerNetwork, color: Color) -> None:
    result = to_tensor(painted(network, SOFT_CONTENT, size=96, color=[color]))
    mean, covariance = color_statistics(result)
    wanted_mean, wanted = color_statistics(to_tensor(SOFT_CONTENT))
    torch.testing.assert_close(mean, wanted_mean, atol=LEVEL / 2, rtol=0)
    torch.testing.assert_close(covariance, wanted, atol=2e-5, rtol=0.05)


def test_a_painting_with_matched_histograms_has_the_values_of_the_content(network: TransformerNetwork) -> None:
    result = to_tensor(painted(network, size=96, color=["match-histogram"])).flatten(2).sort().values
    wanted = to_tensor(CONTENT).flatten(2).sort().values
    assert (result - wanted).abs().mean() < LEVEL


@pytest.mark.parametrize("color", [color for color in get_args(Color) if color != "style"])
def test_colors_that_are_not_the_styles_change_the_painting(network: TransformerNetwork, color: Color) -> None:
    plain, result = (to_tensor(painted(network, size=96, color=[name])) for name in ("style", color))
    assert (result - plain).abs().mean() > 5 * LEVEL


@pytest.mark.parametrize("color", get_args(Color))
def test_strength_mixes_the_photograph_with_the_colored_painting(network: TransformerNetwork, color: Color) -> None:
    none, half, full = (to_tensor(painted(network, size=96, color=[color], strength=s)) for s in (0.0, 0.5, 1.0))
    assert torch.equal(none, to_tensor(CONTENT))
    assert (half - (none + full) / 2).abs().max() <= LEVEL


@pytest.mark.parametrize("color", ["luminance", "match-cholesky", "match-pca", "match-mkl"])
def test_a_grey_photograph_stays_grey(network: TransformerNetwork, color: Color) -> None:
    result = to_tensor(painted(network, CONTENT.convert("L").convert("RGB"), size=96, color=[color]))
    # Not to the last digit: the covariance that is aimed at carries a small diagonal.
    assert chrominance(result).square().mean().sqrt() < LEVEL


@pytest.mark.parametrize("color", [color for color in get_args(Color) if color != "style"])
def test_a_photograph_of_one_color_stays_it(network: TransformerNetwork, color: Color) -> None:
    result = painted(network, Image.new("RGB", (64, 32), (200, 120, 40)), size=64, color=[color])
    distance = to_tensor(result) - torch.tensor([200.0, 120.0, 40.0]).view(1, 3, 1, 1) / 255
    assert distance.abs().mean() < 2 * LEVEL


def test_a_result_that_is_too_narrow_is_refused(network: TransformerNetwork) -> None:
    with pytest.raises(InvalidOptions, match="must be at least 32"):
        paint_fast(Image.new("RGB", (400, 40)), [plain(network)], FastOptions(size=100))


def test_the_colors_of_several_styles_are_refused(network: TransformerNetwork) -> None:
    with pytest.raises(InvalidOptions, match="2 for 1 style"):
        painted(network, size=96, color=["luminance", "match-mkl"])


def test_every_style_of_the_program_paints_its_own_way() -> None:
    models = FastModels(Gallery(), torch.device("cpu"))
    photograph = decode(models.gallery.sample())
    photograph.thumbnail((96, 96))
    pictures = {}
    for style in models.gallery.all():
        assert len(models.gallery.weights(style.id)) <= 2_000_000
        assert style.title
        assert style.training["steps"] > 0
        assert style.losses["style"] < 0.2
        picture = paint_fast(photograph, [models.get(style.id)], FastOptions(size=96))
        assert picture.size == photograph.size
        pictures[style.id] = to_tensor(picture)
    assert len(pictures) >= 6
    for one, other in combinations(pictures, 2):
        assert (pictures[one] - pictures[other]).abs().mean() > 0.02, (one, other)


def test_styles_that_share_a_network_blend_by_their_vectors(network: TransformerNetwork) -> None:
    one, other = network.neutral_style(), network.neutral_style() * 0.5 + 0.3
    blended = paint_fast(
        CONTENT, [plain(network, one), plain(network, other)], FastOptions(size=96, style_weights=(1.0, 3.0))
    )
    between = paint_fast(CONTENT, [plain(network, 0.25 * one + 0.75 * other)], FastOptions(size=96))
    assert (to_tensor(blended) - to_tensor(between)).abs().max() <= LEVEL


def other_network() -> TransformerNetwork:
    torch.manual_seed(1)
    return TransformerNetwork((4, 6, 8), blocks=1).eval().requires_grad_(False)


def test_styles_with_networks_of_their_own_blend_in_the_picture(network: TransformerNetwork) -> None:
    styles = [plain(net) for net in (network, other_network())]
    first, second = (to_tensor(paint_fast(CONTENT, [style], FastOptions(size=96))) for style in styles)
    blended = to_tensor(paint_fast(CONTENT, styles, FastOptions(size=96, style_weights=(3.0, 1.0))))
    assert (blended - (0.75 * first + 0.25 * second)).abs().max() <= 2 * LEVEL


def test_each_style_is_painted_where_its_mask_is_white_and_the_rest_stays(network: TransformerNetwork) -> None:
    styles = [plain(net) for net in (network, other_network())]
    left, middle = Image.new("L", (96, 70)), Image.new("L", (96, 70))
    left.paste(255, (0, 0, 40, 70))
    middle.paste(255, (40, 0, 70, 70))
    painted = to_tensor(paint_fast(CONTENT, styles, FastOptions(size=96), masks=[left, middle]))
    first, second = (to_tensor(paint_fast(CONTENT, [style], FastOptions(size=96))) for style in styles)
    parts = (first[..., :40], second[..., 40:70], to_tensor(CONTENT)[..., 70:])
    assert (painted - torch.cat(parts, dim=3)).abs().max() <= LEVEL
    kept = paint_fast(CONTENT, styles, FastOptions(size=96, color=("luminance", "style")), masks=[left, middle])
    difference = chrominance(to_tensor(kept)) - chrominance(to_tensor(CONTENT))
    assert difference[..., :40].abs().median() < LEVEL


def test_masks_and_styles_come_in_pairs(network: TransformerNetwork) -> None:
    with pytest.raises(InvalidOptions, match="2 masks, 1 style"):
        paint_fast(CONTENT, [plain(network)], FastOptions(size=96), masks=[CONTENT, CONTENT])


def test_the_size_of_the_strokes_is_the_results_or_what_is_asked_for(network: TransformerNetwork) -> None:
    small, large = network.neutral_style(), network.neutral_style() * 0.5 + 0.3
    style = plain(network, small, large)

    def picture(style: FastStyle, **options: int) -> Tensor:
        return to_tensor(paint_fast(CONTENT, [style], FastOptions(**options)))  # type: ignore[arg-type]

    assert torch.equal(picture(style, size=96), picture(plain(network, small), size=96))
    assert torch.equal(picture(style, size=96, style_size=1024), picture(plain(network, large), size=96))
    between = picture(plain(network, (small + large) / 2), size=96)
    assert (picture(style, size=96, style_size=724) - between).abs().max() <= 2 * LEVEL
    assert torch.equal(picture(style, size=1200), picture(style, size=1200, style_size=1024))


@pytest.mark.parametrize("style_size", [256, 2048])
def test_strokes_of_a_size_that_was_not_learned_are_refused(network: TransformerNetwork, style_size: int) -> None:
    style = plain(network, network.neutral_style(), network.neutral_style())
    with pytest.raises(InvalidOptions, match=f"512 to 1024, not {style_size}"):
        paint_fast(CONTENT, [style], FastOptions(size=96, style_size=style_size))
    with pytest.raises(InvalidOptions, match="of 512, not"):
        paint_fast(CONTENT, [plain(network)], FastOptions(size=96, style_size=style_size))


def test_a_style_sees_the_grain_that_it_was_trained_with(network: TransformerNetwork) -> None:
    style = plain(network)
    grey, flat = Image.new("RGB", (96, 64), "grey"), FastOptions(size=96)
    without, with_grain = (paint_fast(grey, [replace(style, grain=d)], flat) for d in (0.0, 0.1))
    # Away from the borders there is nothing to see in the one, and something in the other.
    assert to_tensor(without)[..., 16:-16, 16:-16].std((2, 3)).max() < LEVEL
    assert to_tensor(with_grain)[..., 16:-16, 16:-16].std((2, 3)).max() > 5 * LEVEL
    assert paint_fast(grey, [replace(style, grain=0.1)], flat).tobytes() == with_grain.tobytes()


@contextmanager
def room(network: TransformerNetwork, rows: int) -> Iterator[None]:
    """So many rows of a picture fit into the memory."""

    def check(_: nn.Module, given: tuple[Tensor]) -> None:
        if given[0].shape[2] > rows:
            raise torch.OutOfMemoryError

    hook = network.down[0].register_forward_pre_hook(check)
    yield
    hook.remove()


def test_out_of_memory_a_picture_is_painted_in_strips(network: TransformerNetwork) -> None:
    tall = CONTENT.rotate(90, expand=True)
    whole = painted(network, tall, size=600)
    with room(network, rows=350):
        strips = painted(network, tall, size=600)
    assert max(high for _, high in ImageChops.difference(strips, whole).getextrema()) <= 1
    with room(network, rows=60), pytest.raises(torch.OutOfMemoryError):
        painted(network, tall, size=600)
