"""Style: a hand-set mosaic whose tesserae follow the lines of a peacock fan."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .tools import Array, blur, fractal, from_pil, mix, ramp, relief, rgb, shrink, to_pil

SIZE, SCALE = 640, 2
PITCH = 7.8
GOLD = ("e8b93a", "f4d469", "c98f22", "fbe9a0")
TEAL = ("0b5563", "11808a", "27a79a", "5cc8ad")
BLUE = ("10236b", "1b43a8", "2c6fd0", "4f9fe4")
RUST = ("7a1d1a", "b0351f", "d9622b", "ee9a4d")
CREAM = ("efe3c6", "e0cfa6", "f8f2e2", "cdbb92")
NIGHT = ("0d1430", "161f47", "231a45", "0b2a3d")
GREEN = ("1d5a2e", "3f8a35", "86b13a", "c1cc50")


def design(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Contour field the rows follow, palette number and tone (0..1) at points in canvas units."""
    cx, cy = 0.5, 0.60
    dx, dy = x - cx, y - cy
    far, turn = np.hypot(dx, dy), np.arctan2(dx, -dy)
    field, palette, tone = far.copy(), np.full(x.shape, 5), 0.5 + 0.5 * np.sin(far * 70)

    # Overlapping scales of the ground, row by row from the top.
    size = 0.150
    for row in range(-1, 15):
        py = (row + 1) * size * 0.52
        px = (np.round(x / size - 0.5 * (row % 2)) + 0.5 * (row % 2)) * size
        gap = np.hypot(x - px, (y - py)) / (size * 0.56)
        inside = (gap < 1) & (y < py + 0.1)
        field = np.where(inside, gap * size * 0.56, field)
        band = np.select([gap > 0.80, gap > 0.56, gap > 0.30], [4, 2, 5], 3)
        palette = np.where(inside, band, palette)
        tone = np.where(inside, 0.25 + 0.5 * (row % 3) / 2 + 0.15 * np.sin(19 * px), tone)

    # The fan: three tiers of eyed feathers around the body.
    for radius, count, span in ((0.365, 11, 2.0), (0.245, 8, 1.9), (0.150, 5, 1.7)):
        step = 2 * span / (count - 1)
        nearest = np.clip(
            np.round(turn / step + 0.5 * (count % 2 == 0)) - 0.5 * (count % 2 == 0), -span / step, span / step
        )
        ex, ey = cx + radius * np.sin(nearest * step), cy - radius * np.cos(nearest * step)
        eye = np.hypot(x - ex, y - ey) / (radius * step * 0.60)
        plume = (far < radius) & (np.abs(turn) < span + step * 0.5)
        inside = (eye < 1) | plume
        field = np.where(
            inside, np.where(eye < 1, eye * radius * step * 0.60, np.abs(turn - nearest * step) * far), field
        )
        barb = np.abs(turn - nearest * step) * far
        look = np.where(barb < 0.009, 0, np.where(barb < 0.030, 6, 1))
        look = np.where(eye < 1, np.select([eye > 0.82, eye > 0.60, eye > 0.34], [0, 1, 3], 5), look)
        palette = np.where(inside, look, palette)
        shade = np.where(eye < 1, 0.85 - 0.5 * eye, 0.15 + 0.75 * far / radius - 8 * barb)
        tone = np.where(inside, shade, tone)

    # Body, neck and head.
    neck_x = cx + 0.030 * np.sin((cy - y) * 17)
    neck = np.abs(x - neck_x) / (0.034 + 0.05 * np.clip(y - cy + 0.12, 0, 1))
    on_neck = (neck < 1) & (y > cy - 0.20) & (y < cy + 0.10)
    torso = np.hypot(dx / 0.115, (y - cy - 0.12) / 0.165)
    for inside, ring in ((torso < 1, torso), (on_neck, neck)):
        field = np.where(inside, ring * 0.10, field)
        palette = np.where(inside, np.where(ring > 0.82, 0, 2), palette)
        tone = np.where(inside, 0.55 - 0.25 * ring + 0.45 * np.sin(ring * 20), tone)
    head = np.hypot(x - cx - 0.0, y - cy + 0.215) / 0.052
    field, palette = (
        np.where(head < 1, head * 0.05, field),
        np.where(head < 1, np.where(head < 0.3, 4, 2), palette),
    )
    beak = (np.abs(y - cy + 0.205 - 0.12 * (x - cx - 0.05)) < 0.018 - 0.28 * (x - cx - 0.05)) & (x > cx + 0.045)
    palette = np.where(beak & (x < cx + 0.11), 3, palette)

    # Twisted border.
    rim = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    run = np.where((x < y) == (x < 1 - y), y, x)
    twist = np.sin(run * 2 * np.pi * 10) * 0.019
    inside = rim < 0.088
    field = np.where(inside, rim, field)
    look = np.where(rim > 0.076, 0, np.where(rim < 0.012, 3, np.where(rim < 0.044 + twist, 4, 2)))
    palette = np.where(inside, look, palette)
    tone = np.where(inside, 0.35 + 12 * np.abs(rim - 0.044 - twist), tone)
    return field.astype(np.float32), palette, np.clip(tone, 0, 1).astype(np.float32)


def settle(points: Array, angle: Array, rounds: int) -> Array:
    """Even out square tiles: Lloyd rounds with a box metric turned along the local rows."""
    reach = int(PITCH * 1.3)
    oy, ox = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    for _ in range(rounds):
        best = np.full((SIZE, SIZE), np.inf, np.float32)
        owner = np.full((SIZE, SIZE), -1, np.int32)
        for i, (px, py) in enumerate(points):
            x0, y0 = int(px), int(py)
            turn = angle[min(max(y0, 0), SIZE - 1), min(max(x0, 0), SIZE - 1)]
            c, s = np.cos(turn), np.sin(turn)
            top, left = max(y0 - reach, 0), max(x0 - reach, 0)
            window = (slice(top, min(y0 + reach + 1, SIZE)), slice(left, min(x0 + reach + 1, SIZE)))
            dx = (ox + x0 - px)[0, left - x0 + reach :][: window[1].stop - left][None, :]
            dy = (oy + y0 - py)[top - y0 + reach :, 0][: window[0].stop - top][:, None]
            gap = np.maximum(np.abs(dx * c + dy * s), np.abs(dy * c - dx * s))
            wins = gap < best[window]
            best[window][wins] = gap[wins]
            owner[window][wins] = i
        held = owner >= 0
        y, x = np.nonzero(held)
        total = np.bincount(owner[held], minlength=len(points))
        mean_x = np.bincount(owner[held], x, len(points)) / np.maximum(total, 1)
        mean_y = np.bincount(owner[held], y, len(points)) / np.maximum(total, 1)
        points = np.where(total[:, None] > 0, np.stack([mean_x, mean_y], axis=1), points)
    return points.astype(np.float32)


def draw(seed: int) -> Image.Image:
    """Set the tiles along the design, then light glass, gold and mortar."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE
    field = blur(design(x, y)[0], 1.6)
    gy, gx = np.gradient(field)
    angle = np.arctan2(gy, gx)
    c, s = blur(np.cos(4 * angle), 3.0), blur(np.sin(4 * angle), 3.0)
    angle = np.arctan2(s, c) / 4
    side = int(SIZE / PITCH) + 1
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2) * PITCH + PITCH / 2
    points = settle((grid + rng.normal(0, 2.0, grid.shape)).astype(np.float32), angle, 16)

    _, palette, tone = design(points[:, 0] / SIZE, points[:, 1] / SIZE)
    shades = np.array([[rgb(code) for code in row] for row in (GOLD, TEAL, BLUE, RUST, CREAM, NIGHT, GREEN)])
    size = SIZE * SCALE
    floor = Image.new("RGB", (size, size), (58, 50, 44))
    level = Image.new("L", (size, size), 30)
    pen, lift = ImageDraw.Draw(floor), ImageDraw.Draw(level)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float)
    for (px, py), kind, value in zip(points, palette, tone, strict=True):
        turn = angle[min(int(py), SIZE - 1), min(int(px), SIZE - 1)] + rng.normal(0, 0.05)
        pick = np.clip(value * 3 + rng.normal(0, 0.38), 0, 3)
        colour = shades[kind][round(float(pick))] * rng.uniform(0.84, 1.14) + rng.normal(0, 0.015, 3)
        half = PITCH * SCALE * 0.44 * rng.uniform(0.93, 1.06, 2)
        box = corners * half + rng.normal(0, 0.6, (4, 2))
        turned = box @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        at = (turned + (px * SCALE + 1, py * SCALE + 1)).tolist()
        pen.polygon([tuple(p) for p in at], fill=tuple(int(v) for v in np.clip(colour * 255, 0, 255)))
        lift.polygon([tuple(p) for p in at], fill=int(rng.uniform(150, 240)))
    tiles, raised = from_pil(floor), from_pil(level)
    stone = fractal((size, size), rng, 1.5, low=16)
    tilt = fractal((size, size), rng, 3.0, low=6)
    light = relief(blur(raised, 1.5) + 0.012 * stone, 5.0)
    on_tile = (raised > 0.3).astype(np.float32)
    picture = tiles * (1 + 0.34 * light + 0.05 * stone * on_tile + 0.10 * tilt)[..., None]
    mortar = ramp(0.5 + 0.2 * stone, [(0, "2c2622"), (1, "6d6156")])
    picture = mix(mortar * (0.85 + 0.3 * light[..., None]), picture, blur(on_tile, 0.8))
    gold = np.clip(1 - np.abs(tiles - np.array(rgb(GOLD[1]), np.float32)).sum(axis=-1) * 1.5, 0, 1) * on_tile
    picture = picture + (gold * np.clip(0.20 * tilt + 0.25 * light + 0.05, 0, 1))[..., None]
    return to_pil(shrink(picture.astype(np.float32), SCALE))
