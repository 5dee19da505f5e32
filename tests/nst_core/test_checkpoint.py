"""Checkpoints in bytes: whole, or less of them where there is little room."""

from dataclasses import replace

import pytest
import torch

from nst_core.checkpoint import Checkpoint
from nst_core.errors import CorruptCheckpoint
from nst_core.pyramid import Scale

CPU = torch.device("cpu")
IMAGE = torch.rand(1, 3, 30, 40) * 1.2 - 0.1
CHECKPOINT = Checkpoint(step=50, image=IMAGE, learned={"gradient": torch.rand(3600)}, careful=True, tile=256)


def test_bytes_hold_the_whole_state() -> None:
    data = CHECKPOINT.to_bytes(100_000)
    assert data
    again = Checkpoint.from_bytes(data, CPU)
    assert torch.equal(again.image, IMAGE)
    assert torch.equal(again.learned["gradient"], CHECKPOINT.learned["gradient"])
    assert (again.step, again.averaged, again.careful, again.tile) == (50, 0, True, 256)


def test_with_little_room_the_image_alone_is_kept() -> None:
    data = CHECKPOINT.to_bytes(20_000)
    assert data is not None
    assert len(data) <= 20_000
    again = Checkpoint.from_bytes(data, CPU)
    torch.testing.assert_close(again.image, IMAGE, atol=1e-3, rtol=0)
    assert again.image.dtype == torch.float32
    assert not again.learned
    assert CHECKPOINT.to_bytes(7_000) is None


def test_it_fits_only_within_a_scale_of_its_size() -> None:
    scales = [Scale(width=20, height=15, iterations=40), Scale(width=40, height=30, iterations=20)]
    assert CHECKPOINT.fits(scales)
    assert not CHECKPOINT.fits(scales[::-1])
    assert not CHECKPOINT.fits(scales[:1])
    assert not CHECKPOINT.fits([*scales[:1], Scale(width=41, height=30, iterations=20)])


def test_one_with_too_many_pairs_is_none_where_one_without_them_would_do() -> None:
    pairs = ((torch.rand(3600), torch.rand(3600)),) * 2
    whole = replace(CHECKPOINT, pairs=pairs)
    data = whole.to_bytes(100_000)
    assert data is not None
    again = Checkpoint.from_bytes(data, CPU)
    assert [[*map(torch.equal, *both)] for both in zip(again.pairs, pairs, strict=True)] == [[True, True]] * 2
    assert whole.to_bytes(50_000) is None
    # Where none would do, the image alone is as good as that of any other iteration.
    small = whole.to_bytes(20_000)
    assert small is not None
    assert not Checkpoint.from_bytes(small, CPU).pairs


@pytest.mark.parametrize("data", [b"", b"nothing", CHECKPOINT.to_bytes(100_000)[:-200]])  # type: ignore[index]
def test_damaged_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(CorruptCheckpoint, match="cannot be read"):
        Checkpoint.from_bytes(data, CPU)
