"""From where another process may go on with a picture of the iterative engine, so that both end in the same one."""

import io
from dataclasses import dataclass, field, fields, replace
from itertools import chain
from typing import Self

import torch
from torch import Tensor

from nst_core.errors import CorruptCheckpoint
from nst_core.files import load_checkpoint, save_checkpoint
from nst_core.pyramid import Scale


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state of an optimisation after some iteration.

    Attributes:
        step: iterations done, over all scales.
        image: (1, 3, H, W) RGB as the optimiser has it, not clamped, at the size of its scale.
        learned: what the optimiser knows besides, tensors by name; empty: nothing.
        pairs: the steps and gradient changes that L-BFGS remembers, oldest first.
        averaged: the iterates that went into ``average``; 0 when no average is shown.
        average: their sum so far, of the image's shape, or a scalar 0.
        careful: the optimisation has diverged before, and goes on with safer settings.
        tile: the side of the tiles; None when the picture is worked on as a whole.
    """

    step: int
    image: Tensor
    learned: dict[str, Tensor] = field(default_factory=dict)
    pairs: tuple[tuple[Tensor, Tensor], ...] = ()
    averaged: int = 0
    average: Tensor = field(default_factory=lambda: torch.zeros(()))
    careful: bool = False
    tile: int | None = None

    def fits(self, scales: list[Scale]) -> bool:
        """Whether it lies within one of these scales and has that one's size."""
        done = 0
        for scale in scales:
            if done < self.step < done + scale.iterations:
                return self.image.shape == (1, 3, scale.height, scale.width)
            done += scale.iterations
        return False

    def to_bytes(self, most: int) -> bytes | None:
        """The checkpoint in at most so many bytes.

        Where even one without pairs is too large, what the optimiser has learned is left out, and the image is in half
        precision: going on from there the picture is as good, but not the same.  None when that is too large as well,
        or when only the pairs are too many: without them the picture would be another one, with those of a later
        iteration, which has few, the same.
        """
        if self._bytes < most:
            return self._written(most)
        if replace(self, pairs=())._bytes < most:
            return None
        image = replace(self, image=self.image.half(), learned={}, pairs=())
        return image._written(most) if image._bytes < most else None

    @property
    def _bytes(self) -> int:
        """Of its tensors."""
        tensors = (self.image, self.average, *self.learned.values(), *chain.from_iterable(self.pairs))
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def _written(self, most: int) -> bytes | None:
        file = io.BytesIO()
        save_checkpoint({each.name: getattr(self, each.name) for each in fields(self)}, file)
        return file.getvalue() if file.tell() <= most else None

    @classmethod
    def from_bytes(cls, data: bytes, device: torch.device) -> Self:
        """What :meth:`to_bytes` made, on ``device``.

        Raises:
            CorruptCheckpoint: it cannot be read.
        """
        state = load_checkpoint(io.BytesIO(data), device)
        try:
            return cls(**{**state, "image": state["image"].float()})
        except (KeyError, TypeError, AttributeError) as error:
            raise CorruptCheckpoint(f"the checkpoint is of another kind: {error}") from None
