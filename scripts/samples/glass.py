"""Style: leaded stained glass, a rose of light over hills and water."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .tools import Array, blur, fractal, lookup, mix, ramp, relief, rgb, shrink, smoothstep, to_pil

SIZE, SCALE = 640, 2
CENTRE = (0.58, 0.37)
RINGS = (0.0, 0.055, 0.115, 0.185, 0.27)
PETALS = (1, 8, 12, 16, 24)
PALETTES = {
    "core": ("fff3b0", "ffe069", "ffc933"),
    "sun": ("ffb31f", "f98e12", "e8590f", "d42a1c", "ffd24a"),
    "halo": ("b0122b", "7d1148", "c92f5d", "e2662b"),
    "sky": ("1238a6", "1f5fd0", "2f8fe0", "0c2274", "4a2fa8", "5fb6ea"),
    "hill": ("0f6b3a", "2f9a44", "7fc043", "0b4a3c", "c4cf3d"),
    "water": ("0a5a78", "10899c", "35b8b4", "093a66", "8fdccb"),
}


def sites(rng: np.random.Generator) -> tuple[Array, list[str]]:
    """Centres of the glass pieces and the palette name of each."""
    points: list[tuple[float, float]] = []
    kinds: list[str] = []
    for ring, (radius, count) in enumerate(zip(RINGS, PETALS, strict=True)):
        for i in range(count):
            turn = 2 * np.pi * (i + 0.5 * (ring % 2)) / count
            points.append((CENTRE[0] + radius * np.cos(turn), CENTRE[1] + radius * np.sin(turn)))
            kinds.append("core" if ring < 1 else "sun" if ring < 4 else "halo")
    placed = np.array(points)
    tries = 0
    while tries < 6000:
        tries += 1
        x, y = rng.uniform(-0.03, 1.03, 2)
        if np.hypot(x - CENTRE[0], y - CENTRE[1]) < RINGS[-1] + 0.035:
            continue
        kind = region(x, y)
        gap = {"sky": 0.062, "hill": 0.044, "water": 0.038}[kind]
        stretch = np.array([1.0, 1.0] if kind == "sky" else [0.62, 1.35])
        if np.hypot(*((placed - (x, y)) * stretch).T).min() > gap:
            placed = np.vstack([placed, (x, y)])
            kinds.append(kind)
    return placed.astype(np.float32), kinds


def region(x: float, y: float) -> str:
    """Part of the design at a point outside the rose."""
    if y > 0.83 + 0.03 * np.sin(7 * x):
        return "water"
    return "hill" if y > 0.66 + 0.06 * np.sin(4.4 * x + 0.6) else "sky"


def cells(points: Array, kinds: list[str], bend_y: Array, bend_x: Array) -> tuple[Array, Array]:
    """Index of the nearest piece and distance to its lead line, in canvas units."""
    size = SIZE * SCALE
    index = np.empty((size, size), np.int32)
    edge = np.empty((size, size), np.float32)
    wide = np.array([[0.62, 1.35] if k in ("hill", "water") else [1.0, 1.0] for k in kinds], np.float32)
    for row in range(0, size, 16):
        y, x = np.mgrid[row : row + 16, 0:size].astype(np.float32) / size
        y, x = (y + bend_y[row : row + 16])[..., None], (x + bend_x[row : row + 16])[..., None]
        close = np.abs(points[:, 1] - row / size) < 0.16
        some = np.flatnonzero(close)
        gap = np.hypot((x - points[some, 0]) * wide[some, 0], (y - points[some, 1]) * wide[some, 1])
        pair = np.argpartition(gap, 1, axis=-1)[..., :2]
        near = np.take_along_axis(gap, pair, axis=-1)
        swap = near[..., 0] > near[..., 1]
        first = np.where(swap, pair[..., 1], pair[..., 0])
        second = np.where(swap, pair[..., 0], pair[..., 1])
        apart = (points[some[first]] - points[some[second]]) * wide[some[first]] ** 2
        index[row : row + 16] = some[first]
        edge[row : row + 16] = np.abs(near[..., 0] ** 2 - near[..., 1] ** 2) / (2 * np.hypot(*apart.transpose(2, 0, 1)))
    return index, edge


def draw(seed: int) -> Image.Image:
    """Cut the pieces, colour and light the glass, then lay the lead over it."""
    rng = np.random.default_rng(seed)
    size = SIZE * SCALE
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    u, v = x / size, y / size
    points, kinds = sites(rng)
    bend_y, bend_x = (0.006 * fractal((size, size), rng, 4.2, low=2) for _ in range(2))
    index, edge = cells(points, kinds, bend_y, bend_x)

    names = np.array(kinds)
    tint = np.array([rgb(str(rng.choice(PALETTES[kind]))) for kind in kinds], np.float32)
    tint *= rng.uniform(0.82, 1.12, (len(kinds), 1)).astype(np.float32)
    other = np.array([rgb(str(rng.choice(PALETTES[kind]))) for kind in kinds], np.float32)
    turn = rng.uniform(0, np.pi, len(kinds)).astype(np.float32)[index]
    along, across = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    cloud = fractal((1024, 1024), rng, 2.2, low=4)
    streaks = lookup(cloud, across * 0.9 + 13 * index, along * 0.16 + 29 * index)
    ripple = lookup(cloud, across * 2.6 + 31 * index, along * 0.7)
    swirl = smoothstep(-0.4, 1.6, streaks)
    glass = mix(tint[index], other[index], swirl * 0.75)

    light = 0.80 + 0.50 * np.exp(-(((u - CENTRE[0]) ** 2 + (v - CENTRE[1]) ** 2) / 0.10))
    light = light + 0.13 * streaks + 0.07 * ripple
    light *= 0.45 + 0.60 * smoothstep(0.0, 0.030, edge)
    seeds = smoothstep(2.5, 3.3, lookup(fractal((1024, 1024), rng, 0.9, low=60), y, x))
    glass = np.clip(glass * light[..., None], 0, 1.3) ** 1.08
    glass += (0.30 * seeds + 0.22 * np.clip(relief(streaks + 0.5 * ripple, 6.0), 0, 1) ** 2)[..., None] * glass
    glass += 0.10 * smoothstep(0.7, 1.3, light)[..., None]

    painted = (rng.random(len(kinds)) < 0.42)[index] & (names != "core")[index]
    veins = np.abs(np.sin(across * 0.20 + 1.4 * np.sin(along * 0.05 + index)))
    line = (1 - smoothstep(0.10, 0.26, veins)) * painted * smoothstep(0.010, 0.016, edge)
    glass = mix(glass, glass * 0.18, line * 0.9)

    part = np.select([names == "core", names == "sun", names == "halo", names == "sky"], [0, 1, 2, 3], 4)
    part = np.where(names == "water", 5, part)[index]
    border = (np.abs(np.diff(part, axis=0, prepend=part[:1])) + np.abs(np.diff(part, axis=1, prepend=part[:, :1]))) > 0
    bold = np.clip(blur(border.astype(np.float32), 7) * 9, 0, 1)
    half = 0.0050 + 0.0036 * bold + 0.0005 * fractal((size, size), rng, 4.5, low=8)
    lead = 1 - smoothstep(half - 0.0008, half + 0.0008, edge)
    bead = np.sqrt(np.clip(1 - (edge / half) ** 2, 0, 1))
    shine = relief(blur(bead, 1.2), 9.0)
    metal = ramp(
        0.28 + 0.42 * shine + 0.05 * fractal((size, size), rng, 1.2),
        [(0, "07080b"), (0.4, "23262d"), (1, "9aa0a8")],
    )
    halo = blur(glass, 9)
    picture = mix(glass * 0.93 + 0.10 * halo, metal + 0.05 * halo, lead)
    return to_pil(shrink(picture.astype(np.float32), SCALE))
