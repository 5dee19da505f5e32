"""Style: small pure dots of divided colour, a river bank at sundown."""

from __future__ import annotations

import colorsys

import numpy as np
from PIL import Image, ImageDraw

from .tools import Array, blur, fractal, from_pil, mix, ramp, relief, shrink, smoothstep, to_pil

WIDTH, HEIGHT, SCALE = 768, 576, 2
SKY = [(0.0, "5a5fb8"), (0.35, "b78fc4"), (0.6, "f0a884"), (0.8, "fbd07a"), (1.0, "fff0b0")]
WATER = [(0.0, "f5c878"), (0.3, "c98fb0"), (0.6, "5f7fc0"), (1.0, "24407f")]
GRASS = [(0.0, "1c2f5a"), (0.3, "23604f"), (0.6, "7f9f3a"), (0.85, "dcb54a"), (1.0, "f6d98a")]
LEAVES = [(0.0, "1a2450"), (0.35, "1f5a4a"), (0.65, "5c9a3a"), (0.85, "e0b03a"), (1.0, "f58a3a")]
SUN = (0.63, 0.34)


def scene(rng: np.random.Generator) -> Array:
    """The motif as flat colour: sky, far bank, river, trees and a meadow with a path."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    x, y = x / WIDTH, y / HEIGHT
    soft = fractal((HEIGHT, WIDTH), rng, 3.0, (2.5, 1.0), low=2)
    fine = fractal((HEIGHT, WIDTH), rng, 2.0, low=8)
    far = np.hypot((x - SUN[0]) * 1.33, y - SUN[1])
    colour = ramp(y / 0.46 * 0.55 + 0.55 * np.exp(-far * 4) + 0.07 * soft, SKY)
    colour = mix(colour, (1.0, 0.97, 0.72), smoothstep(0.062, 0.050, far))
    bank = 0.44 - 0.035 * np.sin(5 * x + 1) - 0.02 * np.abs(np.sin(17 * x))
    hill = ramp(0.35 + 0.6 * (y - bank) / 0.05 + 0.1 * fine, [(0, "6a62b0"), (0.5, "4f7f9a"), (1, "86a84f")])
    colour = np.where((y > bank)[..., None], hill, colour)
    depth = (y - 0.47) / 0.35
    shine = np.exp(-(((x - SUN[0]) / (0.03 + 0.10 * np.clip(depth, 0, 1))) ** 2)) * (
        0.5 + 0.5 * np.sin(y * 210 + 6 * soft)
    )
    water = ramp(depth + 0.17 * np.sin(y * 190 + 4 * soft + 9 * x), WATER)
    water = mix(water, (1.0, 0.86, 0.42), np.clip(shine, 0, 1))
    colour = np.where((y > 0.47)[..., None], water, colour)
    near = 0.70 + 0.14 * smoothstep(0.25, 0.75, x) - 0.03 * np.sin(7 * x)
    light = 0.42 + 0.9 * (y - near) + 0.22 * np.sin(26 * (y - near) * 3 + 7 * x + soft) + 0.12 * fine
    colour = np.where((y > near)[..., None], ramp(light, GRASS), colour)
    path = np.abs(x - 0.40 - 0.22 * np.sin((y - 0.7) * 7)) < 0.015 + 0.32 * np.clip(y - 0.74, 0, 1)
    colour = np.where(
        (path & (y > near + 0.01))[..., None], ramp(0.5 + 0.2 * fine, [(0, "b0709a"), (1, "fbd8a0")]), colour
    )
    for cx, foot, tall, wide in (
        (0.10, 0.80, 0.72, 0.125),
        (0.27, 0.76, 0.50, 0.075),
        (0.90, 0.90, 0.74, 0.12),
    ):
        trunk = (np.abs(x - cx - 0.006 * np.sin(y * 20)) < 0.011) & (y < foot) & (y > foot - tall * 0.5)
        colour = np.where(trunk[..., None], ramp((x - cx) / 0.022 + 0.5, [(0, "3a2350"), (1, "c0643a")]), colour)
        shadow = np.hypot((x - cx + 0.06) / 0.16, (y - foot - 0.01) / 0.022) < 1
        colour = np.where(shadow[..., None], colour * 0.35 + np.array([0.10, 0.08, 0.32]) * 0.65, colour)
        for up in rng.permutation(np.linspace(0.26, 1.0, 60)):
            crown = np.sin(np.pi * np.clip((up - 0.12) / 0.93, 0, 1)) ** 0.7
            bx, by = cx + rng.uniform(-0.8, 0.8) * wide * crown, foot - tall * up
            r = wide * rng.uniform(0.26, 0.44) * (0.55 + 0.45 * crown)
            ball = np.hypot((x - bx) * 1.33, y - by) / r
            toward = ((SUN[0] - cx) * (x - bx) - 0.5 * abs(SUN[0] - cx) * (y - by)) / (abs(SUN[0] - cx) * r)
            leaf = ramp(
                0.30 + 0.30 * toward + 0.35 * (SUN[0] - cx) / abs(SUN[0] - cx) * (x - cx) / wide + 0.12 * fine,
                LEAVES,
            )
            colour = np.where((ball + 0.12 * fine < 1)[..., None], leaf, colour)
    return np.clip(colour, 0, 1).astype(np.float32)


def dots(motif: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Cover the canvas with dots, coarse to fine, splitting each tone into purer hues."""
    canvas = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), (226, 208, 176))
    level = Image.new("L", canvas.size, 60)
    pen, lift = ImageDraw.Draw(canvas), ImageDraw.Draw(level)
    for radius, gap, spread in ((8.5, 8.0, 0.035), (6.2, 6.3, 0.05), (4.4, 6.4, 0.075)):
        smooth = blur(motif, radius / SCALE * 0.5)
        step = gap / SCALE * 1.3
        gy, gx = np.mgrid[0:HEIGHT:step, 0:WIDTH:step]
        spots = np.stack([gx.ravel(), gy.ravel()], axis=1) + rng.uniform(-0.6, 0.6, (gx.size, 2)) * step
        for px, py in rng.permutation(spots):
            red, green, blue = smooth[min(max(int(py), 0), HEIGHT - 1), min(max(int(px), 0), WIDTH - 1)]
            hue, sat, value = colorsys.rgb_to_hsv(float(red), float(green), float(blue))
            hue += rng.normal(0, spread)
            if rng.random() < 0.11:
                hue, value = hue + 0.5, value * 0.92
            sat = min(sat * 1.15 + 0.05, 0.95)
            tone = colorsys.hsv_to_rgb(hue % 1, sat, min(max(value * rng.uniform(0.80, 1.22), 0.10), 1.0))
            r, lean = radius * rng.uniform(0.72, 1.12), rng.uniform(0.8, 1.0)
            x, y = px * SCALE, py * SCALE
            pen.ellipse((x - r, y - r * lean, x + r, y + r * lean), fill=tuple(int(255 * v) for v in tone))
            high = int(rng.uniform(100, 190))
            lift.ellipse((x - r, y - r * lean, x + r, y + r * lean), fill=high)
            lift.ellipse((x - r / 2, y - r / 2, x + r / 2, y + r / 2), fill=high + 40)
    return from_pil(canvas), from_pil(level)


def draw(seed: int) -> Image.Image:
    """Dot the motif and light the small dabs of paint."""
    rng = np.random.default_rng(seed)
    pigment, thick = dots(scene(rng), rng)
    light = relief(blur(thick, 1.2), 5.0)[..., None]
    return to_pil(shrink(pigment * (1 + 0.20 * light) + 0.06 * np.clip(light, 0, 1), SCALE))
