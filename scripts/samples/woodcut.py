"""Style: a colour woodcut of breaking waves, carved in tapering parallel lines on paper."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .tools import Array, blur, fractal, from_pil, mix, rgb, shrink, smoothstep

WIDTH, HEIGHT, SCALE = 768, 576, 2
PAPER, CREAM = "efe2c4", "f6edd6"
INK, DEEP, MID, PALE = "14213d", "1f4068", "3f7ca0", "a9c8c4"
RED, OCHRE, BLUSH = "c8452c", "d9a054", "e6b58c"

Point = tuple[float, float]


def byte(code: str) -> tuple[int, int, int]:
    """Colour of a hex code for Pillow."""
    red, green, blue = (round(v * 255) for v in rgb(code))
    return red, green, blue


def carve(pen: ImageDraw.ImageDraw, line: Array, thick: Array, colour: str) -> None:
    """Draw a line whose thickness varies along its points, as a gouge would cut it."""
    along = np.gradient(line, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / (np.hypot(*along.T)[:, None] + 1e-6)
    for start in range(len(line) - 1):
        if thick[start] + thick[start + 1] < 0.9:
            continue
        a, b = line[start], line[start + 1]
        na, nb = normal[start] * thick[start] / 2, normal[start + 1] * thick[start + 1] / 2
        pen.polygon([tuple(a + na), tuple(b + nb), tuple(b - nb), tuple(a - na)], fill=byte(colour))


def swell(t: Array, depth: float, size: Array, lean: Array) -> Array:
    """Points of a wave train at parameter t (in waves); depth 0 is the crest line, 1 the flat water."""
    cell = np.floor(t).astype(int) % len(size)
    tall, push = size[cell], lean[cell]
    bump = ((1 - np.cos(2 * np.pi * t)) / 2) ** 2.3
    fade = (1 - depth) ** 1.15
    x = t + push * bump * fade * (0.9 + 0.25 * bump)
    curl = 0.30 * push * np.clip(bump - 0.86, 0, 1) * fade
    y = -tall * bump * fade * (1 - 0.55 * np.clip(bump - 0.8, 0, 1)) + curl
    return np.stack([x, y], axis=1)


def sky(pen: ImageDraw.ImageDraw, rng: np.random.Generator, width: int, height: int) -> None:
    """Carved sky: a red sun, ray lines and banks of cloud with engraved contours."""
    sun_x, sun_y, radius = 0.69 * width, 0.235 * height, 0.115 * width
    for row in np.arange(0, 0.56 * height, 10.0):
        x = np.linspace(0, width, 160)
        y = row + 5 * np.sin(x / 130 + row / 45) + 2 * np.sin(x / 41)
        fade = np.clip(1 - row / (0.60 * height), 0, 1)
        grip = np.clip(0.55 + 0.5 * np.sin(x / 97 + row * 0.31) + 0.3 * np.sin(x / 23 + row), 0, 1)
        carve(pen, np.stack([x, y], axis=1), 1.0 + 7.5 * fade * grip, MID if fade > 0.55 else PALE)
    pen.ellipse((sun_x - radius, sun_y - radius, sun_x + radius, sun_y + radius), fill=byte(RED))
    for ring in np.linspace(0.14, 0.92, 9):
        turn = np.linspace(0, 2 * np.pi, 90) + rng.uniform(0, 6)
        circle = np.stack([sun_x + radius * ring * np.cos(turn), sun_y + radius * ring * np.sin(turn)], axis=1)
        carve(pen, circle, 3.4 * np.clip(np.sin(turn * 1.5 + ring * 9), 0, 1), OCHRE)
    for cx, cy, size in (
        (0.10, 0.30, 1.25),
        (0.41, 0.17, 0.9),
        (0.93, 0.36, 1.1),
        (0.56, 0.42, 0.8),
        (0.24, 0.05, 0.7),
    ):
        cloud(pen, rng, cx * width, cy * height, 0.16 * size * width)


def cloud(pen: ImageDraw.ImageDraw, rng: np.random.Generator, x: float, y: float, half: float) -> None:
    """A bank of scalloped cloud: rows of ringed puffs, the nearer ones lower and overlapping."""
    for row, lift in enumerate((0.40, 0.25, 0.10, 0.0)):
        span = half * (0.42 + 0.19 * row)
        for place in np.arange(-span, span, half * 0.150) + rng.uniform(0, 0.05 * half):
            reach = half * rng.uniform(0.105, 0.165) * (1 - 0.35 * (place / (span + 1)) ** 2)
            px, py = (
                x + place,
                y - half * lift * (1 - 0.5 * (place / span) ** 2) + rng.normal(0, 0.015 * half),
            )
            for ring, colour in (
                (1.0, INK),
                (0.90, CREAM),
                (0.72, MID),
                (0.62, CREAM),
                (0.46, BLUSH),
                (0.30, CREAM),
            ):
                q = reach * ring
                low = reach - q
                pen.ellipse((px - q, py - q + low * 0.55, px + q, py + q + low * 0.55), fill=byte(colour))
    for k in range(5):
        line_x = np.linspace(x - half * (1.25 - 0.13 * k), x + half * (1.2 - 0.16 * k), 60)
        line_y = y + half * (0.13 + 0.045 * k) + 2.5 * np.sin(line_x / 60 + k)
        taper = np.sin(np.linspace(0, np.pi, 60)) ** 0.5
        carve(pen, np.stack([line_x, line_y], axis=1), half * 0.055 * taper + 3, INK if k == 0 else PALE)
        carve(pen, np.stack([line_x, line_y], axis=1), half * 0.034 * taper, CREAM)


def wave(
    pen: ImageDraw.ImageDraw,
    rng: np.random.Generator,
    base: float,
    length: float,
    tall: float,
    width: int,
    height: int,
) -> None:
    """One train of waves: body, contour lines, foam fingers and spray."""
    count = int(width / length) + 5
    size = tall * rng.uniform(0.55, 1.15, count)
    lean = rng.uniform(0.30, 0.58, count)
    shift = rng.uniform(-2, -1)
    t = np.linspace(0, count, count * 150)

    def place(depth: float) -> Array:
        line = swell(t, depth, size, lean) * (length, 1.0) + (shift * length, base)
        return line + (0.0, depth * tall * 0.80)

    crest = place(0.0)
    body = [tuple(p) for p in crest] + [(width * 1.5, height * 1.2), (-width * 0.5, height * 1.2)]
    pen.polygon(body, fill=byte(DEEP))
    bump = ((1 - np.cos(2 * np.pi * t)) / 2) ** 2.3
    phase = t % 1
    back, front = (
        smoothstep(0.02, 0.45, phase) * (phase < 0.5),
        smoothstep(0.98, 0.55, phase) * (phase >= 0.5),
    )
    lines = max(9, int(tall / 9))
    for k in range(1, lines * 2):
        depth = k / lines
        line = place(min(depth, 1.0)) + (0.0, max(depth - 1, 0) * tall * 0.8)
        gap = tall * 0.8 / lines
        notch = np.sin(t * 37 + k * 2.4) + 0.6 * np.sin(t * 83 + k * 5.1)
        cut = np.clip(1.2 * back + 0.62 * front + 0.22 + 0.16 * notch, 0, 1) * (1 - 0.35 * depth)
        tone = (PALE, MID, MID, CREAM)[k % 4] if depth < 1 else (MID, PALE)[k % 2]
        carve(pen, line, gap * np.clip(cut, 0, 0.86), tone)
    carve(pen, crest, np.full(len(t), 4.5), INK)

    foam = np.flatnonzero(bump > 0.30)
    rim, inner = crest[foam], place(0.10)[foam]
    for run in np.split(np.arange(len(foam)), np.flatnonzero(np.diff(foam) > 1) + 1):
        carve(pen, (rim * 0.55 + inner * 0.45)[run], tall * 0.10 * bump[foam[run]], CREAM)
    step = max(3, int(5 * 180 / length))
    for i in foam[::step]:
        strong = bump[i] ** 1.2
        falling = phase[i] > 0.44
        reach = tall * (0.17 if falling else 0.075) * strong * rng.uniform(0.6, 1.25)
        ahead = crest[min(i + 1, len(crest) - 1)] - crest[i]
        heading = np.arctan2(ahead[1], ahead[0]) + (0.9 if falling else -0.9)
        bend = rng.uniform(0.7, 1.7) * (1 if falling else -1)
        s = np.linspace(0, 1, 14)
        turn = heading + bend * s * 1.5
        finger = crest[i] + np.cumsum(np.stack([np.cos(turn), np.sin(turn)], axis=1), axis=0) * reach / 14
        carve(pen, finger, (0.34 * reach + 5) * (1 - s) ** 0.7 + 4, INK)
        carve(pen, finger, (0.34 * reach + 1) * (1 - s) ** 0.7 + 1.4, CREAM)
        r = 0.10 * reach + 1.5
        x, y = finger[-1]
        pen.ellipse((x - r - 1.5, y - r - 1.5, x + r + 1.5, y + r + 1.5), fill=byte(INK))
        pen.ellipse((x - r, y - r, x + r, y + r), fill=byte(CREAM))
        if strong > 0.5 and rng.random() < 0.8:
            x, y = crest[i] + rng.normal(0, 0.16 * tall, 2) + (0.10 * tall, -0.16 * tall)
            r = rng.uniform(1.5, 5.5)
            pen.ellipse((x - r, y - r, x + r, y + r), fill=byte(CREAM))


def draw(seed: int) -> Image.Image:
    """Carve the blocks, then print them: wood grain, uneven ink and paper fibre."""
    rng = np.random.default_rng(seed)
    width, height = WIDTH * SCALE, HEIGHT * SCALE
    block = Image.new("RGB", (width, height), byte(PAPER))
    pen = ImageDraw.Draw(block)
    sky(pen, rng, width, height)
    for k in range(7):
        near = k / 6
        base = height * (0.50 + 0.55 * near**1.1)
        wave(pen, rng, base, width * (0.10 + 0.36 * near), height * (0.055 + 0.40 * near), width, height)
    print_ = from_pil(block)

    shape = (height, width)
    grain = fractal(shape, rng, 1.9, (1.0, 16.0), low=20)
    mottle = fractal(shape, rng, 1.7, low=20)
    ink = smoothstep(0.0, 0.55, np.abs(print_ - np.array(rgb(PAPER), np.float32)).sum(axis=-1))
    wear = 0.11 * smoothstep(0.3, 1.8, grain) + 0.09 * smoothstep(0.9, 2.4, mottle)
    print_ = mix(print_, rgb(CREAM), wear * ink * 1.6)
    print_ *= (1 - 0.05 * np.clip(-grain, 0, 2) * ink)[..., None]
    fibre = fractal(shape, rng, 1.2)
    print_ *= (1 + 0.018 * fibre + 0.012 * blur(mottle, 2))[..., None]
    picture = shrink(print_.astype(np.float32), SCALE)
    return Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
