"""The objects of the still life: jug with tulips, bowl of oranges, bottle and fruit."""

from __future__ import annotations

import numpy as np

from .solids import Shape, Skin, Thing, fruit, lathe, rod, turned, union, unit
from .tools import Array, Colour, linear, lookup, mix, smoothstep


def tulip(root: Colour, tip: Colour, tone: tuple[str, str], noise: Array) -> Thing:
    """A stem with its closed flower, leaning from `root` to `tip` (relative to the jug)."""
    axis = unit(np.array(tip, np.float32) - np.array(root, np.float32))
    flat = unit(np.cross(axis, np.array([0.0, 0.0, 1.0], np.float32)))
    third = np.cross(axis, flat)
    stem = rod(root, tip, 0.030)
    curve = lathe(
        [(-0.02, 0.0), (0.03, 0.13), (0.16, 0.205), (0.30, 0.195), (0.44, 0.12), (0.52, 0.02), (0.56, 0.0)],
        soft=151,
    )

    def frame(p: Array) -> tuple[Array, Array, Array]:
        local = p - np.array(tip, np.float32)
        u, v = local @ flat, local @ third
        return local @ axis, np.hypot(u, v), np.arctan2(v, u)

    def shape(p: Array) -> Array:
        up, out, turn = frame(p)
        petal = np.abs(np.cos(1.5 * turn))
        bud = (out - curve(up - 0.06 * (petal - 0.5) * np.clip(up * 4, 0, 1)) * (0.86 + 0.16 * petal)) * 0.6
        return np.minimum(np.maximum(bud, np.maximum(-0.05 - up, up - 0.6)), stem(p))

    def skin(p: Array) -> Array:
        up, out, turn = frame(p)
        streak = lookup(noise, turn * 90, up * 30)
        petal = np.abs(np.cos(1.5 * turn))
        flower = mix(linear(tone[1]), linear(tone[0]), smoothstep(-0.02, 0.30, up + 0.05 * streak))
        flower = flower * (0.62 + 0.42 * petal + 0.06 * streak)[:, None]
        return mix(linear("4c7a2c"), flower, ((up > -0.015) | (out > 0.05)).astype(np.float32))

    middle = tuple(float(v) for v in (np.array(root) + np.array(tip) + axis * 0.5) / 2)
    reach = float(np.linalg.norm(np.array(tip) - np.array(root)) / 2 + 0.42)
    return Thing(JUG_AT, middle, reach, shape, skin, 0.18)


def leaf(root: Colour, tip: Colour, wide: float) -> Thing:
    """A long folded leaf."""
    a, b = np.array(root, np.float32), np.array(tip, np.float32)
    axis, length = unit(b - a), float(np.linalg.norm(b - a))
    flat = unit(np.cross(axis, np.array([0.25, 0.1, 1.0], np.float32)))
    third = np.cross(axis, flat)

    def frame(p: Array) -> tuple[Array, Array, Array]:
        local = p - a
        up = local @ axis / length
        return up, local @ flat, local @ third + 0.30 * (up - 0.3) ** 2

    def shape(p: Array) -> Array:
        up, u, v = frame(p)
        edge = wide * np.sin(np.pi * np.clip(up, 0, 1) ** 0.8) + 0.01
        blade = np.hypot(np.maximum(np.abs(u) - edge, 0), np.abs(v - 0.6 * np.abs(u))) - 0.012
        return np.maximum(blade, np.maximum(-up, up - 1) * length) * 0.6

    def skin(p: Array) -> Array:
        _, u, _ = frame(p)
        vein = 0.5 + 0.5 * np.cos(u * 150)
        return mix(linear("3d6a31"), linear("7d9c52"), 0.6 * vein * (np.abs(u) > 0.008))

    middle = tuple(float(v) for v in (a + b) / 2)
    return Thing(JUG_AT, middle, length / 2 + 0.25, shape, skin, 0.22)


JUG_AT = (-1.55, 0.0, 0.75)


def arrange(noise: Array) -> list[Thing]:
    """Everything that stands on the table."""

    def speckle(p: Array, scale: float) -> Array:
        return lookup(noise, (p[:, 1] * 1.0 + p[:, 2] * 0.6) * scale, (p[:, 0] - p[:, 2] * 0.7) * scale)

    def glazed(p: Array) -> Array:
        turn = np.arctan2(p[:, 2], p[:, 0])
        base = linear("e9e2d0") * (1 + 0.035 * speckle(p, 90))[:, None]
        y = p[:, 1] + 0.006 * lookup(noise, turn * 40, p[:, 1] * 0)
        vine = np.abs(y - 0.95 - 0.10 * np.sin(7 * turn)) < 0.022
        berry = np.hypot(((turn * 7 / np.pi) % 1 - 0.5) * 0.40, y - 0.95 + 0.06 * np.sign(np.sin(7 * turn))) < 0.055
        bands = (np.abs(y - 0.55) < 0.03) | (np.abs(y - 0.49) < 0.010) | (np.abs(y - 1.36) < 0.03)
        blue = vine | berry | bands | (np.abs(y - 1.42) < 0.010) | (y > 2.10)
        return mix(base, linear("21458a") * (1 + 0.1 * speckle(p, 60))[:, None], blue.astype(np.float32))

    def china(p: Array) -> Array:
        turn = np.arctan2(p[:, 2], p[:, 0])
        inside = np.hypot(p[:, 0], p[:, 2]) < bowl_curve(p[:, 1]) - 0.03
        wave = np.abs(p[:, 1] - 0.40 - 0.07 * np.abs(np.sin(6 * turn))) < 0.03
        lines = wave | (np.abs(p[:, 1] - 0.20) < 0.018) | (p[:, 1] > 0.655)
        return mix(linear("3f8f8c"), linear("f0ead8"), (lines & ~inside).astype(np.float32))

    def orange(p: Array) -> Array:
        return mix(linear("e3730f"), linear("f59a20"), 0.5 + 0.22 * speckle(p, 40))

    def apple(p: Array) -> Array:
        turn = np.arctan2(p[:, 2], p[:, 0])
        streak = lookup(noise, turn * 160, p[:, 1] * 26) + 0.6 * lookup(noise, turn * 30 + 80, p[:, 1] * 30)
        red = smoothstep(-2.2, 1.2, 0.6 * streak + 1.3 * np.cos(turn + 2.2))
        skin = mix(linear("c9a83c"), linear("8f1419"), red)
        dots = smoothstep(1.9, 2.4, speckle(p, 170))
        pit = np.exp(-((p[:, 0] ** 2 + p[:, 2] ** 2) / 0.012)) * (p[:, 1] > 0.3)
        return mix(mix(skin, linear("e8d79a"), 0.5 * dots), linear("6d5a20"), 0.8 * pit)

    def lemon(p: Array) -> Array:
        return mix(linear("e2b90f"), linear("f7e04a"), 0.5 + 0.2 * speckle(p, 50))

    def cut(p: Array) -> Array:
        face = p @ facing > -0.012
        u, v = p @ side, p @ over
        out, turn = np.hypot(u, v) / 0.40, np.arctan2(v, u)
        wedge = np.abs((turn * 9 / (2 * np.pi)) % 1 - 0.5)
        pulp = smoothstep(0.10, 0.16, 0.5 - wedge) * smoothstep(0.88, 0.82, out) * smoothstep(0.10, 0.16, out)
        juice = mix(linear("e9c23a"), linear("f9e98a"), 0.5 + 0.3 * lookup(noise, turn * 300, out * 60))
        inner = mix(mix(linear("f6efcf"), juice, pulp), linear("e8bd14"), smoothstep(0.93, 0.97, out))
        return mix(lemon(p), inner, face.astype(np.float32))

    def pear(p: Array) -> Array:
        turn = np.arctan2(p[:, 2], p[:, 0])
        blush = smoothstep(-0.2, 1.4, np.cos(turn - 2.6) + 0.3 * speckle(p, 30))
        skin = mix(linear("a9b03a"), linear("c9762e"), blush * 0.8)
        return mix(skin, linear("6b5a22"), 0.55 * smoothstep(1.2, 2.2, speckle(p, 150)))

    def bottle(p: Array) -> Array:
        turn = np.arctan2(p[:, 2], p[:, 0]) + 1.75
        glass = linear("0e2416") * (1 + 0.5 * np.cos(turn))[:, None]
        label = (np.abs(p[:, 1] - 0.95) < 0.42) & (np.abs(turn) < 1.15)
        frame = (np.abs(p[:, 1] - 0.95) > 0.37) | (np.abs(turn) > 1.05)
        rows = (np.abs(((p[:, 1] - 0.62) * 11) % 1 - 0.5) < 0.16) & (np.abs(turn) < 0.75) & (p[:, 1] < 0.92)
        words = rows & (lookup(noise, turn * 120, np.floor(p[:, 1] * 11) * 7) > -0.35)
        crest = np.hypot(turn * 0.42, p[:, 1] - 1.11) < 0.12
        paper = mix(linear("e8dcbc"), linear("8d2a22"), ((frame | crest) & label).astype(np.float32))
        paper = mix(paper, linear("3a322a"), words.astype(np.float32))
        foil = mix(glass, linear("8a1f22"), (p[:, 1] > 2.62).astype(np.float32))
        return mix(foil, paper, label.astype(np.float32))

    jug_curve = lathe(
        [
            (0, 0.40),
            (0.06, 0.44),
            (0.5, 0.66),
            (1.0, 0.74),
            (1.45, 0.58),
            (1.8, 0.36),
            (2.05, 0.36),
            (2.25, 0.46),
        ]
    )
    bowl_curve = lathe([(0, 0.42), (0.08, 0.40), (0.12, 0.46), (0.3, 0.78), (0.5, 0.98), (0.7, 1.08)])
    bottle_curve = lathe(
        [
            (0, 0.40),
            (0.05, 0.43),
            (1.5, 0.43),
            (1.75, 0.38),
            (2.05, 0.17),
            (2.9, 0.15),
            (3.0, 0.17),
            (3.1, 0.16),
        ]
    )
    pear_curve = lathe(
        [
            (0, 0.0),
            (0.02, 0.20),
            (0.16, 0.40),
            (0.36, 0.455),
            (0.58, 0.37),
            (0.80, 0.225),
            (0.98, 0.17),
            (1.06, 0.09),
            (1.09, 0.0),
        ]
    )

    def handle(p: Array) -> Array:
        ring = np.hypot((p[:, 0] + 0.62) * 1.15, (p[:, 1] - 1.45) * 0.8) - 0.46
        return np.maximum(np.hypot(ring, p[:, 2]) - 0.075, p[:, 0] + 0.42) * 0.8

    def zest(p: Array) -> Array:
        y = p[:, 1] - 0.33
        u, v = p[:, 0] * 0.94 + p[:, 2] * 0.34, -p[:, 0] * 0.34 + p[:, 2] * 0.94
        body = np.sqrt((u / 1.34) ** 2 + y**2 + v**2) - 0.33
        nub = np.hypot(np.maximum(np.abs(u) - 0.45, 0) * 0.8, np.hypot(y, v)) - 0.085
        h = np.clip(0.5 + (nub - body) / 0.2, 0, 1)
        return (nub * (1 - h) + body * h - 0.1 * h * (1 - h)) * 0.7

    facing = unit(np.array([-0.25, 0.62, -0.75], np.float32))
    side = unit(np.cross(facing, np.array([0.0, 1.0, 0.0], np.float32)))
    over = np.cross(side, facing)

    def half(p: Array) -> Array:
        return np.maximum(np.linalg.norm(p, axis=1) - 0.40, p @ facing)

    stalk = rod((0.0, 0.68, 0.0), (0.06, 0.98, 0.02), 0.024)
    pear_stalk = rod((0.0, 1.04, 0.0), (-0.10, 1.30, 0.03), 0.022)

    def stalked(skin: Skin, rod_shape: Shape) -> Skin:
        return lambda p: mix(skin(p), linear("4a3420"), (rod_shape(p) < 0.006).astype(np.float32))

    things = [
        Thing(JUG_AT, (0, 1.12, 0), 1.40, turned(jug_curve, 2.25, 0.07), glazed, 0.85),
        Thing(JUG_AT, (-0.62, 1.45, 0), 0.72, handle, glazed, 0.85),
        Thing((0.25, 0.0, 0.45), (0, 0.35, 0), 1.18, turned(bowl_curve, 0.70, 0.05), china, 0.8),
        Thing((1.75, 0.0, 1.05), (0, 1.55, 0), 1.64, turned(bottle_curve, 3.1), bottle, 1.0),
        Thing(
            (-0.72, 0.0, -0.85),
            (0, 0.6, 0),
            0.80,
            union(turned(pear_curve, 1.09), pear_stalk),
            stalked(pear, pear_stalk),
            0.3,
        ),
        Thing(
            (1.52, 0.0, -0.35),
            (0, 0.45, 0),
            0.72,
            union(fruit(0.46, 0.90, 0.16, 0.02), stalk),
            stalked(apple, stalk),
            0.55,
        ),
        Thing(
            (2.42, 0.0, 0.15),
            (0, 0.45, 0),
            0.72,
            union(fruit(0.44, 0.92, 0.16, 0.02), stalk),
            stalked(apple, stalk),
            0.55,
        ),
        Thing((0.62, 0.0, -1.30), (0, 0.33, 0), 0.62, zest, lemon, 0.45),
        Thing((-0.02, 0.27, -1.62), (0, 0, 0), 0.44, half, cut, 0.4),
    ]
    for x, y, z, size in (
        (-0.22, 0.36, 0.28, 0.43),
        (0.62, 0.37, 0.20, 0.42),
        (0.22, 0.40, 0.92, 0.42),
        (0.24, 0.88, 0.46, 0.41),
    ):
        things.append(Thing((x, y, z), (0, size, 0), size * 1.15, fruit(size, 0.95, 0.05), orange, 0.4))
    red, gold, rose, dusk = (
        ("c01a22", "e8a030"),
        ("f0b41c", "e6d264"),
        ("e0607c", "f2d9b0"),
        ("7a1f52", "c0607a"),
    )
    stems = (
        ((-0.10, 1.6, 0.0), (-0.85, 2.95, -0.10), red),
        ((0.00, 1.6, -0.1), (-0.22, 3.05, -0.25), gold),
        ((0.10, 1.6, 0.0), (0.52, 3.10, 0.00), rose),
        ((0.15, 1.6, 0.0), (1.00, 2.62, -0.15), red),
        ((0.00, 1.6, 0.1), (0.12, 3.42, 0.25), dusk),
        ((-0.10, 1.6, 0.1), (-0.55, 3.45, 0.20), rose),
        ((0.10, 1.6, 0.1), (0.88, 3.35, 0.25), gold),
    )
    things += [tulip(root, tip, tone, noise) for root, tip, tone in stems]
    blades = (((-0.1, 1.8, -0.1), (-1.15, 2.45, -0.3), 0.13), ((0.1, 1.8, -0.15), (0.62, 2.62, -0.45), 0.12))
    blades += (((0.0, 1.9, 0.1), (-0.42, 3.0, 0.15), 0.12), ((0.1, 1.9, 0.1), (0.42, 3.05, 0.2), 0.11))
    things += [leaf(*blade) for blade in blades]
    return things
