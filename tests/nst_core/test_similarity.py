import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from nst_core.normalization import calibration_images
from nst_core.similarity import structural_similarity


@pytest.mark.parametrize(("height", "width"), [(32, 47), (300, 40), (512, 33)])
def test_it_is_that_of_torchmetrics(height: int, width: int) -> None:
    image = calibration_images(1, 512)[:, :, :height, :width]
    other = (0.7 * image + 0.3 * torch.rand(image.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    grey, other_grey = ((x * luma).sum(1, keepdim=True) for x in (image, other))
    expected = float(structural_similarity_index_measure(grey, other_grey, data_range=1.0))  # type: ignore[arg-type]
    assert structural_similarity(image, other) == pytest.approx(expected, abs=1e-5)


def test_an_image_is_as_similar_to_itself_as_can_be() -> None:
    image = calibration_images(1, 64)
    assert structural_similarity(image, image) == pytest.approx(1, abs=1e-5)
    assert structural_similarity(image, 1 - image) < 0


def test_of_flat_images_it_is_that_of_their_means() -> None:
    # Without any structure only the luminance term is left: (2ab + c) / (a^2 + b^2 + c), c = 0.01^2.
    a, b = 0.25, 0.75
    similarity = structural_similarity(torch.full((1, 3, 32, 32), a), torch.full((1, 3, 32, 32), b))
    assert similarity == pytest.approx((2 * a * b + 1e-4) / (a * a + b * b + 1e-4), abs=1e-3)
