"""Photograph-like scene: a mountain lake with a lighthouse, a sail boat and a meadow bank.

The land is a height field traced column by column; the lake shows the same world traced from a
camera mirrored under the surface, looked up through rippled normals. Units are metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from .harbour_props import Layer, cottage, lighthouse, sailboat
from .tools import (
    Array,
    blur,
    develop,
    fractal,
    from_pil,
    linear,
    lookup,
    mix,
    ramp,
    shrink,
    smoothstep,
    to_pil,
)

WIDTH, HEIGHT, SCALE = 768, 576, 2
FOCAL = 1600.0
EYE = 5.2
HORIZON = 0.545
SUN = np.array([-0.80, -0.22, 0.52]) / np.linalg.norm([-0.80, -0.22, 0.52])
SUNLIGHT = np.array([1.0, 0.83, 0.62], np.float32) * 3.0
SKYLIGHT = np.array([0.36, 0.50, 0.72], np.float32) * 0.85
HOUSE_AT = (30.0, 150.0, 5.6)
BOAT_AT = (-25.0, 120.0)


def lattice(cells: int, size: int, rng: np.random.Generator) -> Array:
    """Smooth value noise in -1..1 with the given number of cells across the map."""
    grid = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
    return np.asarray(Image.fromarray(grid).resize((size, size), Image.Resampling.BICUBIC))


class Land:
    """The height field: lake shore, foothills, ridged mountains, headland and near bank."""

    tile = 10000.0

    def __init__(self, rng: np.random.Generator) -> None:
        """Draw the noise maps."""
        size = 1536
        ridges = np.zeros((size, size), np.float32)
        weight: Array | float = 1.0
        for octave in range(8):
            crest = (1 - np.abs(lattice(4 * 2**octave, size, rng))) ** 2 * weight
            ridges += crest * 0.46**octave
            weight = np.clip(crest * 1.3, 0, 1)
        self.ridges = (ridges - ridges.min()) / (ridges.max() - ridges.min())
        self.rough = fractal((1024, 1024), rng, 2.4, low=2)
        self.fine = fractal((1024, 1024), rng, 1.6, low=6)
        self.random = rng.random((256, 256, 4)).astype(np.float32)

    def ground(self, x: Array, y: Array) -> Array:
        """Terrain height without trees; negative under water."""
        cell = self.ridges.shape[0] / self.tile
        ridges = lookup(self.ridges, y * cell + 130, x * cell + 760)
        rough = lookup(self.rough, y * 0.13, x * 0.13)
        wide = lookup(self.rough, y * 0.02 + 300, x * 0.02 + 90)
        inland = y - (820 + 130 * wide - 0.10 * x)
        valley = 0.30 + 0.70 * smoothstep(0.02, 0.26, np.abs(x / y + 0.10))
        rise = smoothstep(-200, 5200, inland)
        peaks = rise * valley * ridges * (0.35 + 0.65 * ridges) * 2150
        hills = smoothstep(0, 620, inland) * (26 + 20 * wide) * (0.6 + 0.4 * valley)
        far = np.where(inland > 0, 0.8 + peaks + hills + rough * np.clip(inland / 90, 0, 5), inland * 0.03)
        crag = 1 - np.abs(lookup(self.rough, y * 2.1 + 70, x * 2.1 + 33))
        cape = 1 - np.hypot((x - 47) / 36, (y - 153) / 18) + 0.07 * rough + 0.10 * crag
        top = 6.4 * smoothstep(0.0, 0.42, cape) + 0.8 * smoothstep(0.3, 1.0, cape)
        cape = np.where(cape > 0, top + crag * 1.5 * smoothstep(0.6, 0.1, cape), -1.0)
        fine = lookup(self.fine, y * 26, x * 26)
        bank = 1.9 - 0.10 * (y - 8) - 0.17 * (x + 6.5) + 0.14 * lookup(self.rough, y * 9, x * 9)
        bank = np.where(bank > 0, bank + 0.05 * fine, bank)
        near = np.where(y < 40, bank, -1.0)
        return np.maximum(np.maximum(far, cape), near).astype(np.float32)

    def trees(self, x: Array, y: Array, ground: Array) -> tuple[Array, Array, Array]:
        """Conifers as cones: height above ground, position up the tree (0..1) and a random tint."""
        tall, part, tint = (np.zeros(x.shape, np.float32) for _ in range(3))
        wood = lookup(self.rough, y * 0.06 + 50, x * 0.06 + 400) + 0.5
        grows = (ground > 1.4) & (ground < 520 + 120 * wood) & (y > 150) & (y < 5000)
        spots = np.flatnonzero(grows & (wood > -0.2))
        px, py = x.ravel()[spots], y.ravel()[spots]
        best, up, hue = (np.zeros(spots.size, np.float32) for _ in range(3))
        pitch = np.where(py < 400, 4.5, 10.0)
        col, row = np.floor(px / pitch).astype(np.int32), np.floor(py / pitch).astype(np.int32)
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                dice = self.random[(row + dy) % 256, (col + dx) % 256]
                cx = (col + dx + 0.15 + 0.7 * dice[:, 0]) * pitch
                cy = (row + dy + 0.15 + 0.7 * dice[:, 1]) * pitch
                size = (0.45 + 0.75 * dice[:, 2]) * np.where(py < 400, 5.0, 21.0)
                size *= np.where((py < 400) & ((dice[:, 3] > 0.30) | (np.abs(cx - 37) < 12)), 0, 1)
                reach = np.hypot(px - cx, py - cy) / (0.21 * size + 0.01)
                cone = size * (1 - reach)
                wins = cone > best
                best = np.where(wins, cone, best)
                up = np.where(wins, 1 - reach, up)
                hue = np.where(wins, dice[:, 3], hue)
        tall.ravel()[spots], part.ravel()[spots], tint.ravel()[spots] = best, up, hue
        return tall, part, tint

    def surface(self, x: Array, y: Array) -> Array:
        """Terrain with its trees."""
        ground = self.ground(x, y)
        return ground + self.trees(x, y, ground)[0]


@dataclass
class View:
    """What one camera sees: linear light, distance of the hit, and where there is water or sky."""

    light: Array
    distance: Array
    water: Array
    slope: Array
    side: Array


def sky(side: Array, slope: Array, rng: np.random.Generator) -> Array:
    """Clear gradient with a warm side, lit cumulus and thin high cloud."""
    blue = ramp(slope, [(0.0, "c9d6dc"), (0.05, "a9c3d6"), (0.16, "7ba6cd"), (0.40, "3f76b3")]) ** 2.2
    glow = np.exp(-np.maximum(slope, 0) / 0.09)[..., None] * np.exp(-((side + 0.35) ** 2) / 0.10)[..., None]
    light = blue + glow * linear("ffd9a8") * 0.35
    puffs, veil = fractal((1024, 1024), rng, 3.1, low=3), fractal((1024, 1024), rng, 2.6, (3.0, 1.0), low=2)
    lift = np.maximum(slope, 0) + 0.085
    u, v = side / lift * 150, 52 / lift
    thin = smoothstep(0.1, 2.6, lookup(veil, v * 0.7 + 300, u * 0.5 + v * 0.3)) * 0.5
    light = mix(light, linear("f4f2ee") * 1.05, thin * smoothstep(0.02, 0.2, slope))
    puff = lookup(puffs, v * 1.15 + 840, u * 1.15 + 250)
    lean = lookup(puffs, v * 1.15 + 846, u * 1.15 + 241)
    cover = smoothstep(0.25, 1.15, puff)
    lit = np.clip(0.72 + 0.75 * (puff - lean) - 0.16 * np.clip(puff - 0.7, 0, 2), 0.22, 1.15)
    body = mix(linear("7e8ea6") * 0.95, linear("fff3df") * 1.25, lit)
    haze = smoothstep(0.0, 0.10, slope)
    return mix(light, mix(linear("c9d6dc"), body, haze), cover * (0.25 + 0.7 * haze))


def shade_land(land: Land, x: Array, y: Array) -> Array:
    """Light leaving the land at the given hit points, haze included."""
    ground = land.ground(x, y)
    tall, part, tint = land.trees(x, y, ground)
    z = ground + tall
    step = np.maximum(0.06, y * 0.0011).astype(np.float32)
    slope_x = (land.surface(x + step, y) - z) / step
    slope_y = (land.surface(x, y + step) - z) / step
    cap = np.where(tall > 0, 1.6, 9.0)
    slope_x, slope_y = np.clip(slope_x, -cap, cap), np.clip(slope_y, -cap, cap)
    flat = 1 / np.sqrt(1 + slope_x**2 + slope_y**2)
    sun = np.clip((-slope_x * SUN[0] - slope_y * SUN[1] + SUN[2]) * flat, 0, 1)

    shade = np.ones_like(x)
    reach = np.where(y < 60, 0.5, np.where(y < 700, 3.0, 55.0)).astype(np.float32)
    for _ in range(11):
        above = z + reach * SUN[2] / np.hypot(SUN[0], SUN[1]) + 0.2
        toward = reach / np.hypot(SUN[0], SUN[1])
        block = land.ground(x + SUN[0] * toward, y + SUN[1] * toward) - above
        shade = np.minimum(shade, 1 - smoothstep(-0.04, 0.05, block / reach))
        reach = reach * 1.38

    rough = lookup(land.rough, y * 0.9, x * 0.9)
    speck = lookup(land.fine, y * 6 + z * 4, x * 6)
    rock = mix(linear("6f675f"), linear("a39584"), np.clip(0.5 + 0.28 * rough + 0.12 * speck, 0, 1))
    grass = mix(linear("4b5b22"), linear("98924a"), np.clip(0.45 + 0.3 * rough + 0.1 * speck, 0, 1))
    albedo = mix(rock, grass, smoothstep(0.62, 0.80, flat) * (1 - smoothstep(500, 900, z + 90 * rough)))
    snow = smoothstep(0, 160, z - 760 + 130 * rough) * smoothstep(0.48, 0.62, flat + 0.03 * speck)
    albedo = mix(albedo, np.array([0.86, 0.89, 0.93], np.float32), snow)
    beach = (1 - smoothstep(0.5, 1.3, ground + 0.15 * rough)) * (y > 60)
    albedo = mix(albedo, linear("9a8c78") * (0.8 + 0.25 * speck[..., None]), beach)
    albedo = mix(albedo, rock * 0.8, (1 - smoothstep(0.1, 0.35, ground)) * (y < 60))
    cape = (y > 100) & (y < 400) & ((flat < 0.8) | (ground < 2.6 + 0.5 * rough)) & (tall <= 0)
    albedo = mix(albedo, rock * 0.9, cape.astype(np.float32))
    needles = mix(linear("18301c"), linear("47602a"), tint)
    needles = mix(needles, linear("9a7326"), (tint > 0.86).astype(np.float32) * 0.8)
    leafy = (tall > 0).astype(np.float32)
    albedo = mix(albedo, needles * (0.85 + 0.2 * np.clip(speck, -2, 2)[..., None]), leafy)
    cover = np.where(tall > 0, 0.35 + 0.75 * part, 1.0)

    direct = (sun * shade * cover)[..., None] * SUNLIGHT
    ambient = (0.45 + 0.55 * flat)[..., None] * cover[..., None] * SKYLIGHT
    bounce = np.clip(0.4 - sun, 0, 1)[..., None] * linear("caa980") * 0.16
    light = albedo * (direct + ambient + bounce) * 0.62

    far = 1 - np.exp(-np.maximum(y - 250, 0) / 7600 * np.exp(-np.maximum(z, 0) / 2600))
    mist = np.exp(-np.maximum(z - 8, 0) / 46) * smoothstep(500, 2600, y) * 0.50
    warm = np.clip(0.5 - 1.1 * x / y, 0, 1)
    air = mix(linear("9db8d2"), linear("e6d5bd"), warm * 0.75)
    return mix(light, air, 1 - (1 - far) * (1 - mist))


def look(land: Land, eye: float, side: Array, slope: Array, sky_seed: int) -> View:
    """Trace the world for a camera at height `eye`; `slope` runs down the rows."""
    reach = np.geomspace(9, 10500, 1500).astype(np.float32)
    heights = land.surface(side[None, :] * reach[:, None], np.repeat(reach[:, None], side.size, axis=1))
    heights = np.maximum(heights, 0)
    if eye < 0:
        heights[(heights <= 0) | (reach[:, None] < 45)] = -1e5
    horizon = np.maximum.accumulate((heights - eye) / reach[:, None], axis=0)
    hit = np.stack([np.searchsorted(horizon[:, c], slope) for c in range(side.size)], axis=1)
    open_sky = hit >= reach.size
    hit = np.minimum(hit, reach.size - 1)
    columns = np.arange(side.size)[None, :]
    before, after = horizon[np.maximum(hit - 1, 0), columns], horizon[hit, columns]
    part = np.clip((slope[:, None] - before) / np.maximum(after - before, 1e-7), 0, 1)
    exact = reach[np.maximum(hit - 1, 0)] * (1 - part) + reach[hit] * part
    distance = np.where(open_sky, np.inf, exact).astype(np.float32)
    water = ~open_sky & (heights[hit, columns] <= 0)

    sides = np.broadcast_to(side[None, :], hit.shape)
    slopes = np.broadcast_to(slope[:, None], hit.shape)
    light = sky(sides, slopes, np.random.default_rng(sky_seed))
    solid = ~open_sky & ~water
    light[solid] = shade_land(land, sides[solid] * distance[solid], distance[solid])

    grit = fractal(light.shape[:2], np.random.default_rng(5), 0.6)
    house, tower, boat = (Layer(light.shape[:2]) for _ in range(3))
    x, y, base = HOUSE_AT
    up = slopes * y + eye - base
    cottage(0.95 * (sides * y - x - 10.0), 0.95 * (up + 0.2), grit, house)
    lighthouse(sides * y - x, up, tower)
    sailboat(sides * BOAT_AT[1] - BOAT_AT[0], slopes * BOAT_AT[1] + eye, boat)
    for layer, nearest in ((house, y - 3), (tower, y - 3), (boat, 40.0)):
        mask = layer.mask & (distance > nearest)
        light[mask] = layer.light[mask] * np.array([1.0, 0.93, 0.82], np.float32)
        water &= ~mask
    return View(light, distance, water, slopes, sides)


def lake(view: View, mirror: View, slope: Array, rng: np.random.Generator) -> Array:
    """Colour of the water: the mirrored world through ripples, Fresnel and depth colour."""
    reach = EYE / np.maximum(-view.slope, 1e-4)
    x = view.side * reach
    long_waves = fractal((1024, 1024), rng, 1.9, (1.0, 2.2), low=10)
    chop = fractal((1024, 1024), rng, 1.5, (1.0, 1.7), low=30)
    tilt = 0.020 * lookup(long_waves, reach * 9, x * 9) + 0.022 * lookup(chop, reach * 24, x * 24)
    gusts = 0.35 + 0.65 * smoothstep(-0.7, 1.1, lookup(long_waves, reach * 0.35, x * 0.16))
    fade = np.clip(140 / reach, 0.16, 1) ** 0.75
    tilt = tilt * gusts * fade
    sway = 0.004 * lookup(chop, reach * 14 + 77, x * 14) * fade
    up = np.clip(-view.slope + 1.6 * tilt, 0.0005, slope[0])
    pitch = (slope[0] - slope[-1]) / (slope.size - 1)
    row = (slope[0] - up) / pitch
    first, second = mirror.side[0, :2]
    col = (view.side + sway - first) / (second - first)
    row, col = np.clip(row, 0, slope.size - 1.01), np.clip(col, 0, mirror.side.shape[1] - 1.01)
    seen = np.stack([lookup(mirror.light[..., c], row, col) for c in range(3)], axis=-1)
    facing = np.clip(-view.slope + 0.9 * tilt, 0, 1)
    fresnel = np.clip(0.03 + 0.97 * (1 - facing) ** 6.5, 0, 1)
    deep = mix(linear("0d2f38"), linear("2d5b5a"), np.clip(0.3 + 6 * tilt, 0, 1)) * 0.8
    return mix(deep, seen * 0.93, fresnel)


def meadow(picture: Array, view: View, rng: np.random.Generator) -> Array:
    """Draw grass blades and flowers over the near bank."""
    canvas = to_pil(np.clip(picture, 0, 1))
    pen = ImageDraw.Draw(canvas)
    rows, cols = np.nonzero((view.distance < 38) & ~view.water & np.isfinite(view.distance))
    picks = rng.choice(rows.size, 11000)
    for pick in picks[np.argsort(-view.distance[rows[picks], cols[picks]])]:
        x, y = float(cols[pick]), float(rows[pick])
        size = FOCAL / view.distance[rows[pick], cols[pick]]
        dry, dim = rng.random(), rng.uniform(0.45, 1.1)
        tone = (np.array([74, 96, 30]) * (1 - dry) + np.array([186, 170, 84]) * dry) * dim
        tall = size * rng.gamma(6, 0.055)
        lean, wide = tall * rng.normal(0.28, 0.22), max(size * 0.006, 1.0)
        tip, knee = (x + lean, y - tall), (x + lean * 0.35, y - tall * 0.55)
        base = tuple(int(v * 0.7) for v in tone)
        pen.polygon([(x - wide, y), (x + wide, y), (knee[0] + wide * 0.8, knee[1]), knee], fill=base)
        pen.polygon([knee, (knee[0] + wide * 0.8, knee[1]), tip], fill=tuple(int(v) for v in tone))
        if rng.random() < 0.022:
            hue = [(206, 52, 38), (240, 226, 190), (226, 178, 40), (128, 92, 178)][int(rng.integers(4))]
            for _ in range(6):
                r, a = size * 0.028 * rng.uniform(0.7, 1.2), rng.uniform(0, 2 * np.pi)
                px, py = tip[0] + r * np.cos(a), tip[1] + 0.7 * r * np.sin(a)
                lit = rng.uniform(0.7, 1.1)
                pen.ellipse(
                    (px - r, py - r * 0.8, px + r, py + r * 0.8),
                    fill=tuple(min(int(v * lit), 255) for v in hue),
                )
    return from_pil(canvas)


def draw(seed: int) -> Image.Image:
    """Render the scene."""
    rng = np.random.default_rng(seed)
    land = Land(rng)
    width, height = WIDTH * SCALE, HEIGHT * SCALE
    side = ((np.arange(width) + 0.5 - width / 2) / FOCAL).astype(np.float32)
    slope = ((HORIZON * height - np.arange(height) - 0.5) / FOCAL).astype(np.float32)
    view = look(land, EYE, side, slope, seed)
    upper = slope[slope > 0][::2]
    mirror = look(land, -EYE, side[::2], upper, seed)  # ripples hide the coarser grid
    light = view.light
    water = lake(view, mirror, upper, np.random.default_rng(seed + 1))
    light[view.water] = water[view.water]
    picture = develop(light, rng, exposure=0.92, grain=0.0)
    picture = shrink(meadow(picture, view, rng), SCALE)
    picture += 0.35 * (picture - blur(picture, 1.1))
    picture += 0.011 * blur(rng.standard_normal((HEIGHT, WIDTH)).astype(np.float32), 0.5)[..., None]
    return to_pil(picture)
