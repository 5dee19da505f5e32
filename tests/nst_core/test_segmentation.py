"""Masks of pictures of which the subject is known."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image, ImageDraw

from nst_core import segmentation
from nst_core.errors import NoSubject
from nst_core.segmentation import auto_mask, intersection_over_union, subject_mask

Color = tuple[int, int, int]


def disc(
    width: int = 240,
    height: int = 160,
    *,
    middle: tuple[float, float] = (0.5, 0.5),
    radius: float = 0.3,
    color: Color = (230, 200, 90),
    ground: Color = (25, 30, 50),
    noise: float = 12,
) -> tuple[Image.Image, Image.Image]:
    """A noisy disc on a noisy ground, and where it is; the radius in parts of the short side."""
    truth = Image.new("L", (width, height))
    x, y, r = middle[0] * width, middle[1] * height, radius * min(width, height)
    ImageDraw.Draw(truth).ellipse((x - r, y - r, x + r, y + r), fill=255)
    clean = Image.composite(Image.new("RGB", truth.size, color), Image.new("RGB", truth.size, ground), truth)
    noisy = np.asarray(clean) + np.random.default_rng(0).normal(0, noise, (height, width, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8)), truth


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"middle": (0.25, 0.4), "radius": 0.2},
        {"middle": (0.8, 0.6), "radius": 0.2},
        {"middle": (0.5, 0.75), "radius": 0.45},  # cut off by the lower border
        {"color": (20, 60, 30), "ground": (200, 190, 180)},
        {"color": (200, 60, 50), "ground": (60, 120, 50), "noise": 25},
        {"color": (170, 170, 170), "ground": (80, 80, 80)},
        {"width": 64, "height": 48},
        {"width": 2400, "height": 1600},
        {"width": 100, "height": 400},
    ],
)
def test_a_disc_is_found(how: dict) -> None:
    picture, truth = disc(**how)
    mask = subject_mask(picture)
    assert (mask.mode, mask.size) == ("L", picture.size)
    assert intersection_over_union(mask, truth) > 0.95


def test_two_subjects_are_found() -> None:
    (left, truth), (right, other) = disc(middle=(0.3, 0.4), radius=0.2), disc(middle=(0.7, 0.6), radius=0.2)
    right.paste(left, mask=truth)
    other.paste(truth, mask=truth)
    assert intersection_over_union(subject_mask(right), other) > 0.95


def test_the_background_is_the_complement() -> None:
    picture, _ = disc()
    subject, background = (np.asarray(auto_mask(picture, kind), int) for kind in ("subject", "background"))
    assert np.array_equal(subject + background, np.full_like(subject, 255))


def test_edges_are_soft_and_everything_else_is_sure() -> None:
    picture, _ = disc(1200, 800, noise=4)
    mask = np.asarray(subject_mask(picture))
    between = (mask > 5) & (mask < 250)
    assert 0 < between.mean() < 0.05
    y, x = np.nonzero(between)
    assert np.abs(np.hypot(x - 600, y - 400) - 240).max() < 60


def test_the_same_picture_gives_the_same_mask_in_any_thread() -> None:
    picture, _ = disc(noise=40)
    with ThreadPoolExecutor(2) as pool:
        first, second, third = pool.map(subject_mask, [picture] * 3)
    assert first.tobytes() == second.tobytes() == third.tobytes() == subject_mask(picture).tobytes()


def test_strips_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, _ = disc()
    whole = np.asarray(subject_mask(picture), int)
    monkeypatch.setattr(segmentation, "_STRIP_PIXELS", 7 * picture.width)
    assert np.abs(whole - np.asarray(subject_mask(picture))).max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_pictures_of_any_mode(mode: str) -> None:
    picture, truth = disc()
    assert intersection_over_union(subject_mask(picture.convert(mode)), truth) > 0.95


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (500, 300), (4000, 16)])
def test_one_colour_has_no_subject(size: tuple[int, int]) -> None:
    for color in ("black", "white", "teal"):
        with pytest.raises(NoSubject):
            subject_mask(Image.new("RGB", size, color))


def test_differences_that_nobody_sees_make_no_subject() -> None:
    picture, _ = disc(color=(101, 100, 100), ground=(100, 100, 100), noise=0)
    with pytest.raises(NoSubject):
        auto_mask(picture, "background")


@pytest.mark.parametrize("size", [(16, 16), (300, 200), (4000, 16), (16, 1000)])
@pytest.mark.parametrize("kind", ["noise", "gradient"])
def test_pictures_without_a_subject_end_in_a_mask_or_are_told(kind: str, size: tuple[int, int]) -> None:
    picture = Image.effect_noise(size, 80) if kind == "noise" else Image.linear_gradient("L").resize(size)
    with suppress(NoSubject):
        assert subject_mask(picture).size == size


def test_agreement_is_the_part_that_both_show_of_what_either_shows() -> None:
    left, top = Image.new("L", (20, 20)), Image.new("L", (10, 10))
    left.paste(255, (0, 0, 10, 20))
    top.paste(255, (0, 0, 10, 5))
    assert intersection_over_union(left, top) == pytest.approx(1 / 3)
    assert intersection_over_union(left, left) == 1
    assert intersection_over_union(left, Image.new("L", (5, 5))) == 0
    assert intersection_over_union(Image.new("L", (5, 5)), Image.new("L", (5, 5))) == 1
