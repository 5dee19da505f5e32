"""What stands out, on pictures of which that is known."""

import numpy as np
import pytest

from nst_core.saliency import SUPERPIXELS, saliency, superpixels


def flat(height: int = 90, width: int = 120) -> np.ndarray:
    """A picture of one colour, in CIELAB."""
    return np.tile(np.array([50.0, 10.0, -20.0]), (height, width, 1))


def test_nothing_stands_out_in_one_colour() -> None:
    assert not saliency(flat()).any()


def test_what_differs_stands_out() -> None:
    picture = flat()
    picture[30:60, 40:80] = [80, -30, 30]
    found = saliency(picture)
    assert found.shape == (90, 120)
    assert (found.min(), found.max()) == (pytest.approx(0, abs=0.01), 1)
    inside = found[32:58, 42:78]
    assert inside.min() > 0.7
    found[28:62, 38:82] = 0
    assert found.max() < 0.3


def test_what_keeps_to_the_border_does_not() -> None:
    picture = flat()
    picture[:30] = [80, -30, 30]  # a sky
    picture[50:70, 50:70] = [80, -30, 30]
    found = saliency(picture)
    assert found[:25].max() < 0.4 < 0.7 < found[52:68, 52:68].min()


def test_superpixels_are_regions_of_one_colour() -> None:
    picture = flat()
    picture[:, 55:] = [20, 0, 0]
    labels = superpixels(picture)
    count = labels.max() + 1
    assert SUPERPIXELS / 2 < count < SUPERPIXELS * 2
    assert set(np.unique(labels)) == set(range(count))
    assert not set(np.unique(labels[:, :55])) & set(np.unique(labels[:, 55:]))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (8, 2000), (2000, 8), (20, 30)])
def test_pictures_of_any_shape(height: int, width: int) -> None:
    noise = np.random.default_rng(0).uniform(0, 100, (height, width, 3))
    assert superpixels(noise).shape == saliency(noise).shape == (height, width)
