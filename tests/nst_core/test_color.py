import torch

from nst_core.color import color_statistics, match_color


def colored(mean: list[float], transform: list[list[float]], seed: int) -> torch.Tensor:
    """An image of 64 x 64 pixels whose colours have about this mean and the covariance T T'."""
    values = torch.randn(3, 64 * 64, generator=torch.Generator().manual_seed(seed))
    return (torch.tensor(transform) @ values + torch.tensor(mean)[:, None]).view(1, 3, 64, 64)


CONTENT = colored([0.2, 0.5, 0.7], [[0.1, 0.0, 0.0], [0.05, 0.1, 0.0], [0.0, -0.04, 0.08]], 1)
STYLE = colored([0.8, 0.4, 0.1], [[0.2, 0.0, 0.0], [0.1, 0.05, 0.0], [0.1, 0.0, 0.06]], 2)


def test_after_a_match_mean_and_covariance_are_the_references() -> None:
    mean, covariance = color_statistics(match_color(STYLE, CONTENT))
    wanted_mean, wanted = color_statistics(CONTENT)
    torch.testing.assert_close(mean, wanted_mean, atol=1e-5, rtol=0)
    # Not to the last digit: both covariances carry a small diagonal, and it is recoloured too.
    torch.testing.assert_close(covariance, wanted, atol=1e-4, rtol=1e-2)


def test_an_image_with_the_references_colours_stays_as_it_is() -> None:
    torch.testing.assert_close(match_color(CONTENT, CONTENT), CONTENT, atol=1e-4, rtol=0)


def test_an_image_of_one_colour_becomes_the_references_mean() -> None:
    grey = torch.full((1, 3, 8, 8), 0.5)
    matched = match_color(grey, CONTENT)
    torch.testing.assert_close(matched.mean((0, 2, 3)), CONTENT.mean((0, 2, 3)), atol=1e-5, rtol=0)
    assert matched.std((0, 2, 3)).max() < 1e-5
