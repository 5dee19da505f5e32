from typing import Any

import pytest
import torch
from torch import Tensor

from nst_core.encoders import Encoder
from nst_core.normalization import calibration_images
from nst_core.objective import TILE_STEP, Objective, Targets, TiledObjective
from nst_core.options import GatysOptions
from nst_core.pretrained import load_encoder

WIDTH, HEIGHT = 384, 288
TILE = 128


@pytest.fixture(scope="module")
def compact() -> Encoder:
    return load_encoder("compact")


@pytest.fixture(scope="module")
def images() -> Tensor:
    return calibration_images(4, WIDTH, seed=1)


@pytest.fixture(scope="module")
def content(images: Tensor) -> Tensor:
    return images[:1, :, :HEIGHT]


@pytest.fixture(scope="module")
def styles(images: Tensor) -> list[Tensor]:
    return [images[1:2, :, :200, :260], images[2:3]]


@pytest.fixture(scope="module")
def image(images: Tensor) -> Tensor:
    """Not the content: its gradient there is zero."""
    return images[3:4, :, :HEIGHT] * 0.8 + 0.1


def halves() -> Tensor:
    """Maps of the left, with a soft border, and of most of the right."""
    x = torch.linspace(0, 1, WIDTH).expand(1, HEIGHT, WIDTH)
    left = ((0.5 - x) * 8 + 0.5).clamp(0, 1)
    return torch.stack([left, (1 - left) * (x < 0.9)])


def options(**changes: Any) -> GatysOptions:
    return GatysOptions(**{"precision": "float32", **changes})


def make(encoder: Encoder, targets: Targets, tile: int | None = None, **changes: Any) -> Objective:
    if tile:
        return TiledObjective(encoder, targets, options(**changes), torch.float32, tile)
    return Objective(encoder, targets, options(**changes), torch.float32)


def test_the_loss_of_the_targets_themselves_is_zero(compact: Encoder, content: Tensor) -> None:
    losses = make(compact, Targets(content=content, styles=[content]))(content)
    assert float(losses["content"]) == pytest.approx(0, abs=1e-6)
    assert float(losses["style"]) == pytest.approx(0, abs=1e-6)
    assert float(losses["total"]) == pytest.approx(0.05 * float(losses["tv"]), abs=1e-5)


def test_the_style_loss_is_the_weighted_mean_of_its_layers(
    compact: Encoder, content: Tensor, styles: list[Tensor], image: Tensor
) -> None:
    layers = ("relu1_1", "relu3_1")
    losses = make(
        compact, Targets(content=content, styles=styles[:1]), style_layers=layers, style_layer_weights=(1.0, 3.0)
    )(image)
    by_layer = [float(losses[f"style {layer}"]) for layer in layers]
    assert float(losses["style"]) == pytest.approx((by_layer[0] + 3 * by_layer[1]) / 4)


def test_two_styles_blend(compact: Encoder, content: Tensor, styles: list[Tensor], image: Tensor) -> None:
    def style(chosen: list[Tensor], weights: tuple[float, ...]) -> float:
        return float(make(compact, Targets(content=content, styles=chosen), style_weights=weights)(image)["style"])

    first, second = (style([one], ()) for one in styles)
    assert style(styles, (1, 0)) == pytest.approx(first, rel=1e-4)
    assert style(styles, (0, 3)) == pytest.approx(second, rel=1e-4)
    assert style(styles, ()) == pytest.approx(style(styles, (2, 2)), rel=1e-4)


def test_regions_with_all_of_one_style_are_that_style(
    compact: Encoder, content: Tensor, styles: list[Tensor], image: Tensor
) -> None:
    whole = make(compact, Targets(content=content, styles=styles[:1]))(image)
    everything = Targets(content=content, styles=styles[:1], regions=torch.ones(1, 1, HEIGHT, WIDTH))
    torch.testing.assert_close(make(compact, everything)(image), whole, rtol=1e-4, atol=1e-6)


def test_outside_of_all_regions_there_is_no_gradient(
    compact: Encoder, content: Tensor, styles: list[Tensor], image: Tensor
) -> None:
    maps = halves()
    _, gradient = make(compact, Targets(content=content, styles=styles, regions=maps)).gradient(image)
    outside = maps.sum(0)[0] == 0
    assert bool(outside.any())
    assert float(gradient[..., outside].abs().max()) == 0
    assert float(gradient[..., ~outside].abs().max()) > 0


def test_a_region_follows_its_own_style_only(compact: Encoder, content: Tensor, styles: list[Tensor]) -> None:
    maps = halves()
    # Of the left half of an image, the first style: the same loss whatever the second is.
    sharp = (maps > 0.5).float()
    gradients = [
        make(compact, Targets(content=content, styles=[styles[0], other], regions=sharp), content_weight=0).gradient(
            content
        )[1]
        for other in (styles[1], content)
    ]
    far_left = slice(0, WIDTH // 2 - 120)  # further than the encoder sees
    torch.testing.assert_close(gradients[0][..., far_left], gradients[1][..., far_left], rtol=1e-3, atol=1e-9)
    assert not torch.allclose(gradients[0], gradients[1], rtol=1e-3, atol=1e-9)


VARIANTS: list[dict[str, Any]] = [
    {},
    {"style_loss": "gram-shifted"},
    {"style_loss": "moments"},
    {"style_loss": "wasserstein"},
    {"content_weight": 0},
    {"content_layers": ("relu2_2", "relu4_2"), "style_layers": ("relu1_2", "conv4_1")},
]


def near_borders(objective: TiledObjective, reach: int) -> Tensor:
    """Where the tiles of the first gradient meet, within ``reach`` pixels: further than the layers see."""
    generator = torch.Generator().manual_seed(objective.options.seed)
    shift = [TILE_STEP * int(torch.randint(TILE // TILE_STEP, (), generator=generator)) for _ in range(2)]
    near = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    for tile in objective._tiles(HEIGHT, WIDTH, (shift[0], shift[1])):
        if tile.top:
            near[tile.top - reach : tile.top + reach] = True
        if tile.left:
            near[:, tile.left - reach : tile.left + reach] = True
    return near


@pytest.mark.parametrize("changes", VARIANTS)
@pytest.mark.parametrize("in_regions", [False, True])
def test_the_gradient_by_tiles_is_that_of_the_whole_away_from_their_borders(
    compact: Encoder, content: Tensor, styles: list[Tensor], image: Tensor, changes: dict[str, Any], in_regions: bool
) -> None:
    shallow = {"content_layers": ("relu2_2",), "style_layers": ("relu1_1", "relu2_1"), **changes}
    targets = Targets(content=content, styles=styles, regions=halves() if in_regions else None)
    losses, whole = make(compact, targets, **shallow).gradient(image)
    tiled = make(compact, targets, TILE, **shallow)
    assert isinstance(tiled, TiledObjective)
    tile_losses, by_tiles = tiled.gradient(image)
    for name, value in losses.items():
        assert float(tile_losses[name]) == pytest.approx(float(value), rel=0.03, abs=1e-4)
    near = near_borders(tiled, reach=48 if "relu4_2" in shallow["content_layers"] else 12)
    assert 0 < int(near.sum()) < near.numel()
    away, wanted = by_tiles[..., ~near], whole[..., ~near]
    assert float((away - wanted).norm() / wanted.norm()) < 0.03
    assert float((by_tiles - whole).norm() / whole.norm()) > 0.03  # it is the borders that differ


def test_one_tile_is_the_whole(compact: Encoder, content: Tensor, styles: list[Tensor], image: Tensor) -> None:
    targets = Targets(content=content, styles=styles, regions=halves())
    losses, whole = make(compact, targets).gradient(image)
    tile_losses, by_tiles = make(compact, targets, 1024).gradient(image)
    torch.testing.assert_close(tile_losses, losses, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(by_tiles, whole, rtol=1e-3, atol=1e-8)


def test_the_grid_of_tiles_moves(compact: Encoder, content: Tensor, styles: list[Tensor], image: Tensor) -> None:
    objective = make(compact, Targets(content=content, styles=styles), TILE)
    first, again = (objective.gradient(image)[1] for _ in range(2))
    assert torch.equal(first, again)
    objective.done = 1
    assert not torch.equal(first, objective.gradient(image)[1])


@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (263, 301), (130, 500)])
def test_tiles_cover_every_pixel_once_and_none_is_a_sliver(compact: Encoder, size: tuple[int, int]) -> None:
    objective = make(compact, Targets(content=torch.rand(1, 3, *size)), TILE, style_weight=0)
    assert isinstance(objective, TiledObjective)
    for shift in ((0, 0), (16, 112), (64, 48)):
        counted = torch.zeros(1, 1, *size)
        for tile in objective._tiles(*size, shift):
            part = tile.of(counted)
            assert min(part.shape[2:]) >= TILE // 2
            assert max(part.shape[2:]) < 2 * TILE
            part += 1
        assert bool((counted == 1).all())
