"""Noise, filters and colour helpers shared by the sample pictures.

Images are float32 arrays in 0..1, shaped (height, width) or (height, width, 3).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float32]
Colour = tuple[float, float, float]


def rgb(code: str) -> Colour:
    """Turn 'rrggbb' into three floats in 0..1."""
    red, green, blue = (int(code[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue


def linear(code: str) -> Array:
    """Linear-light colour of an 'rrggbb' code."""
    return np.array(rgb(code), np.float32) ** 2.2


def fractal(
    shape: tuple[int, int],
    rng: np.random.Generator,
    beta: float = 2.0,
    stretch: tuple[float, float] = (1.0, 1.0),
    low: float = 0.0,
) -> Array:
    """Tileable fractal noise, zero mean and unit deviation, with power spectrum 1/f**beta.

    `stretch` elongates the grain along (y, x); `low` drops frequencies under it (cycles per tile).
    """
    rows, cols = shape
    fy = np.fft.fftfreq(rows)[:, None] * rows * stretch[0]
    fx = np.fft.rfftfreq(cols)[None, :] * cols * stretch[1]
    freq = np.hypot(fy, fx)
    freq[0, 0] = 1.0
    gain = freq ** (-beta / 2) * (freq >= low)
    gain[0, 0] = 0.0
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * gain, s=shape)
    return (noise / noise.std()).astype(np.float32)


def blur(image: Array, sigma: float) -> Array:
    """Gaussian blur with mirrored borders."""
    if image.ndim == 3:
        return np.stack([blur(image[..., c], sigma) for c in range(image.shape[2])], axis=-1)
    pad = int(3 * sigma) + 1
    wide = np.pad(image, pad, mode="symmetric")
    fy = np.fft.fftfreq(wide.shape[0])[:, None]
    fx = np.fft.rfftfreq(wide.shape[1])[None, :]
    gain = np.exp(-2 * (np.pi * sigma) ** 2 * (fx**2 + fy**2))
    out = np.fft.irfft2(np.fft.rfft2(wide) * gain, s=wide.shape)
    return out[pad:-pad, pad:-pad].astype(np.float32)


def lookup(image: Array, y: Array, x: Array) -> Array:
    """Bilinear samples of a tileable 2-D map at float positions."""
    rows, cols = image.shape
    y0, x0 = np.floor(y), np.floor(x)
    ty, tx = (y - y0).astype(np.float32), (x - x0).astype(np.float32)
    iy, ix = y0.astype(np.int32) % rows, x0.astype(np.int32) % cols
    jx = np.where(ix + 1 == cols, 0, ix + 1)
    upper = iy * cols
    lower = np.where(iy + 1 == rows, 0, upper + cols)
    flat = image.ravel()
    a, c = flat.take(upper + ix), flat.take(lower + ix)
    top = a + (flat.take(upper + jx) - a) * tx
    bottom = c + (flat.take(lower + jx) - c) * tx
    return top + (bottom - top) * ty


def smoothstep(low: float | Array, high: float | Array, x: Array) -> Array:
    """Hermite step from 0 at `low` to 1 at `high`."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def mix(a: Array | Colour, b: Array | Colour, t: Array | float) -> Array:
    """Blend two colours or colour images by a scalar or a mask of one dimension less."""
    a, b, t = np.asarray(a, np.float32), np.asarray(b, np.float32), np.asarray(t, np.float32)
    if t.ndim and t.ndim < max(a.ndim, b.ndim, t.ndim + 1):
        t = t[..., None]
    return a + (b - a) * t


def ramp(t: Array, stops: Sequence[tuple[float, str]]) -> Array:
    """Colour gradient through (position, 'rrggbb') stops."""
    places = [place for place, _ in stops]
    colours = np.array([rgb(code) for _, code in stops])
    return np.stack([np.interp(t, places, colours[:, c]) for c in range(3)], axis=-1).astype(np.float32)


def relief(height: Array, strength: float, azimuth: float = 225.0) -> Array:
    """Signed light on a height map from the given compass side (225: upper left), about -1..1."""
    gy, gx = np.gradient(height)
    turn = np.deg2rad(azimuth)
    slope = (gx * np.cos(turn) + gy * np.sin(turn)) * strength
    return (-slope / np.sqrt(1 + slope**2)).astype(np.float32)


def shrink(image: Array, factor: int) -> Array:
    """Average blocks of factor x factor pixels."""
    rows, cols = image.shape[0] // factor, image.shape[1] // factor
    blocks = image[: rows * factor, : cols * factor].reshape(rows, factor, cols, factor, *image.shape[2:])
    return blocks.mean(axis=(1, 3)).astype(np.float32)


def from_pil(image: Image.Image) -> Array:
    """Read a Pillow image as floats in 0..1."""
    return np.asarray(image, dtype=np.float32) / 255


def to_pil(image: Array) -> Image.Image:
    """Turn floats in 0..1 into an 8-bit Pillow image."""
    return Image.fromarray((np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8))


def develop(light: Array, rng: np.random.Generator, exposure: float = 1.0, grain: float = 0.012) -> Array:
    """Photographic finish of linear light: bloom, filmic curve, vignette and grain."""
    bright = np.clip(light - 0.9, 0, 4)
    light = (light + 0.25 * blur(bright, 6) + 0.12 * blur(bright, 24)) * exposure
    curve = (light * (2.51 * light + 0.03)) / (light * (2.43 * light + 0.59) + 0.14)
    picture = np.clip(curve, 0, 1) ** (1 / 2.2)
    rows, cols = picture.shape[:2]
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : cols * 1j]
    picture *= (1 - 0.10 * (x**2 + y**2) ** 1.2)[..., None]
    noise = blur(rng.standard_normal((rows, cols)).astype(np.float32), 0.6)[..., None]
    return np.clip(picture + grain * noise + 0.4 * grain * rng.standard_normal(picture.shape), 0, 1).astype(np.float32)
