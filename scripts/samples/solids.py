"""Signed distance solids and the ray marching of their visibility, sunlight and occlusion.

Axes: x to the right, y up, z away from the camera; a table top lies at y = 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .tools import Array, Colour, smoothstep

Shape = Callable[[Array], Array]
Skin = Callable[[Array], Array]


@dataclass
class Thing:
    """A solid: local shape, bounding ball, colour of its surface and how it shines."""

    place: tuple[float, float, float]
    middle: tuple[float, float, float]
    reach: float
    shape: Shape
    skin: Skin
    gloss: float = 0.3
    glow: float = 0.0

    def distance(self, points: Array) -> Array:
        """Signed distance at world points."""
        return self.shape(points - np.asarray(self.place, np.float32))

    def span(self, start: Array, heading: Array) -> tuple[Array, Array, Array]:
        """Which rays meet the bounding ball, and between which distances."""
        offset = start - (np.asarray(self.place, np.float32) + np.asarray(self.middle, np.float32))
        b = (offset * heading).sum(axis=-1)
        c = (offset * offset).sum(axis=-1) - self.reach**2
        disc = b * b - c
        root = np.sqrt(np.maximum(disc, 0))
        meets = (disc > 0) & (root - b > 0)
        return np.flatnonzero(meets), np.maximum(-b - root, 0)[meets], (root - b)[meets]


def unit(vectors: Array) -> Array:
    """Vectors scaled to length one."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def lathe(profile: list[tuple[float, float]], soft: int = 41) -> Callable[[Array], Array]:
    """Smooth radius as a function of height through (height, radius) points."""
    heights, radii = np.array(profile).T
    fine = np.linspace(heights[0], heights[-1], 600)
    wide = np.pad(np.interp(fine, heights, radii), soft, mode="edge")
    window = np.hanning(soft)
    curve = np.convolve(wide, window / window.sum(), "same")[soft:-soft]
    return lambda y: np.interp(y, fine, curve).astype(np.float32)


def turned(radius: Callable[[Array], Array], top: float, wall: float = 0.0) -> Shape:
    """Solid of revolution from y = 0 to `top`, hollowed from above when `wall` is set."""

    def shape(p: Array) -> Array:
        q, r = np.hypot(p[:, 0], p[:, 2]), radius(p[:, 1])
        solid = np.maximum((q - r) * 0.72, np.abs(p[:, 1] - top / 2) - top / 2)
        if wall:
            cavity = np.where(p[:, 1] > wall, (r - wall - q) * -0.72, 9.0)
            solid = np.maximum(solid, -cavity)
        return solid

    return shape


def fruit(size: float, squash: float, dimple: float, lobes: float = 0.0) -> Shape:
    """Apple-like ball resting on y = 0, with dimpled poles."""

    def shape(p: Array) -> Array:
        y = (p[:, 1] - size * squash) / squash
        q = np.hypot(p[:, 0], p[:, 2])
        turn = np.arctan2(p[:, 2], p[:, 0])
        pit = dimple * np.exp(-((q / (0.34 * size)) ** 2))
        bulge = 1 + 0.07 * (y / size) + lobes * np.cos(5 * turn) * np.clip(-y / size, 0, 1)
        return (np.hypot(q, np.abs(y) + pit * 0.9) - size * bulge) * 0.75

    return shape


def union(*shapes: Shape) -> Shape:
    """Nearest of several shapes."""
    return lambda p: np.minimum.reduce([shape(p) for shape in shapes])


def rod(a: Colour, b: Colour, thick: float) -> Shape:
    """Round rod between two points."""
    start, axis = np.array(a, np.float32), np.array(b, np.float32) - np.array(a, np.float32)

    def shape(p: Array) -> Array:
        along = np.clip((p - start) @ axis / (axis @ axis), 0, 1)
        return np.linalg.norm(p - start - along[:, None] * axis, axis=1) - thick

    return shape


def march(thing: Thing, start: Array, heading: Array, limit: Array) -> tuple[Array, Array]:
    """Rays (by index) that hit the thing before `limit`, and how far along."""
    rays, near, far = thing.span(start, heading)
    keep = near < limit[rays]
    rays, t, far = rays[keep], near[keep].copy(), np.minimum(far[keep], limit[rays[keep]])
    live, done = np.arange(rays.size), np.zeros(rays.size, bool)
    for _ in range(70):
        if not live.size:
            break
        gap = thing.distance(start[rays[live]] + t[live, None] * heading[rays[live]])
        done[live] = gap < 0.0012
        t[live] += np.maximum(gap, 0.0006)
        live = live[~done[live] & (t[live] < far[live])]
    return rays[done], t[done]


def sunlit(things: list[Thing], points: Array, sun: Array) -> Array:
    """Soft visibility from each point of a light in direction `sun`."""
    seen = np.ones(len(points), np.float32)
    heading = np.broadcast_to(sun, points.shape)
    for thing in things:
        rays, near, far = thing.span(points, heading)
        t = np.maximum(near, 0.03)
        worst = np.ones(rays.size, np.float32)
        live = np.arange(rays.size)
        for _ in range(26):
            gap = thing.distance(points[rays[live]] + t[live, None] * sun)
            worst[live] = np.minimum(worst[live], 0.5 + 7.0 * gap / t[live])
            t[live] += np.clip(gap, 0.02, 0.30)
            live = live[(t[live] < far[live]) & (worst[live] > 0)]
            if not live.size:
                break
        seen[rays] = np.minimum(seen[rays], smoothstep(0, 1, worst))
    return seen


def crevice(things: list[Thing], points: Array, normals: Array, wall: float) -> Array:
    """Ambient occlusion from the shapes, the table and the wall at that depth."""
    blocked = np.zeros(len(points), np.float32)
    for reach, weight in ((0.08, 0.9), (0.22, 0.75), (0.5, 0.6), (0.95, 0.4)):
        probe = points + normals * reach
        gap = np.minimum(np.maximum(probe[:, 1], 0), wall - probe[:, 2])
        for thing in things:
            centre = np.asarray(thing.place, np.float32) + np.asarray(thing.middle, np.float32)
            near = np.flatnonzero(((probe - centre) ** 2).sum(axis=1) < (thing.reach + reach) ** 2)
            gap[near] = np.minimum(gap[near], thing.distance(probe[near]))
        blocked += weight * np.clip(1 - gap / reach, 0, 1.3) * 0.42
    return np.exp(-1.25 * blocked)
