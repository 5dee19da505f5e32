import pytest
import torch

from nst_core.lbfgs import FIRST_STEP, LBFGS, LONGEST_STEP


def _quadratic(size: int = 20, condition: float = 100.0) -> tuple[torch.Tensor, torch.Tensor]:
    """A matrix A and a vector b of the function x^T A x / 2 - b^T x, whose minimum solves A x = b."""
    generator = torch.Generator().manual_seed(0)
    basis, _ = torch.linalg.qr(torch.randn(size, size, generator=generator))
    matrix = basis @ torch.diag(torch.logspace(0, torch.log10(torch.tensor(condition)).item(), size)) @ basis.T
    return matrix, matrix @ torch.rand(size, generator=generator)


def test_it_finds_the_closed_form_of_a_quadratic() -> None:
    matrix, vector = _quadratic()
    x = torch.zeros(20)
    optimizer = LBFGS(x, history=10)
    for _ in range(120):
        optimizer.step(matrix @ x - vector)
    torch.testing.assert_close(x, torch.linalg.solve(matrix, vector), atol=1e-3, rtol=1e-3)


def test_it_beats_gradient_descent_on_an_ill_conditioned_quadratic() -> None:
    matrix, vector = _quadratic(condition=1000.0)
    x, y = torch.zeros(20), torch.zeros(20)
    optimizer = LBFGS(x, history=10)
    for _ in range(60):
        optimizer.step(matrix @ x - vector)
        y -= (matrix @ y - vector) / 1000
    solution = torch.linalg.solve(matrix, vector)
    assert (x - solution).norm() < 0.3 * (y - solution).norm()


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_the_scale_of_the_function_does_not_matter(scale: float) -> None:
    matrix, vector = _quadratic()
    x = torch.zeros(20)
    optimizer = LBFGS(x, history=10)
    for _ in range(120):
        optimizer.step(scale * (matrix @ x - vector))
    torch.testing.assert_close(x, torch.linalg.solve(matrix, vector), atol=1e-3, rtol=1e-3)


def test_steps_are_bounded() -> None:
    x = torch.zeros(100)
    optimizer = LBFGS(x, history=5)
    optimizer.step(torch.full((100,), 1e6))
    assert x.square().mean().sqrt() == pytest.approx(FIRST_STEP)
    # A nearly linear function: Newton's step would be enormous.
    before = x.clone()
    optimizer.step(torch.full((100,), 1e6 - 1))
    assert (x - before).square().mean().sqrt() == pytest.approx(LONGEST_STEP, rel=1e-4)


def test_negative_curvature_is_not_remembered() -> None:
    x = torch.full((3,), 0.1)
    optimizer = LBFGS(x, history=5)
    for _ in range(20):
        optimizer.step(-x)  # the function -x^2/2 falls for ever
    assert (x > 0.1).all()
    assert torch.isfinite(x).all()


def test_a_zero_gradient_moves_nothing() -> None:
    x = torch.ones(4)
    LBFGS(x, history=5).step(torch.zeros(4))
    assert torch.equal(x, torch.ones(4))
