"""Photograph-like scene: a still life by a window, ray-marched from signed distance shapes.

Axes: x to the right, y up, z away from the camera; the table top is y = 0.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from .solids import crevice, march, sunlit, unit
from .still_life_things import arrange
from .tools import Array, blur, develop, fractal, linear, lookup, mix, smoothstep, to_pil

WIDTH, HEIGHT, SCALE = 768, 576, 1.5
EYE = np.array([0.35, 2.55, -7.4], np.float32)
AIM = np.array([0.12, 1.50, 0.0], np.float32)
ZOOM = 2.55
LIGHT = (np.array([-0.78, 0.66, -0.50]) / np.linalg.norm([-0.78, 0.66, -0.50])).astype(np.float32)
WALL = 2.5


def window(points: Array) -> Array:
    """Pattern of the sunlight: panes and glazing bars projected along the light."""
    right = unit(np.cross(LIGHT, np.array([0.0, 1.0, 0.0], np.float32)))
    above = np.cross(right, LIGHT)
    u, v = -(points @ right) + 0.1, points @ above - 0.75
    soft = 0.055
    pane = smoothstep(-3.3, -3.3 + 2 * soft, u) * smoothstep(3.5, 3.5 - 2 * soft, u)
    pane *= smoothstep(-2.6, -2.6 + 2 * soft, v) * smoothstep(2.55, 2.55 - 2 * soft, v)
    for bar in (-1.72, 0.72, 2.3):
        pane *= smoothstep(0.03, 0.03 + 1.6 * soft, np.abs(u - bar))
    for bar in (-1.15, 1.62):
        pane *= smoothstep(0.03, 0.03 + 1.6 * soft, np.abs(v - bar))
    return pane


def room(heading: Array) -> Array:
    """What a shiny surface mirrors: a dim warm room with a bright paned window on the left."""
    up = heading[:, 1]
    light = mix(linear("4a382a") * 0.5, linear("8c8578") * 0.6, smoothstep(-0.5, 0.8, up))
    front = heading[:, 2] * LIGHT[2] + heading[:, 0] * LIGHT[0]
    across = (heading[:, 0] * LIGHT[2] - heading[:, 2] * LIGHT[0]) / np.maximum(front, 0.05)
    high = up / np.maximum(front, 0.05)
    pane = (
        smoothstep(0.42, 0.38, np.abs(across))
        * smoothstep(0.20, 0.25, high)
        * smoothstep(1.25, 1.2, high)
        * (front > 0.1)
    )
    pane *= smoothstep(0.02, 0.045, np.abs(across)) * smoothstep(0.02, 0.045, np.abs(high - 0.72))
    return mix(light, np.array([6.5, 6.3, 5.8], np.float32), pane)


def table(points: Array, noise: Array) -> tuple[Array, Array]:
    """Colour and surface tilt of the planks, with a striped linen cloth laid over them."""
    x, z = points[:, 0], points[:, 2]
    plank = np.floor((z + 0.35) / 0.86)
    seam = np.abs((z + 0.35) / 0.86 - plank - 0.5)
    knot = lookup(noise, z * 30 + plank * 91, x * 5 + plank * 37)
    rings = np.sin(z * 46 + 4.5 * knot + plank * 2)
    fine = lookup(noise, z * 260, x * 11 + plank * 50)
    wood = mix(
        linear("5d3a20"),
        linear("a8743f"),
        np.clip(0.5 + 0.22 * rings + 0.16 * fine + 0.12 * np.sin(plank * 7), 0, 1),
    )
    wood = wood * (1 - 0.85 * smoothstep(0.487, 0.496, seam))[:, None]
    u, v = (x - 0.25) * 0.93 + (z + 0.5) * 0.37, (z + 0.5) * 0.93 - (x - 0.25) * 0.37
    wobble = 0.03 * np.sin(3 * u + 1) + 0.03 * np.sin(4 * v)
    inside = np.maximum(np.abs(u + wobble) - 1.95, np.abs(v + wobble * 0.8) - 1.18)
    weave = 0.5 + 0.25 * np.sin(u * 300) + 0.25 * np.sin(v * 300)
    stripe = (np.abs(np.abs(u) - 1.62) < 0.10) | (np.abs(np.abs(u) - 1.42) < 0.03) | (np.abs(np.abs(u) - 1.80) < 0.025)
    stripe |= (np.abs(np.abs(v) - 0.92) < 0.06) | (np.abs(np.abs(v) - 1.04) < 0.02)
    linen = mix(linear("e6ddca"), linear("35578f"), stripe.astype(np.float32) * 0.9) * (0.86 + 0.16 * weave)[:, None]
    on = smoothstep(0.006, -0.006, inside)
    shade = 1 - 0.55 * smoothstep(0.09, 0.0, inside) * (inside > 0)
    fold = np.cos(3.1 * u + 1.2 * v + 0.8) * 0.10 + np.cos(7 * v - 2 * u) * 0.05 + 0.05 * lookup(noise, v * 24, u * 24)
    tilt = np.stack(
        [fold * on + 0.02 * fine * (1 - on), np.ones_like(fold), 0.7 * fold * on + 0.02 * rings * (1 - on)],
        axis=1,
    )
    return mix(wood * shade[:, None], linen, on), unit(tilt)


def plaster(points: Array, noise: Array) -> tuple[Array, Array]:
    """Colour and tilt of the painted wall."""
    x, y = points[:, 0], points[:, 1]
    broad, fine = lookup(noise, y * 30, x * 30), lookup(noise, y * 190, x * 190)
    colour = mix(linear("7f9190"), linear("a3b0a4"), np.clip(0.5 + 0.18 * broad + 0.10 * fine, 0, 1))
    tilt = np.stack([0.05 * broad + 0.05 * fine, 0.05 * lookup(noise, y * 190 + 4, x * 190), -np.ones_like(x)], axis=1)
    return colour, unit(tilt)


def draw(seed: int) -> Image.Image:
    """Render the scene."""
    rng = np.random.default_rng(seed)
    noise = fractal((1024, 1024), rng, 1.7, low=8)
    things = arrange(noise)
    width, height = int(WIDTH * SCALE), int(HEIGHT * SCALE)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    ahead = unit(AIM - EYE)
    right = unit(np.cross(np.array([0.0, 1.0, 0.0], np.float32), ahead))
    above = np.cross(ahead, right)
    u, v = (2 * x - width) / height, (height - 2 * y) / height
    heading = unit(ahead * ZOOM + u[..., None] * right + v[..., None] * above).reshape(-1, 3)
    start = np.broadcast_to(EYE, heading.shape)

    drop = np.where(heading[:, 1] < -1e-4, -EYE[1] / np.minimum(heading[:, 1], -1e-4), np.inf)
    back = (WALL - EYE[2]) / heading[:, 2]
    reach, owner = np.minimum(drop, back).astype(np.float32), np.where(drop < back, -1, -2)
    for number, thing in enumerate(things):
        rays, t = march(thing, start, heading, reach)
        reach[rays], owner[rays] = t, number
    points = start + reach[:, None] * heading

    albedo, normal = np.zeros_like(points), np.zeros_like(points)
    gloss = np.zeros(len(points), np.float32)
    for number, paint, shine in ((-1, table, 0.22), (-2, plaster, 0.03)):
        mine = owner == number
        albedo[mine], normal[mine] = paint(points[mine], noise)
        gloss[mine] = shine
    for number, thing in enumerate(things):
        mine = np.flatnonzero(owner == number)
        at = points[mine]
        albedo[mine] = thing.skin(at - np.asarray(thing.place, np.float32))
        eps = 0.004
        grad = [thing.distance(at + step) - thing.distance(at - step) for step in np.eye(3, dtype=np.float32) * eps]
        rough = 0.10 if thing.gloss in (0.4, 0.45) else 0.015
        bump = np.stack([lookup(noise, at[:, 1] * 150 + 31 * k, (at[:, 0] + at[:, 2]) * 150) for k in range(3)], axis=1)
        normal[mine] = unit(unit(np.stack(grad, axis=1) + 1e-9) + rough * bump)
        gloss[mine] = thing.gloss

    lifted = points + normal * 0.012
    sun = np.clip((normal * LIGHT).sum(axis=1), 0, 1) * window(points) * sunlit(things, lifted, LIGHT)
    dark = crevice(things, points, normal, WALL)
    fill = 0.5 + 0.5 * (normal @ unit(np.array([-0.8, 0.5, -0.35], np.float32)))
    warm = np.clip(0.5 - 0.5 * normal[:, 1], 0, 1) * np.exp(-np.maximum(points[:, 1], 0) * 0.8)
    falloff = 1.15 - 0.13 * points[:, 0]
    light = sun[:, None] * np.array([2.7, 2.35, 1.85], np.float32)
    light += (dark * fill * falloff)[:, None] * np.array([0.50, 0.55, 0.62], np.float32)
    light += (dark * warm)[:, None] * np.array([0.42, 0.28, 0.16], np.float32)
    colour = albedo * light * 0.9
    facing = -(normal * heading).sum(axis=1)
    mirrored = heading + 2 * facing[:, None] * normal
    fresnel = 0.04 + 0.96 * (1 - np.clip(facing, 0, 1)) ** 5
    shine = (gloss * fresnel * (0.25 + 0.75 * dark))[:, None] * room(mirrored)
    spark = np.clip((mirrored * LIGHT).sum(axis=1), 0, 1) ** (20 + 260 * gloss) * gloss * (sun > 0.02)
    colour += shine + 0.9 * spark[:, None]

    picture = colour.reshape(height, width, 3).astype(np.float32)
    wall = blur((owner == -2).reshape(height, width).astype(np.float32), 1.0)
    picture = mix(picture, blur(picture, 1.6), np.clip(wall * 2 - 1, 0, 1))
    grey = picture @ np.array([0.25, 0.6, 0.15], np.float32)
    picture = mix(picture, grey[..., None], 0.10)
    picture = develop(picture, rng, exposure=0.95, grain=0.0)
    small = to_pil(picture).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    grain = 0.010 * blur(rng.standard_normal((HEIGHT, WIDTH)).astype(np.float32), 0.5)[..., None]
    return to_pil(np.asarray(small, np.float32) / 255 + grain)
