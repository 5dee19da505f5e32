from itertools import product
from typing import get_args

import pytest
import torch
from torch import Tensor

from nst_core.color import (
    EPSILON,
    LUMINANCE,
    Method,
    color_statistics,
    content_colors,
    luminance,
    match_color,
    match_histogram,
    match_luminance,
    painted_colors,
    style_colors,
)
from nst_core.options import Color

METHODS: tuple[Method, ...] = get_args(Method)
COLORS: tuple[Color, ...] = get_args(Color)

#: The matrix of the NTSC standard of 1953: rows Y, I, Q.
YIQ = torch.tensor([LUMINANCE, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)])

#: Eight colours with mean 0 and the identity as covariance.
CUBE = torch.tensor(list(product((-1.0, 1.0), repeat=3))).T


def colored(mean: list[float], transform: list[list[float]], seed: int) -> Tensor:
    """An image of 64 x 64 pixels whose colours have about this mean and the covariance T T'."""
    values = torch.randn(3, 64 * 64, generator=torch.Generator().manual_seed(seed))
    return (torch.tensor(transform) @ values + torch.tensor(mean)[:, None]).view(1, 3, 64, 64)


def cube(transform: Tensor, mean: tuple[float, float, float] = (0.5, 0.5, 0.5)) -> Tensor:
    """An image of 4 x 2 pixels whose colours have exactly this mean and the covariance T T'."""
    return (transform @ CUBE + torch.tensor(mean)[:, None]).view(1, 3, 4, 2)


def random_image(height: int, width: int, seed: int) -> Tensor:
    """An image in which no two values of a channel are equal."""
    order = torch.stack(
        [torch.randperm(height * width, generator=torch.Generator().manual_seed(seed + c)) for c in range(3)]
    )
    return ((order + 0.5) / (height * width)).pow(1.5).view(1, 3, height, width)


def yiq(image: Tensor) -> Tensor:
    return torch.einsum("ij,njhw->nihw", YIQ, image)


CONTENT = colored([0.2, 0.5, 0.7], [[0.1, 0.0, 0.0], [0.05, 0.1, 0.0], [0.0, -0.04, 0.08]], 1)
STYLE = colored([0.8, 0.4, 0.1], [[0.2, 0.0, 0.0], [0.1, 0.05, 0.0], [0.1, 0.0, 0.06]], 2)

SYMMETRIC = torch.tensor([[0.2, 0.05, 0.0], [0.05, 0.15, -0.03], [0.0, -0.03, 0.1]])
LOWER = torch.tensor([[0.2, 0.0, 0.0], [0.05, 0.15, 0.0], [-0.1, 0.03, 0.1]])


def test_the_statistics_are_exact_for_millions_of_pixels() -> None:
    mean, covariance = color_statistics(cube(LOWER, (0.1, 0.4, 0.7)).tile(1, 1, 512, 1024))
    torch.testing.assert_close(mean, torch.tensor([0.1, 0.4, 0.7]), atol=1e-6, rtol=0)
    torch.testing.assert_close(covariance, LOWER @ LOWER.T + EPSILON * torch.eye(3), atol=1e-7, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_after_a_match_mean_and_covariance_are_the_references(method: Method) -> None:
    mean, covariance = color_statistics(match_color(STYLE, CONTENT, method))
    wanted_mean, wanted = color_statistics(CONTENT)
    torch.testing.assert_close(mean, wanted_mean, atol=1e-5, rtol=0)
    # Not to the last digit: both covariances carry a small diagonal, and it is recoloured too.
    torch.testing.assert_close(covariance, wanted, atol=1e-4, rtol=1e-2)


@pytest.mark.parametrize("method", METHODS)
def test_an_image_with_the_references_colours_stays_as_it_is(method: Method) -> None:
    torch.testing.assert_close(match_color(CONTENT, CONTENT, method), CONTENT, atol=1e-4, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_an_image_of_one_colour_becomes_the_references_mean(method: Method) -> None:
    grey = torch.full((1, 3, 8, 8), 0.5)
    matched = match_color(grey, CONTENT, method)
    torch.testing.assert_close(matched.mean((0, 2, 3)), CONTENT.mean((0, 2, 3)), atol=1e-5, rtol=0)
    assert matched.std((0, 2, 3)).max() < 1e-5


@pytest.mark.parametrize(("method", "transform"), [("cholesky", LOWER), ("pca", SYMMETRIC), ("mkl", SYMMETRIC)])
def test_each_method_finds_the_map_of_its_kind_from_uncorrelated_colors(method: Method, transform: Tensor) -> None:
    plain, mapped = cube(0.1 * torch.eye(3)), cube(transform, (0.1, 0.4, 0.7))
    torch.testing.assert_close(match_color(plain, mapped, method), mapped, atol=1e-3, rtol=0)


def test_the_maps_of_cholesky_and_mkl_are_found_from_correlated_colors_too() -> None:
    for method, transform in (("cholesky", LOWER), ("mkl", SYMMETRIC)):
        mapped = torch.einsum("ij,njhw->nihw", 5 * transform, CONTENT) + 0.1
        torch.testing.assert_close(match_color(CONTENT, mapped, method), mapped, atol=2e-3, rtol=0)  # type: ignore[arg-type]


def test_pca_goes_from_the_root_of_one_covariance_to_the_root_of_the_other() -> None:
    other = torch.diag(torch.tensor([0.05, 0.1, 0.2]))
    torch.testing.assert_close(match_color(cube(SYMMETRIC), cube(other), "pca"), cube(other), atol=1e-3, rtol=0)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(KeyError):
        match_color(STYLE, CONTENT, "magic")  # type: ignore[arg-type]


def test_the_histograms_of_images_of_one_size_become_equal() -> None:
    image, reference = random_image(12, 15, 1), STYLE[:, :, :12, :15]
    matched = match_histogram(image, reference)
    torch.testing.assert_close(matched.flatten(2).sort().values, reference.flatten(2).sort().values)
    assert torch.equal(matched.flatten(2).argsort(), image.flatten(2).argsort())


def test_a_larger_image_has_each_value_of_the_reference_several_times() -> None:
    matched = match_histogram(random_image(8, 12, 1), random_image(4, 6, 2)).flatten(2)
    expected = random_image(4, 6, 2).flatten(2).sort().values.repeat_interleave(4, dim=2)
    torch.testing.assert_close(matched.sort().values, expected)


def test_a_smaller_image_has_the_means_of_neighbouring_values() -> None:
    matched = match_histogram(random_image(4, 6, 1), random_image(8, 12, 2)).flatten(2)
    expected = random_image(8, 12, 2).flatten(2).sort().values.view(1, 3, 24, 4).mean(3)
    torch.testing.assert_close(matched.sort().values, expected)


def test_the_distribution_is_the_references_between_any_two_sizes() -> None:
    matched = match_histogram(CONTENT, random_image(41, 37, 3)).flatten()
    # The values of the reference are the quantiles of p^1.5.
    quantiles = torch.linspace(0.01, 0.99, 50)
    torch.testing.assert_close(matched.quantile(quantiles), quantiles.pow(1.5), atol=1e-3, rtol=0)


def test_equal_values_share_the_mean_of_what_they_would_become() -> None:
    image = torch.tensor([0.0, 0.0, 0.0, 1.0]).expand(1, 3, 1, 4)
    reference = torch.tensor([0.9, 0.1, 0.3, 0.2]).expand(1, 3, 1, 4)
    torch.testing.assert_close(match_histogram(image, reference)[0, 0, 0], torch.tensor([0.2, 0.2, 0.2, 0.9]))


def test_the_mean_is_the_references_however_many_values_are_equal() -> None:
    coarse = CONTENT.mul(3).round().div(3)
    matched = match_histogram(coarse, STYLE[:, :, :13, :17])
    torch.testing.assert_close(matched.mean((0, 2, 3)), STYLE[:, :, :13, :17].mean((0, 2, 3)), atol=1e-6, rtol=0)
    assert all(len(channel.unique()) <= len(was.unique()) for channel, was in zip(matched[0], coarse[0], strict=True))


def test_images_of_one_color_have_histograms_too() -> None:
    grey = torch.full((1, 3, 5, 7), 0.25)
    mean = CONTENT.mean((2, 3), keepdim=True)
    torch.testing.assert_close(match_histogram(grey, CONTENT), mean.expand(1, 3, 5, 7), atol=1e-6, rtol=0)
    torch.testing.assert_close(match_histogram(CONTENT, grey), torch.full_like(CONTENT, 0.25))


def test_a_picture_of_8_bits_keeps_its_own_histogram() -> None:
    picture = CONTENT.clamp(0, 1).mul(255).round().div(255)
    torch.testing.assert_close(match_histogram(picture, picture), picture)


def test_matched_luminance_is_grey_with_the_references_mean_and_deviation() -> None:
    matched = match_luminance(STYLE, CONTENT)
    torch.testing.assert_close(matched, luminance(matched).expand(1, 3, 64, 64))
    torch.testing.assert_close(matched[:, 0].mean(), yiq(CONTENT)[:, 0].mean(), atol=1e-5, rtol=0)
    torch.testing.assert_close(matched[:, 0].std(), yiq(CONTENT)[:, 0].std(), atol=1e-4, rtol=0)
    # A straight line through the luminance that was there.
    was = yiq(STYLE)[:, 0]
    torch.testing.assert_close(
        (matched[:, 0] - matched[:, 0].mean()) / matched[:, 0].std(), (was - was.mean()) / was.std()
    )


def test_a_flat_luminance_becomes_the_references_mean() -> None:
    matched = match_luminance(torch.full((1, 3, 8, 8), 0.9), CONTENT)
    torch.testing.assert_close(matched, yiq(CONTENT)[:, 0].mean().expand(1, 3, 8, 8), atol=1e-5, rtol=0)


def test_the_style_is_seen_in_the_colors_of_the_match() -> None:
    content = CONTENT.clamp(0, 1)
    assert style_colors(STYLE, content, "style") is STYLE
    expected = {
        "luminance": match_luminance(STYLE, content),
        "match-cholesky": match_color(STYLE, content, "cholesky"),
        "match-pca": match_color(STYLE, content, "pca"),
        "match-mkl": match_color(STYLE, content, "mkl"),
        "match-histogram": match_histogram(STYLE, content),
    }
    for color in COLORS[1:]:
        assert torch.equal(style_colors(STYLE, content, color), expected[color].clamp(0, 1))


@pytest.mark.parametrize("color", COLORS)
def test_the_content_is_grey_for_luminance_only(color: Color) -> None:
    seen = content_colors(CONTENT, color)
    expected = yiq(CONTENT)[:, :1].expand(1, 3, 64, 64) if color == "luminance" else CONTENT
    torch.testing.assert_close(seen, expected)


@pytest.mark.parametrize("color", COLORS)
def test_the_painting_has_the_contents_chrominance_for_luminance_only(color: Color) -> None:
    painted = random_image(64, 64, 4)
    shown = yiq(painted_colors(painted, CONTENT, color))
    torch.testing.assert_close(shown[:, 0], yiq(painted)[:, 0], atol=1e-6, rtol=0)
    torch.testing.assert_close(
        shown[:, 1:], yiq(CONTENT if color == "luminance" else painted)[:, 1:], atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("color", COLORS)
def test_a_grey_content_takes_all_color_out_of_a_match(color: Color) -> None:
    content = luminance(CONTENT).repeat(1, 3, 1, 1).clamp(0, 1)
    matched = style_colors(STYLE.clamp(0, 1), content, color)
    if color in ("style", "match-histogram"):  # one is not meant to, the other matches each channel by itself
        assert yiq(matched)[:, 1:].abs().max() > 0.1
    else:
        assert yiq(matched)[:, 1:].abs().max() < 0.02


@pytest.mark.parametrize("color", COLORS)
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (3, 1)])
def test_images_of_a_few_pixels_have_colors_too(color: Color, size: tuple[int, int]) -> None:
    tiny, flat = random_image(*size, 1), torch.zeros(1, 3, 1, 1)
    for style, content in ((tiny, STYLE), (STYLE, tiny), (tiny, tiny), (flat, tiny), (tiny, flat)):
        seen = style_colors(style, content, color)
        assert seen.shape == style.shape
        assert seen.isfinite().all()
