from pathlib import Path
from typing import Any

import pytest
import torch

from nst_core.errors import TooLittleMemory
from nst_core.memory import _free_in_group, free_bytes, needed_bytes, smaller_tile, tile_for
from nst_core.options import GatysOptions


def options(**changes: Any) -> GatysOptions:
    return GatysOptions(**changes)


def test_some_memory_is_free() -> None:
    assert free_bytes(torch.device("cpu")) > 10**6


@pytest.mark.parametrize(("limit", "free"), [("1000000\n", 1_000_000 - 700_000 + 200_000), ("max\n", None)])
def test_a_container_has_what_its_limit_leaves(tmp_path: Path, limit: str, free: int | None) -> None:
    assert _free_in_group(tmp_path) is None
    files = {"max": limit, "current": "700000\n", "stat": "anon 400000\ninactive_file 200000\n"}
    for name, text in files.items():
        (tmp_path / f"memory.{name}").write_text(text)
    assert _free_in_group(tmp_path) == free


def test_memory_grows_with_the_picture_the_history_and_the_encoder() -> None:
    small = needed_bytes(512, 384, options())
    assert needed_bytes(1024, 768, options()) == pytest.approx(4 * small)
    assert needed_bytes(512, 384, options(history=20)) > small > needed_bytes(512, 384, options(optimizer="adam"))
    assert needed_bytes(512, 384, options(encoder="vgg19")) > 2 * small
    assert needed_bytes(512, 384, options(style_loss="sliced-wasserstein")) > small
    assert needed_bytes(4096, 3072, options(), 512) < needed_bytes(4096, 3072, options()) / 3


def test_what_fits_is_painted_as_a_whole() -> None:
    assert tile_for(512, 384, options(), 4 * 10**9) is None


def test_what_does_not_is_painted_in_the_largest_tiles_that_fit() -> None:
    free = 12 * 10**9
    tile = tile_for(4096, 3072, options(optimizer="adam"), free)
    assert tile is not None
    assert needed_bytes(4096, 3072, options(optimizer="adam"), tile) <= free
    assert tile_for(4096, 3072, options(optimizer="adam"), free // 2) < tile


def test_a_tile_that_was_asked_for_is_taken() -> None:
    assert tile_for(512, 384, options(tile=256), 10**12) == 256
    assert tile_for(512, 384, options(tile=512), 10**12) is None


@pytest.mark.parametrize("changes", [{}, {"style_loss": "sliced-wasserstein"}])
def test_what_fits_by_no_means_is_refused_with_figures_and_advice(changes: dict[str, Any]) -> None:
    with pytest.raises(
        TooLittleMemory, match=r"take about \d.* GB.* and 1\.0 GB are free; ask for a smaller size, or"
    ) as e:
        tile_for(4096, 3072, options(**changes), 10**9)
    assert e.value.code == "out_of_memory"


def test_large_style_images_and_many_masks_count() -> None:
    small = needed_bytes(128, 96, options())
    assert needed_bytes(128, 96, options(style_size=2048)) > 10**9 > 20 * small
    assert needed_bytes(512, 384, options(), masks=6) > 1.3 * needed_bytes(512, 384, options(), masks=1)
    assert tile_for(128, 96, options(style_size=2048), 10**9) == 768
    assert tile_for(128, 96, options(style_size=2048, style_weight=0), 10**9) is None


def test_tiles_can_be_halved_until_they_are_small() -> None:
    assert smaller_tile(None, 4096, 3072, options()) == 2048
    assert smaller_tile(1536, 4096, 3072, options()) == 768
    assert smaller_tile(1040, 4096, 3072, options()) == 512  # a multiple of 16
    assert smaller_tile(256, 4096, 3072, options()) is None
    assert smaller_tile(None, 128, 96, options(style_size=2048)) == 1024
    assert smaller_tile(None, 128, 96, options(style_size=2048, style_weight=0)) is None
    assert smaller_tile(None, 4096, 3072, options(style_loss="sliced-wasserstein")) is None


def test_a_tile_that_was_asked_for_must_fit_too() -> None:
    with pytest.raises(TooLittleMemory, match="also in tiles"):
        tile_for(4096, 3072, options(tile=1024), 10**9)
