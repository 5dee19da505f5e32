"""Style: thick oil strokes swept along a swirling field of blues and yellows."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .tools import Array, blur, fractal, from_pil, mix, ramp, relief, shrink, to_pil

SIZE, SCALE = 640, 2
# Centre x, centre y, radius (in canvas units), spin.
WHIRLS = (
    (0.27, 0.27, 0.19, 1.0),
    (0.73, 0.19, 0.13, -1.0),
    (0.60, 0.47, 0.17, 1.0),
    (0.06, 0.52, 0.11, -1.0),
    (0.95, 0.46, 0.10, -1.0),
    (0.49, 0.07, 0.08, 1.0),
)
NIGHT = [
    (0.0, "0b1440"),
    (0.25, "16338a"),
    (0.5, "2f6fc0"),
    (0.72, "6fb4d6"),
    (0.88, "cfe3c8"),
    (1.0, "f4efc6"),
]
FIRE = [(0.0, "8a4a12"), (0.3, "d98a14"), (0.6, "f6c21c"), (0.85, "fbe56a"), (1.0, "fff8cf")]
FIELD = [(0.0, "0e2a2e"), (0.3, "1f5a44"), (0.5, "6f8f2e"), (0.7, "d0a024"), (0.9, "f0cf52"), (1.0, "f7e9a0")]
# Stroke width, length and count for each pass, from ground to finish.
PASSES = ((50, 200, 900), (34, 190, 1500), (21, 140, 2000), (11, 90, 1700))


def hills(x: Array, count: int) -> Array:
    """Height of the nth ridge line of the fields at the bottom."""
    return 0.70 + 0.085 * count + 0.045 * np.sin(5.1 * x + 1.9 * count) + 0.02 * np.sin(11 * x - 2.3 * count)


def design(rng: np.random.Generator) -> tuple[Array, Array]:
    """Flow direction and colour at every canvas point."""
    size = SIZE * SCALE
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    wave = fractal((size, size), rng, 3.4, low=1)
    vx = 0.30 + 0.02 * wave
    vy = 0.22 * np.sin(7 * x + 2.5 * y) + 0.05 * wave
    glow, ring = np.zeros_like(x), np.zeros_like(x)
    for cx, cy, radius, spin in WHIRLS:
        dx, dy = x - cx, y - cy
        far = np.hypot(dx, dy) + 1e-6
        pull = np.exp(-((far / (radius * 1.15)) ** 2)) * 2.2 * spin
        vx += -dy / far * pull + dx / far * 0.12 * np.abs(pull)
        vy += dx / far * pull + dy / far * 0.12 * np.abs(pull)
        near = np.exp(-((far / radius) ** 2))
        glow = np.maximum(glow, np.exp(-((far / (radius * 0.46)) ** 2)) * 1.25)
        ring += near * np.sin(far / radius * 17 - 1.6 * spin * np.arctan2(dy, dx))
    stream = np.sin(46 * (y + 0.05 * np.sin(7 * x + 2.5 * y) / 1.3) + 3 * wave)
    tone = 0.40 + 0.15 * y + 0.26 * ring + 0.13 * stream + 0.10 * wave
    colour = ramp(tone, NIGHT)
    colour = mix(colour, ramp(0.55 + 0.38 * ring + 0.35 * (glow - 0.5), FIRE), np.clip(glow * 1.7 - 0.28, 0, 1))
    for count in range(4):
        line = hills(x, count)
        slope = np.gradient(line, axis=1) * size
        inside = y > line
        furrow = np.sin((y - line) * (150 - 18 * count) + 4 * x + wave)
        body = ramp(0.30 + 0.14 * count + 0.24 * furrow + 0.10 * wave, FIELD)
        body = mix(body, (0.05, 0.13, 0.25), np.exp(-(y - line) / 0.012) * 0.85)
        colour = np.where(inside[..., None], body, colour)
        vx, vy = np.where(inside, 1.0, vx), np.where(inside, slope + 0.35 * np.sin(9 * x + count), vy)
    return np.arctan2(vy, vx), colour


def paint(angle: Array, colour: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Lay all strokes bristle by bristle; returns the pigment and the paint thickness."""
    size = angle.shape[0]
    pigment, thick = to_pil(colour * 0.55), Image.new("L", (size, size), 40)
    pen, knife = ImageDraw.Draw(pigment), ImageDraw.Draw(thick)
    for order, (width, length, count) in enumerate(PASSES):
        detail = blur(colour, width * 0.22)
        step = max(4.0, width * 0.28)
        for x, y in rng.uniform(-60, size + 20, (count, 2)):
            steps = int(length * rng.uniform(0.6, 1.25) / step)
            tint = detail[min(max(int(y), 0), size - 1), min(max(int(x), 0), size - 1)] * rng.uniform(
                0.74, 1.24
            ) + rng.normal(0, 0.035, 3)
            if rng.random() < 0.07:
                tint = tint[::-1] * np.array([1.0, 0.85, 0.8])
            path = np.empty((steps, 2))
            for i in range(steps):
                path[i] = x, y
                turn = angle[min(max(int(y), 0), size - 1), min(max(int(x), 0), size - 1)]
                x, y = x + step * np.cos(turn), y + step * np.sin(turn)
            along = np.gradient(path, axis=0)
            across = np.stack([-along[:, 1], along[:, 0]], axis=1) / (np.hypot(*along.T)[:, None] + 1e-6)
            swell = np.sin(np.linspace(0.45, np.pi - 0.25, steps))[:, None] ** 0.6
            bristles = max(4, int(width / 2.6))
            load = np.convolve(rng.normal(0, 1, bristles + 2), [0.25, 0.5, 0.25], "valid")
            for place, paint_load in zip(np.linspace(-0.5, 0.5, bristles), load, strict=True):
                first, last = int(rng.integers(0, 3)), steps - int(rng.integers(0, 4) * (0.5 + abs(place)))
                line = (path + across * place * width * swell)[first:last]
                if len(line) < 2:
                    continue
                shade = np.clip((tint * (1 + 0.16 * paint_load) + 0.03 * paint_load) * 255, 0, 255)
                points = [tuple(p) for p in line]
                pen.line(points, fill=tuple(int(v) for v in shade), width=4)
                level = 90 + 14 * order + 34 * paint_load + (46 if abs(place) > 0.42 else 0)
                knife.line(points, fill=int(np.clip(level, 10, 215)), width=3)
                knife.line(points[-2:], fill=int(np.clip(level + 55, 10, 255)), width=4)
    return from_pil(pigment), from_pil(thick)


def draw(seed: int) -> Image.Image:
    """Paint the picture and light its impasto from the upper left."""
    rng = np.random.default_rng(seed)
    angle, colour = design(rng)
    pigment, thick = paint(angle, colour, rng)
    weave = np.arange(SIZE * SCALE) * 0.9
    canvas = 0.012 * (np.sin(weave)[:, None] + np.sin(weave)[None, :])
    height = blur(thick, 1.2) + canvas
    light = relief(height, 11.0)[..., None]
    picture = pigment * (1 + 0.42 * light) + 0.16 * np.clip(light - 0.25, 0, 1)
    return to_pil(shrink(picture, SCALE))
