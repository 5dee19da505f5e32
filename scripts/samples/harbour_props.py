"""The painted things of the harbour scene: each is drawn flat, in metres, into a layer."""

from __future__ import annotations

import numpy as np

from .tools import Array, linear


class Layer:
    """Linear-light colours and the mask of what has been painted so far."""

    def __init__(self, shape: tuple[int, int]) -> None:
        """Start empty."""
        self.light = np.zeros((*shape, 3), np.float32)
        self.mask = np.zeros(shape, bool)

    def put(self, where: Array, colour: Array, shade: Array | float = 1.0) -> None:
        """Paint one shaded colour where the condition holds."""
        shades = np.broadcast_to(np.asarray(shade, np.float32), where.shape)[where]
        self.light[where] = shades[:, None] * colour
        self.mask |= where


def lighthouse(x: Array, z: Array, layer: Layer) -> None:
    """Paint the banded tower, its gallery, lantern and dome into the picture (metres, base at 0)."""

    put = layer.put

    radius = np.interp(z, [0, 3, 17], [2.6, 2.15, 1.55])
    across = np.clip(x / radius, -1, 1)
    sun = np.clip(-across * 0.80 + np.sqrt(1 - across**2) * 0.45, 0, 1)
    shade = 0.24 + 1.55 * sun
    tower = (np.abs(x) < radius) & (z > -2) & (z < 17)
    band = np.floor((z + 0.18 * across**2) / 3.4) % 2 == 0
    put(tower & band, linear("f1ece0"), shade)
    put(tower & ~band, linear("b3271d"), shade)
    for level in (5.1, 11.2):
        put((np.abs(x - 0.2) < 0.36) & (np.abs(z - level) < 0.62), linear("e9e4d8"), 0.8)
        put((np.abs(x - 0.2) < 0.24) & (np.abs(z - level) < 0.48), linear("1b2733"))
    put((np.abs(x - 0.1) < 0.62) & (z > -1) & (z < 2.1), linear("3a2a20"))
    edge = np.clip(x / 2.3, -1, 1)
    put((np.abs(x) < 2.3) & (z > 16.7) & (z < 17.25), linear("d8d2c4"), 0.35 + 1.0 * np.clip(0.4 - edge, 0, 1))
    rail = (np.abs(x) < 2.25) & (z > 17.2) & (z < 18.4)
    put(rail & ((z > 18.25) | (np.abs(x / 0.45 - np.round(x / 0.45)) < 0.11)), linear("20242a"))
    glass = (np.abs(x) < 1.2) & (z > 17.25) & (z < 20.0)
    put(glass, linear("9fb9c4"), 0.5 + 0.6 * np.clip(-x, -0.5, 1))
    put(glass & (np.hypot(x, (z - 18.7) * 0.8) < 0.55), linear("fff0b8"), 2.2)
    put(glass & (np.abs(x / 0.6 - np.round(x / 0.6)) < 0.10), linear("22262c"))
    dome = (z >= 20.0) & (np.hypot(x / 1.5, (z - 20.0) / 1.5) < 1)
    put(dome, linear("a32a20"), 0.35 + 1.3 * np.clip(0.25 - x / 1.7 + 0.2 * (z - 20), 0, 1))
    put((np.abs(x) < 0.09) & (z > 21.3) & (z < 23.2), linear("2a2c30"))


def cottage(x: Array, z: Array, grit: Array, layer: Layer) -> None:
    """Paint the keeper's house: sunlit gable on the left, long wall and tiled roof on the right."""

    put = layer.put

    def window(cx: float, cz: float, light: float) -> None:
        put((np.abs(x - cx) < 0.62) & (np.abs(z - cz) < 0.80), linear("f4f1e8"), light)
        pane = (np.abs(x - cx) < 0.48) & (np.abs(z - cz) < 0.66)
        put(pane, linear("2a3a48"), 0.7 + 0.6 * (z - cz))
        put(pane & ((np.abs(x - cx) < 0.06) | (np.abs(z - cz) < 0.06)), linear("f4f1e8"), light)

    gable_top = 3.7 + 3.0 * (1 - np.abs(x + 2.6) / 2.4)
    put((x > 2.6) & (x < 3.5) & (z > 5) & (z < 8.0), linear("8c4a38"), np.where(x < 2.95, 1.5, 0.6))
    put((np.abs(x + 2.6) < 2.4) & (z > -2) & (z < gable_top), linear("f0e7d2"), 1.45 + 0.08 * grit)
    put((x >= -0.2) & (x < 7.2) & (z > -2) & (z < 3.7), linear("e6dcc8"), 0.72 + 0.05 * grit)
    left = -2.6 + (6.7 - z) / 3.0 * 2.4
    roof = (z > 3.45) & (z < 6.75) & (x > left - 0.15) & (x < left + 7.6)
    tiles = 0.78 + 0.20 * ((z * 2.6) % 1 > 0.3) + 0.10 * grit
    put(roof, linear("a5452f"), tiles)
    eave = (np.abs(x + 2.6) < 2.75) & (np.abs(z - gable_top) < 0.20) & (z > 3.2)
    put(eave, linear("f6f2ea"), 1.3)
    put((z > 3.3) & (z < 3.5) & (x > -0.2) & (x < 7.4), linear("3c322c"), 0.6)
    window(-3.5, 1.7, 1.4)
    window(-1.6, 1.7, 1.4)
    window(-2.6, 4.4, 1.4)
    window(1.4, 1.8, 0.75)
    window(5.6, 1.8, 0.75)
    put((np.abs(x - 3.5) < 0.6) & (z > -2) & (z < 2.4), linear("275a63"), 0.7)


def sailboat(x: Array, z: Array, layer: Layer) -> None:
    """Paint a small sloop heading left."""

    put = layer.put

    deck = 0.95 + 0.018 * x**2 - 0.03 * x
    put((z > -0.3) & (z < deck) & (x > -3.9 - 0.6 * (z - 0.4)) & (x < 3.3 + 0.15 * z), linear("1d3c5c"), 1.1)
    put((z > deck - 0.2) & (z < deck) & (x > -4.2) & (x < 3.4), linear("f3ead8"), 1.3)
    put((z > deck) & (z < deck + 0.55) & (x > -0.8) & (x < 1.8), linear("c28f55"), 1.0)
    put((np.abs(x + 0.6) < 0.07) & (z > 0.8) & (z < 11.6), linear("6a4a30"), 1.0)
    rise = (z - 2.0) / 9.2
    belly = 3.7 * np.clip(1 - rise, 0, 1) ** 0.85 * (1 + 0.25 * np.sin(np.pi * np.clip(rise, 0, 1)))
    main = (rise > 0) & (rise < 1) & (x > -0.5) & (x < -0.5 + belly)
    seam = 1.25 - 0.16 * (x + 0.5) - 0.10 * ((z * 0.8) % 1 < 0.07)
    put(main, linear("f7efdc"), seam)
    rise = (z - 1.5) / 8.2
    jib = (rise > 0) & (rise < 1) & (x < -0.75) & (x > -4.1 + 3.35 * rise)
    jib &= x < -0.75 - 0.9 * (1 - rise) * rise
    put(jib, linear("d5512f"), 1.15 + 0.12 * (x + 2))
