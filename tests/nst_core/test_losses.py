from typing import Any

import pytest
import torch

from nst_core.losses import content_loss, gram_matrix, range_penalty, style_loss, total_variation


def test_gram_matrix_of_known_features() -> None:
    # Two channels over two positions: (1, 2) and (3, 4).
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])
    expected = torch.tensor([[[1 + 4, 3 + 8], [3 + 8, 9 + 16]]]) / 2
    torch.testing.assert_close(gram_matrix(features), expected)


def test_gram_matrix_of_orthogonal_channels_is_diagonal() -> None:
    features = torch.zeros(1, 3, 3, 1)
    for i in range(3):
        features[0, i, i, 0] = i + 1
    torch.testing.assert_close(gram_matrix(features)[0], torch.diag(torch.tensor([1.0, 4.0, 9.0])) / 3)


def test_gram_matrix_does_not_see_where_features_are() -> None:
    features = torch.rand(2, 5, 4, 6)
    shuffled = features.flatten(2)[:, :, torch.randperm(24)].view(2, 5, 4, 6)
    torch.testing.assert_close(gram_matrix(features), gram_matrix(shuffled))


def test_gram_matrix_does_not_depend_on_size() -> None:
    features = torch.rand(1, 4, 5, 5)
    torch.testing.assert_close(gram_matrix(features), gram_matrix(features.repeat(1, 1, 3, 2)))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_gradient_of_gram_matrix_is_that_of_finite_differences(layout: torch.memory_format) -> None:
    features = torch.rand(2, 3, 4, 5, dtype=torch.float64).contiguous(memory_format=layout).requires_grad_(True)
    weights = torch.rand(2, 3, 3)

    def weighted(f: torch.Tensor) -> torch.Tensor:
        return (gram_matrix(f) * weights).sum()

    (gradient,) = torch.autograd.grad(weighted(features), features)
    flat = features.detach().flatten(2)
    expected = ((weights + weights.mT).double() @ flat / flat.shape[2]).view_as(features)
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-6)


def test_bfloat16_features_give_a_float32_gram_matrix() -> None:
    features = torch.rand(1, 8, 16, 16)
    gram = gram_matrix(features.bfloat16())
    assert gram.dtype == torch.float32
    torch.testing.assert_close(gram, gram_matrix(features), rtol=0.02, atol=0.01)


def test_style_loss_is_relative() -> None:
    target = torch.eye(4)[None]
    assert style_loss(target, target) == 0
    torch.testing.assert_close(style_loss(torch.zeros_like(target), target), torch.tensor(1.0))
    torch.testing.assert_close(style_loss(3 * target, target), torch.tensor(4.0))
    torch.testing.assert_close(style_loss(30 * target, 10 * target), style_loss(3 * target, target))


def test_content_loss_is_relative() -> None:
    target = torch.full((1, 2, 3, 3), 2.0)
    assert content_loss(target, target) == 0
    torch.testing.assert_close(content_loss(target + 1, target), torch.tensor(0.25))


def test_losses_of_black_targets_are_finite() -> None:
    black = torch.zeros(1, 2, 4, 4)
    assert content_loss(black, black) == 0
    assert torch.isfinite(style_loss(gram_matrix(black + 1), gram_matrix(black)))


def test_total_variation_of_a_constant_is_zero() -> None:
    assert total_variation(torch.full((1, 3, 5, 7), 0.4)) == 0


def test_total_variation_of_a_ramp() -> None:
    ramp = torch.arange(4.0).view(1, 1, 1, 4).expand(1, 3, 6, 4) / 4
    torch.testing.assert_close(total_variation(ramp), torch.tensor(1 / 16))


def test_total_variation_of_one_row() -> None:
    assert total_variation(torch.rand(1, 3, 1, 1)) == 0


def test_range_penalty_counts_what_a_file_cannot_hold() -> None:
    assert range_penalty(torch.rand(1, 3, 4, 4)) == 0
    torch.testing.assert_close(range_penalty(torch.full((1, 1, 1, 2), 1.5)), torch.tensor(0.25))


@pytest.mark.parametrize("loss", [total_variation, range_penalty])
@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (2, 1, 1, 6), (1, 2, 1, 1)])
def test_gradients_that_are_computed_by_hand_are_those_of_the_losses(loss: Any, shape: tuple[int, ...]) -> None:
    image = (3 * torch.rand(shape, dtype=torch.double, generator=torch.Generator().manual_seed(0)) - 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: 2 * loss(x), (image,))
