"""Files that are written whole or not at all, and checkpoints of trainings."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from nst_core.errors import TrainingFailed


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to, which takes its place at the end; a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    yield partial
    partial.replace(path)


def save_checkpoint(state: Mapping[str, Any], path: Path) -> None:
    """Writes a training's state, tensors and plain values."""
    with replaced(path) as partial:
        torch.save(dict(state), partial)


def load_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """What :func:`save_checkpoint` wrote, its tensors on ``device``.

    Raises:
        TrainingFailed: it cannot be read.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises many types for a damaged file
        raise TrainingFailed(f"the checkpoint {path.name} cannot be read: {error}") from None
    return state
