"""Files that are written whole or not at all, and checkpoints."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch

from nst_core.errors import CorruptCheckpoint


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to, which takes its place at the end; a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    yield partial
    partial.replace(path)


def save_checkpoint(state: Mapping[str, Any], file: Path | BinaryIO) -> None:
    """Writes a state: tensors and plain values."""
    if not isinstance(file, Path):
        torch.save(dict(state), file)
        return
    with replaced(file) as partial:
        torch.save(dict(state), partial)


def load_checkpoint(file: Path | BinaryIO, device: torch.device) -> dict[str, Any]:
    """What :func:`save_checkpoint` wrote, its tensors on ``device``.

    Raises:
        CorruptCheckpoint: it cannot be read.
    """
    try:
        state: dict[str, Any] = torch.load(file, map_location=device, weights_only=True)
    except Exception as error:  # torch raises many types for a damaged file
        name = f" {file.name}" if isinstance(file, Path) else ""
        raise CorruptCheckpoint(
            f"the checkpoint{name} cannot be read: {(str(error) or type(error).__name__).splitlines()[0]}"
        ) from None
    return state
