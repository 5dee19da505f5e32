import numpy as np
import pytest
import torch
from PIL import Image

from nst_core.errors import InvalidOptions
from nst_core.regions import cover, guidance, region_maps


def half(side: str, size: tuple[int, int] = (40, 20), grey: int = 255) -> Image.Image:
    mask = np.zeros(size[::-1], np.uint8)
    mask[:, slice(0, size[0] // 2) if side == "left" else slice(size[0] // 2, None)] = grey
    return Image.fromarray(mask)


def test_maps_are_the_masks_at_the_image_s_size() -> None:
    maps = region_maps([half("left"), half("right", (64, 64)).convert("RGB")], 80, 60)
    assert maps.shape == (2, 1, 60, 80)
    assert float(maps[0, 0, :, :38].min()) == 1
    assert float(maps[0, 0, :, 42:].max()) == 0
    assert float(cover(maps).min()) > 0.8  # both borders are a little soft


def test_soft_masks_stay_soft() -> None:
    maps = region_maps([half("left", grey=51)], 40, 20)
    assert float(maps.max()) == pytest.approx(0.2)
    assert float(cover(maps).min()) == 0


def test_masks_that_overlap_share() -> None:
    white = Image.new("L", (8, 8), 255)
    maps = region_maps([white, white, half("left", (8, 8))], 40, 20)
    assert maps[:, 0, 10, 5].tolist() == pytest.approx([1 / 3] * 3)
    assert maps[:, 0, 10, 35].tolist() == pytest.approx([1 / 2, 1 / 2, 0])


def test_a_black_mask_is_refused_by_its_number() -> None:
    with pytest.raises(InvalidOptions, match="mask 2 is black everywhere") as caught:
        region_maps([half("left"), Image.new("L", (9, 9))], 40, 20)
    assert caught.value.field == "mask"


@pytest.mark.parametrize(("layer", "shape"), [("relu1_2", (21, 43)), ("conv3_1", (5, 10)), ("relu5_1", (1, 2))])
def test_guidance_has_a_layer_s_size_and_a_mean_square_of_one(layer: str, shape: tuple[int, int]) -> None:
    found = guidance(region_maps([half("left")], 43, 21)[:1], [layer])[layer]
    assert found.shape == (1, 1, *shape)
    assert float(found.square().mean()) == pytest.approx(1)
    assert bool((found.diff(dim=3) <= 0).all())  # brighter on the left


def test_a_faint_dot_is_still_there_at_a_coarse_scale() -> None:
    mask = Image.new("L", (256, 144))
    mask.putpixel((100, 70), 6)
    assert 0 < float(region_maps([mask], 32, 18).sum()) < 0.01


def test_guidance_of_everything_is_one() -> None:
    for found in guidance(torch.ones(1, 1, 32, 48), ["relu1_1", "relu4_1"]).values():
        torch.testing.assert_close(found, torch.ones_like(found))
