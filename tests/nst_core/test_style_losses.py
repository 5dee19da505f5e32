"""Distances of styles, beginning with what can be computed by hand."""

from itertools import pairwise
from typing import get_args

import pytest
import torch
from torch import Tensor

from nst_core.options import StyleLossName
from nst_core.style_losses import Moments, ShiftedGram, SlicedWasserstein, StyleLoss, Wasserstein, make_style_loss

LAYERS = ("relu1_1", "relu2_1")
NAMES: tuple[StyleLossName, ...] = get_args(StyleLossName)


def features(seed: int, height: int = 16, width: int = 24, offset: float = 0.0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return {
        "relu1_1": torch.randn(1, 4, height, width) + offset,
        "relu2_1": 2 * torch.randn(1, 6, height // 2, width // 2) + offset,
    }


def loss_named(name: StyleLossName, **more: object) -> StyleLoss:
    return make_style_loss(name, LAYERS, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_a_style_is_at_no_distance_from_itself_and_at_some_from_others(name: StyleLossName) -> None:
    loss = loss_named(name)
    one, other = (loss.statistics(features(0, offset=offset)) for offset in (0.0, 1.5))
    same, by_layer = loss.distance(one, one)
    assert float(same) == pytest.approx(0, abs=1e-5)
    assert set(by_layer) == set(LAYERS)
    assert float(loss.distance(one, other)[0]) > 0.05


@pytest.mark.parametrize("name", NAMES)
def test_where_the_features_are_does_not_matter(name: StyleLossName) -> None:
    if name == "gram-shifted":
        pytest.skip("it correlates layers, whose positions belong together")
    loss, here = loss_named(name), features(1)
    shuffled = {k: v.flatten(2)[:, :, torch.randperm(v[0, 0].numel())].view_as(v) for k, v in here.items()}
    assert float(loss.distance(loss.statistics(here), loss.statistics(shuffled))[0]) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_is_that_of_finite_differences(name: StyleLossName) -> None:
    layer = ("relu1_1",)
    loss = make_style_loss(name, layer)
    target = loss.statistics({"relu1_1": torch.randn(1, 3, 6, 6, generator=torch.Generator().manual_seed(5)) + 1})
    x = torch.randn(1, 3, 6, 6, generator=torch.Generator().manual_seed(6)).requires_grad_(True)

    def distance(image: Tensor) -> Tensor:
        return loss.distance(loss.statistics({"relu1_1": image}), target)[0]

    (gradient,) = torch.autograd.grad(distance(x), x)
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(7))
    step = 1e-3
    with torch.no_grad():
        slope = (distance(x + step * direction) - distance(x - step * direction)) / (2 * step)
    assert float(slope) == pytest.approx(float((gradient * direction).sum()), rel=0.02, abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_descending_the_gradient_reaches_the_style(name: StyleLossName) -> None:
    loss = make_style_loss(name, ("relu1_1",))
    torch.manual_seed(0)
    mixing = torch.randn(3, 3)
    target = loss.statistics({"relu1_1": torch.einsum("ij,njhw->nihw", mixing, torch.randn(1, 3, 20, 20)) + 0.5})
    x = torch.randn(1, 3, 16, 16, requires_grad=True)
    optimizer = torch.optim.Adam([x], lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        distance = loss.distance(loss.statistics({"relu1_1": x}), target)[0]
        distance.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert float(distance.detach()) < 0.01


def test_gaussians_on_the_axes_have_the_known_wasserstein_distance() -> None:
    # N(m, diag(a^2)) and N(n, diag(b^2)): |m - n|^2 + |a - b|^2.
    signs = torch.tensor([[[1.0, 1, -1, -1], [1, -1, 1, -1]]])  # uncorrelated, of mean 0 and deviation 1

    def points(deviations: tuple[float, float], means: tuple[float, float]) -> dict[str, Tensor]:
        cloud = signs * torch.tensor(deviations)[:, None] + torch.tensor(means)[:, None]
        return {"relu1_1": cloud.view(1, 2, 2, 2)}

    loss = Wasserstein(("relu1_1",))
    statistics = (loss.statistics(points(*of)) for of in [((1, 3), (0, 2)), ((2, 5), (4, -1))])
    distance, target = ((4 - 0) ** 2 + (2 + 1) ** 2) + (1**2 + 2**2), 4**2 + 1 + 2**2 + 5**2
    assert float(loss.distance(*statistics)[0]) == pytest.approx(distance / target, rel=1e-3)


def test_moments_are_means_and_deviations() -> None:
    loss = Moments(("relu1_1",))
    one = loss.statistics({"relu1_1": torch.tensor([1.0, 3.0]).view(1, 1, 1, 2)})  # mean 2, deviation 1
    other = loss.statistics({"relu1_1": torch.tensor([2.0, 8.0]).view(1, 1, 1, 2)})  # mean 5, deviation 3
    assert float(loss.distance(one, other)[0]) == pytest.approx((3**2 + 2**2) / (5**2 + 3**2), rel=1e-3)


def test_sliced_wasserstein_compares_sorted_values() -> None:
    loss = SlicedWasserstein(("relu1_1",))
    one = loss.statistics({"relu1_1": torch.tensor([3.0, 1.0]).view(1, 1, 1, 2)})
    other = loss.statistics({"relu1_1": torch.tensor([2.0, 6.0]).view(1, 1, 2, 1)})
    assert float(loss.distance(one, other)[0]) == pytest.approx((1 + 9) / (4 + 36))


def test_sliced_wasserstein_compares_images_of_different_sizes() -> None:
    loss = SlicedWasserstein(LAYERS)
    small, large = (loss.statistics(features(seed, *size)) for seed, size in ((0, (64, 64)), (1, (128, 96))))
    assert float(loss.distance(small, large)[0]) < 0.02


def test_the_shifted_gram_loss_correlates_neighbouring_layers_and_weighs_shallow_ones_more() -> None:
    loss = ShiftedGram(LAYERS)
    assert loss.weights == pytest.approx({"relu1_1": 2 / 3, "relu2_1": 1 / 3})
    here = features(2)
    there = {**here, "relu2_1": here["relu2_1"].flip(3)}  # the same Gram matrices, side by side with other features
    _, by_layer = loss.distance(loss.statistics(there), loss.statistics(here))
    assert float(by_layer["relu2_1"]) == pytest.approx(0, abs=1e-6)
    assert float(by_layer["relu1_1"]) > 1e-3


def test_the_order_in_which_layers_are_named_does_not_matter_to_the_shifted_gram_loss() -> None:
    there = features(3)
    found = []
    for layers in (LAYERS, LAYERS[::-1]):
        loss = ShiftedGram(layers)
        found.append(loss.distance(loss.statistics(features(2)), loss.statistics(there)))
    assert found[0][0] == found[1][0]
    assert found[0][1] == found[1][1]


def test_absent_features_count_for_the_shifted_gram_loss_only() -> None:
    absent, target = ({"relu1_1": torch.full((1, 2, 4, 4), value)} for value in (0.0, 0.5))
    shifted = ShiftedGram(("relu1_1",))
    # (0 - 1)^2 = 1 against (0.5 - 1)^2 = 0.25 in all four places of the Gram matrix.
    distance = shifted.distance(shifted.statistics(absent), shifted.statistics(target))[0]
    assert float(distance) == pytest.approx((0.75 / 0.25) ** 2)


@pytest.mark.parametrize("name", NAMES)
def test_a_guided_region_has_the_style_of_what_lies_in_it(name: StyleLossName) -> None:
    loss, whole = loss_named(name), features(3)
    left = {k: v[..., : v.shape[3] // 2] for k, v in whole.items()}
    guidance = {}
    for k, v in whole.items():
        inside = torch.zeros(1, 1, *v.shape[2:])
        inside[..., : v.shape[3] // 2] = 1
        guidance[k] = inside / inside.square().mean().sqrt()
    expected = loss.statistics(left)
    for statistic, value in loss.statistics(whole, guidance).items():
        torch.testing.assert_close(value, expected[statistic], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "sliced-wasserstein"])
def test_moments_of_parts_add_up(name: StyleLossName) -> None:
    loss, whole = loss_named(name), features(4)
    assert loss.additive
    halves = [loss.statistics({k: part(v) for k, v in whole.items()}) for part in (_left, _right)]
    for statistic, value in loss.statistics(whole).items():
        torch.testing.assert_close(value, (halves[0][statistic] + halves[1][statistic]) / 2, atol=1e-5, rtol=1e-4)


def _left(x: Tensor) -> Tensor:
    return x[..., : x.shape[3] // 2]


def _right(x: Tensor) -> Tensor:
    return x[..., x.shape[3] // 2 :]


@pytest.mark.parametrize("name", NAMES)
def test_a_blend_lies_between_its_styles(name: StyleLossName) -> None:
    loss = loss_named(name)
    one, other = (loss.statistics(features(0, offset=offset)) for offset in (0.0, 1.5))
    assert float(loss.distance(loss.blend([one, other], [5, 0]), one)[0]) == pytest.approx(0, abs=1e-5)
    distances = [
        float(loss.distance(loss.blend([one, other], [1 - part, part]), one)[0]) for part in (0, 0.25, 0.5, 0.75, 1)
    ]
    assert all(nearer < farther for nearer, farther in pairwise(distances))


def test_layers_without_weight_do_not_count() -> None:
    loss = make_style_loss("gram", LAYERS, (0, 2))
    one, other = (loss.statistics(features(seed)) for seed in (0, 1))
    total, by_layer = loss.distance(one, other)
    assert float(total) == pytest.approx(float(by_layer["relu2_1"]))
