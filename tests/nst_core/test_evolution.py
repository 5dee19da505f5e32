"""The sheet and the animation of snapshots."""

import io
import subprocess
import sys

import pytest
from PIL import Image, ImageSequence

from nst_core.evolution import (
    CELL_SIDE,
    COLUMNS,
    FRAME_SIDE,
    LAST_MILLISECONDS,
    MOST_FRAMES,
    AnimationFormat,
    animation,
    evolution_sheet,
)
from nst_core.picture import encode


def a_snapshot(step: int, size: tuple[int, int]) -> bytes:
    """A picture of one colour, lighter with each step."""
    return encode(Image.new("RGB", size, (step % 256, 40, 200)), "jpeg", quality=92)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def red_at(image: Image.Image, x: int, y: int) -> int:
    pixel = image.convert("RGB").getpixel((x, y))
    assert isinstance(pixel, tuple)
    return pixel[0]


@pytest.mark.parametrize("animation_format", ["webp", "gif"])
def test_an_animation_shows_every_snapshot_at_the_size_of_the_largest(animation_format: AnimationFormat) -> None:
    sizes = {20: (64, 48), 120: (128, 96), 240: (256, 192)}
    data = animation(list(sizes), lambda step: a_snapshot(step, sizes[step]), animation_format, 100)
    image = Image.open(io.BytesIO(data))
    assert image.format == animation_format.upper()
    assert image.info["loop"] == 0
    frames, durations = [], []
    for frame in ImageSequence.Iterator(image):
        frames.append(frame.convert("RGB"))
        durations.append(frame.info["duration"])
    assert [frame.size for frame in frames] == [(256, 192)] * 3
    assert [red_at(frame, 128, 96) for frame in frames] == pytest.approx([20, 120, 240], abs=6)
    assert durations == [100, 100, 100 + LAST_MILLISECONDS]


@pytest.mark.parametrize("animation_format", ["webp", "gif"])
@pytest.mark.parametrize("size", [(FRAME_SIDE * 3, FRAME_SIDE), (FRAME_SIDE // 2, FRAME_SIDE * 2)])
def test_the_frames_of_an_animation_are_bounded(animation_format: AnimationFormat, size: tuple[int, int]) -> None:
    image = opened(animation([1, 99], lambda step: a_snapshot(step, size), animation_format))
    assert max(image.size) == FRAME_SIDE
    assert min(image.size) == pytest.approx(FRAME_SIDE * min(size) / max(size), abs=1)


@pytest.mark.parametrize("animation_format", ["webp", "gif"])
def test_an_animation_of_one_snapshot_is_a_picture(animation_format: AnimationFormat) -> None:
    image = opened(animation([7], lambda step: a_snapshot(step, (64, 48)), animation_format))
    assert (image.size, getattr(image, "n_frames", 1)) == ((64, 48), 1)


def test_of_very_many_snapshots_some_are_shown_with_the_first_and_the_last() -> None:
    steps = list(range(1, 5 * MOST_FRAMES + 1))
    loaded = []

    def load(step: int) -> bytes:
        loaded.append(step)
        return a_snapshot(step, (16, 16))

    evolution_sheet(steps, load)
    assert len(loaded) == len(set(loaded)) == MOST_FRAMES
    assert loaded == sorted(loaded)
    assert (loaded[0], loaded[-1]) == (steps[0], steps[-1])


def test_a_sheet_shows_every_snapshot_in_its_place() -> None:
    steps = [30 * k for k in range(1, COLUMNS + 3)]
    sheet = opened(evolution_sheet(steps, lambda step: a_snapshot(step, (step, step // 2))))
    assert sheet.format == "JPEG"
    cell, height = CELL_SIDE + 4, sheet.height // 2
    assert sheet.width == COLUMNS * cell
    shown = [red_at(sheet, k % COLUMNS * cell + cell // 2, k // COLUMNS * height + 40) for k in range(len(steps))]
    assert shown == pytest.approx(steps, abs=6)
    # Nothing is in the last cells but paper; below each picture is something written.
    assert red_at(sheet, sheet.width - 30, height + 40) >= 250
    for k in range(len(steps)):
        left, bottom = k % COLUMNS * cell, (k // COLUMNS + 1) * height
        low, _ = sheet.convert("L").crop((left, bottom - 16, left + cell, bottom)).getextrema()
        assert isinstance(low, int)
        assert low < 100


def test_neither_needs_torch() -> None:
    script = "import sys, nst_core.evolution; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
