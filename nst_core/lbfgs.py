"""L-BFGS for images: quasi-Newton steps from a short memory of gradients (Nocedal 1980; Liu & Nocedal 1989).

Written for this task instead of taken from torch.optim: one gradient per iteration, no thresholds on the gradient's
size, and instead of a line search, which would double the cost, a bound on how far one step moves the pixels.
"""

from collections import deque
from collections.abc import Iterable

import torch
from torch import Tensor

#: Root mean square of the first step, in units of the image's range [0, 1]; nothing is known of curvature then.
FIRST_STEP = 0.01

#: No step moves the pixels further than this (root mean square): the losses are far from quadratic.
LONGEST_STEP = 0.06

#: Pairs whose curvature is not clearly positive (cosine of step and change of gradient) are not remembered.
_LEAST_COSINE = 1e-4


class LBFGS:
    """Minimises a function of one tensor, given its gradients.

    Args:
        parameter: changed in place; contiguous, float32.
        history: pairs of steps and gradient changes that are remembered.
        learning_rate: factor on every step after the first.
    """

    def __init__(self, parameter: Tensor, *, history: int, learning_rate: float = 1.0) -> None:
        self.parameter, self.learning_rate = parameter, learning_rate
        # (step, change of gradient, 1 / their product)
        self._pairs: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=history)
        self._step: Tensor | None = None
        self._gradient: Tensor | None = None

    @torch.no_grad()
    def step(self, gradient: Tensor) -> None:
        """Moves the parameter, given the gradient (of the parameter's shape) at its present value."""
        gradient = gradient.flatten()
        self._remember(gradient)
        step = self._direction(gradient)
        if not self._pairs or torch.dot(step, gradient) >= 0:
            self._pairs.clear()
            step = -gradient * (FIRST_STEP / _rms(gradient))
        else:
            step.mul_(self.learning_rate)
            step.mul_((LONGEST_STEP / _rms(step)).clamp(max=1.0))
        self.parameter.add_(step.view_as(self.parameter))
        self._step, self._gradient = step, gradient.clone()

    @property
    def last(self) -> tuple[Tensor, Tensor] | None:
        """The last step and the gradient that it was taken by, flat; None at the start.  They never change."""
        return None if self._step is None or self._gradient is None else (self._step, self._gradient)

    @property
    def pairs(self) -> tuple[tuple[Tensor, Tensor], ...]:
        """The steps and gradient changes that are remembered, flat, oldest first.  They never change."""
        return tuple((step, change) for step, change, _ in self._pairs)

    def forget(self) -> None:
        """Drops all but the last step and its gradient.

        One pair is there again after the next step: done every few dozen iterations it costs next to nothing.
        """
        self._pairs.clear()

    def recall(self, step: Tensor, gradient: Tensor, pairs: Iterable[tuple[Tensor, Tensor]] = ()) -> None:
        """Goes on with another one's :attr:`last` and :attr:`pairs`, from the same value of the parameter."""
        self._step, self._gradient = step, gradient
        self._pairs.extend((moved, change, 1 / torch.dot(change, moved)) for moved, change in pairs)

    def _remember(self, gradient: Tensor) -> None:
        if self._step is None or self._gradient is None:
            return
        change = gradient - self._gradient
        product = torch.dot(change, self._step)
        if product > _LEAST_COSINE * change.norm() * self._step.norm():
            self._pairs.append((self._step, change, 1 / product))

    def _direction(self, gradient: Tensor) -> Tensor:
        """-H g by the two-loop recursion (Nocedal & Wright 2006, algorithm 7.4)."""
        direction = gradient.neg()
        factors = []
        for step, change, inverse in reversed(self._pairs):
            factor = inverse * torch.dot(step, direction)
            direction.sub_(change * factor)
            factors.append(factor)
        if self._pairs:
            _, change, inverse = self._pairs[-1]
            direction.div_(inverse * torch.dot(change, change))
        for (step, change, inverse), factor in zip(self._pairs, reversed(factors), strict=True):
            direction.add_(step * (factor - inverse * torch.dot(change, direction)))
        return direction


def _rms(vector: Tensor) -> Tensor:
    return vector.square().mean().sqrt().clamp_min(1e-30)
