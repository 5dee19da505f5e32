from itertools import combinations

import pytest
import torch
from PIL import Image, ImageChops

from nst_core.errors import InvalidOptions
from nst_core.fast import paint_fast
from nst_core.fast_models import FastModels
from nst_core.gallery import Gallery
from nst_core.image import to_picture, to_tensor
from nst_core.normalization import calibration_images
from nst_core.options import FastOptions
from nst_core.picture import decode
from nst_core.transformer import TransformerNetwork

CONTENT = to_picture(calibration_images(1, 96)).crop((0, 0, 96, 70))


@pytest.fixture(scope="module")
def network() -> TransformerNetwork:
    torch.manual_seed(0)
    return TransformerNetwork((4, 6, 8), blocks=1).eval().requires_grad_(False)


def painted(network: TransformerNetwork, **options: object) -> Image.Image:
    return paint_fast(CONTENT, network, network.neutral_style(), FastOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(("size", "expected"), [(96, (96, 70)), (75, (75, 55)), (130, (130, 95))])
def test_the_long_side_is_what_was_asked_for(network: TransformerNetwork, size: int, expected: tuple[int, int]) -> None:
    assert painted(network, size=size).size == expected


def test_strength_goes_from_the_photograph_to_the_painting(network: TransformerNetwork) -> None:
    def distance(picture: Image.Image) -> float:
        return sum(i * n for i, n in enumerate(ImageChops.difference(picture, CONTENT).convert("L").histogram()))

    none, half, full = (distance(painted(network, size=96, strength=s)) for s in (0.0, 0.5, 1.0))
    assert none == 0
    assert 0 < half < full


def test_a_result_that_is_too_narrow_is_refused(network: TransformerNetwork) -> None:
    with pytest.raises(InvalidOptions, match="must be at least 32"):
        paint_fast(Image.new("RGB", (400, 40)), network, network.neutral_style(), FastOptions(size=100))


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
        picture = paint_fast(photograph, *models.get(style.id), FastOptions(size=96))
        assert picture.size == photograph.size
        pictures[style.id] = to_tensor(picture)
    assert len(pictures) >= 6
    for one, other in combinations(pictures, 2):
        assert (pictures[one] - pictures[other]).abs().mean() > 0.02, (one, other)
