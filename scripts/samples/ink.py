"""Style: pen and ink over watercolour, misty pine ridges cross-hatched on rough paper."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .tools import Array, blur, fractal, from_pil, lookup, mix, relief, rgb, shrink, smoothstep, to_pil

WIDTH, HEIGHT, SCALE = 640, 640, 2
PAPER = "f3ead6"
WASHES = ("c98a6a", "8a9aa6", "5c7f86", "a0674f", "3f5f66", "b58a4a", "33424f")


def ridge(x: Array, level: int, rng: np.random.Generator) -> Array:
    """Skyline of a range, as a height in 0..1 from the top."""
    line = 0.25 + 0.115 * level + np.zeros_like(x)
    for octave in range(7):
        freq, amp = 1.3 * 2**octave, 0.075 * 0.52**octave
        line -= amp * (1 - 2 * np.abs(np.sin(freq * x * 3.1 + rng.uniform(0, 6))))
    return line


def motif(rng: np.random.Generator) -> tuple[Array, Array, Array, list[Array]]:
    """Tone, pen direction and wash colour at every point, with the skylines."""
    shape = (HEIGHT, WIDTH)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    x, y = x / WIDTH, y / HEIGHT
    cloud = fractal(shape, rng, 3.0, (1.7, 1.0), low=2)
    rock = fractal(shape, rng, 2.2, low=4)
    tone = 0.10 + 0.34 * smoothstep(0.1, 1.5, cloud) * (1 - y) + 0.20 * np.clip(0.35 - y, 0, 1)
    moon = np.hypot(x - 0.70, y - 0.17)
    tone = np.where(moon < 0.085, 0.0, tone + 0.30 * np.exp(-(((moon - 0.10) / 0.05) ** 2)))
    gy, gx = np.gradient(blur(cloud, 7) + 0.6 * y)
    angle = np.arctan2(gx, -gy)
    wash = mix(rgb("e9cfa8"), rgb("a9bcc2"), smoothstep(-1, 1, cloud + 2 * (0.25 - y)))
    wash = np.where((moon < 0.085)[..., None], np.array(rgb("fbf3dc"), np.float32), wash)
    lines = []
    for level in range(len(WASHES)):
        line = ridge(x[0], level, rng)
        lines.append(line)
        depth = y - line[None, :]
        slope = np.gradient(blur(line[None, :].repeat(3, axis=0), 4)[0]) * WIDTH
        inside = depth > 0
        facing = 0.5 - 0.55 * np.tanh(2.2 * slope)[None, :] + 0.28 * rock
        mist = smoothstep(0.02, 0.18, depth)
        shade = np.clip(0.18 + 0.055 * level + 0.50 * facing, 0, 1) * (1 - 0.75 * mist) + 0.10
        tone = np.where(inside, shade, tone)
        angle = np.where(inside, np.arctan(slope)[None, :] * 0.5 + 0.9 - 0.25 * (level % 3) + 0.25 * rock, angle)
        paint = mix(rgb(WASHES[level]), rgb(PAPER), np.clip(0.75 * mist + 0.10 * rock, 0, 1))
        wash = np.where(inside[..., None], paint, wash)
    return np.clip(tone, 0, 1).astype(np.float32), angle.astype(np.float32), wash.astype(np.float32), lines


def hatch(pen: ImageDraw.ImageDraw, tone: Array, angle: Array, rng: np.random.Generator) -> None:
    """Layers of curved pen strokes, each layer turned and kept to darker tones."""
    for turn, cut, count in ((0.0, 0.10, 15000), (0.75, 0.42, 8000), (-0.6, 0.64, 6000), (1.5, 0.80, 4000)):
        for px, py in rng.uniform(0, 1, (count, 2)) * (WIDTH, HEIGHT):
            value = tone[int(py), int(px)]
            if value < cut + 0.10 * rng.random():
                continue
            length, path = int(rng.uniform(5, 13)), [(px * SCALE, py * SCALE)]
            for _ in range(length):
                ix, iy = int(px), int(py)
                if not (0 <= ix < WIDTH and 0 <= iy < HEIGHT) or tone[iy, ix] < cut * 0.9:
                    break
                heading = angle[iy, ix] + turn
                px, py = px + 2.2 * np.cos(heading), py + 2.2 * np.sin(heading)
                path.append((px * SCALE, py * SCALE))
            if len(path) > 3:
                pressure = 1 + int(value * 1.6 + rng.random() * 0.9)
                pen.line(path, fill=int(rng.uniform(170, 255)), width=pressure)
                pen.line(path[1:-1], fill=255, width=pressure + (value > 0.7))


def pine(pen: ImageDraw.ImageDraw, x: float, foot: float, tall: float, rng: np.random.Generator) -> None:
    """A brushed pine: bending trunk and drooping tiers of needles."""
    lean = rng.normal(0, 0.05)
    for s in np.linspace(0, 1, 22):
        y = foot - tall * s
        cx = x + lean * tall * s
        pen.line(
            [(cx, y), (cx + lean * tall / 22, y - tall / 22)],
            fill=255,
            width=max(1, int(tall * 0.035 * (1 - s)) + 1),
        )
        if s < 0.12:
            continue
        spread = tall * 0.27 * (1 - s) ** 0.85 * rng.uniform(0.65, 1.2)
        for sign in (-1, 1):
            tip_x, tip_y = cx + sign * spread, y + spread * rng.uniform(0.15, 0.45)
            pen.line(
                [(cx, y), ((cx + tip_x) / 2, y + spread * 0.05), (tip_x, tip_y)],
                fill=255,
                width=max(1, int(tall * 0.012)) + 1,
            )
            for part in np.linspace(0.2, 1, max(3, int(spread / 4))):
                bx, by = cx + (tip_x - cx) * part, y + (tip_y - y) * part**1.5
                drop = spread * rng.uniform(0.12, 0.30)
                pen.line([(bx, by), (bx + sign * drop * 0.4, by + drop)], fill=int(rng.uniform(190, 255)), width=2)


def draw(seed: int) -> Image.Image:
    """Lay the washes, let their edges darken and granulate, then draw with the pen."""
    rng = np.random.default_rng(seed)
    size = (HEIGHT * SCALE, WIDTH * SCALE)
    tone, angle, wash, lines = motif(rng)
    sheet = Image.new("L", (size[1], size[0]), 0)
    pen = ImageDraw.Draw(sheet)
    hatch(pen, tone, angle, rng)
    columns = np.arange(WIDTH) * SCALE
    for level, line in enumerate(lines):
        skyline = list(zip(columns.tolist(), (line * HEIGHT * SCALE).tolist(), strict=True))
        for start in range(0, WIDTH - 8, 8):
            pen.line(skyline[start : start + 9], fill=255, width=1 + int(rng.integers(0, 2 + level // 3)))
        if level >= 2:
            for spot in rng.integers(0, WIDTH, 10 + 3 * level):
                tall = (14 + 13 * level**1.3) * rng.uniform(0.6, 1.35)
                pine(pen, float(columns[spot]), float(line[spot] * HEIGHT * SCALE + 5), tall, rng)
    ink = from_pil(sheet)

    drift_y, drift_x = (4 * fractal((HEIGHT, WIDTH), rng, 2.6, low=4) for _ in range(2))
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    y, x = np.clip(y + drift_y, 0, HEIGHT - 2), np.clip(x + drift_x, 0, WIDTH - 2)
    wash = np.stack([lookup(wash[..., c], y, x) for c in range(3)], axis=-1)
    steps = np.round(blur(wash.mean(axis=-1), 2) * 9) / 9
    rim = np.abs(steps - blur(steps, 2.2))
    wash = np.asarray(to_pil(wash).resize((size[1], size[0]), Image.Resampling.BICUBIC), np.float32) / 255
    rim = np.asarray(Image.fromarray(rim).resize((size[1], size[0]), Image.Resampling.BICUBIC))

    tooth = fractal(size, rng, 1.3, low=40)
    bloom = fractal(size, rng, 2.5, low=3)
    picture = wash * (1 - 1.9 * rim - 0.05 * np.clip(bloom, -2, 2))[..., None]
    picture = picture * (1 - 0.055 * np.clip(tooth, -1, 2) * (1.3 - wash.mean(axis=-1)))[..., None]
    bleed = blur(ink, 1.0) * (0.90 - 0.10 * smoothstep(0.6, 1.8, tooth))
    picture = mix(picture, (0.09, 0.10, 0.15), np.clip(bleed + 0.10 * blur(ink, 7), 0, 1))
    picture += 0.035 * relief(blur(tooth, 1.0), 2.0)[..., None]
    return to_pil(shrink(picture.astype(np.float32), SCALE))
