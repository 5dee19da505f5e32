"""Masks of a picture's subject, found by a classical method without learned weights.

GrabCut (Rother, Kolmogorov & Blake 2004, "GrabCut: Interactive Foreground Extraction using Iterated Graph Cuts") needs
a start, which its user draws.  Here it starts from what stands out (:mod:`nst_core.saliency`).  It only finds the
optimum next to its start, so it gets three, and what most of the results have in common is the subject.  The guided
filter (He & Sun 2015, "Fast Guided Filter") brings the outline to the picture's full size.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nst_core.errors import NoSubject
from nst_core.options import AutoMask
from nst_core.saliency import Floats, saliency

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

#: Pixels of the reduced copy on which the subject is found; smaller pictures are enlarged to it.
WORKING_PIXELS = 100_000

#: Colours that differ by less in CIELAB look the same.
_JUST_NOTICEABLE = 2.3

#: Part of a picture that a subject, and a background, must have at least.
_LEAST_PART = 0.002

_ITERATIONS = 3

#: How much neighbouring pixels differ, as a part of what any two do, in pictures that are smoothed before they are cut:
#: one photograph in forty, but checks and screens too, which would take minutes.
_BUSY = 0.2

#: How far the outline may still move in the end, and radius of the guided filter; in pixels of the reduced copy.
_BAND = 4

#: Variance of channels in [0, 1] above which the guided filter takes a change of colour for an outline.
_OUTLINE_VARIANCE = 1e-4

#: Pixels of the full picture that are refined at a time: 50 million at once would take gigabytes.
_STRIP_PIXELS = 1_000_000

# The classes of GrabCut's starts, as OpenCV has them.
_BACKGROUND, _SUBJECT, _LIKELY_BACKGROUND, _LIKELY_SUBJECT = range(4)


def auto_mask(picture: Image.Image, kind: AutoMask) -> Image.Image:
    """The :func:`subject_mask` of a picture, or its complement for the background."""
    mask = subject_mask(picture)
    return mask if kind == "subject" else mask.point(lambda value: 255 - value)


def subject_mask(picture: Image.Image) -> Image.Image:
    """Where a picture's subject is: ``L``, of the picture's size, white there, with soft edges.

    The same picture gives the same mask.  A picture without a clear subject gives what differs most from its
    surroundings.

    Raises:
        NoSubject: nothing differs visibly, as in a picture of one colour.
    """
    picture = picture.convert("RGB")
    scale = (WORKING_PIXELS / (picture.width * picture.height)) ** 0.5
    size = (max(2 * _BAND, round(picture.width * scale)), max(2 * _BAND, round(picture.height * scale)))
    small = np.array(picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0))
    return _refined(_subject(small), small, picture)


def intersection_over_union(mask: Image.Image, other: Image.Image) -> float:
    """How well two masks agree, in [0, 1]: what both show of what either shows, where they are more white than black.

    The other is scaled to the size of the first.  Two masks that show nothing agree.
    """
    first, second = (np.asarray(one.convert("L").resize(mask.size)) > 127 for one in (mask, other))
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 1.0


def _subject(small: Pixels) -> Mask:
    """The subject of a reduced picture (H, W, 3)."""
    import cv2  # here, because it takes a third of a second

    lab = np.asarray(cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float64)
    if np.linalg.norm(np.ptp(lab, (0, 1))) < _JUST_NOTICEABLE:
        raise NoSubject
    salient = saliency(lab)
    if not salient.any():
        raise NoSubject
    unlike = np.mean([np.square(np.diff(lab, axis=axis)).mean() for axis in (0, 1)])
    if unlike > _BUSY * 2 * lab.var((0, 1)).mean():
        small = np.asarray(cv2.GaussianBlur(small, (0, 0), 1), np.uint8)
    found = np.sum([_grab_cut(small, start) for start in _starts(salient)], 0) >= 2
    if not _LEAST_PART <= found.mean() <= 1 - _LEAST_PART:
        raise NoSubject
    # The starts cut off at the margin what goes on beyond it.  So it is continued to the border; and what of that, and
    # of the outline's surroundings, is subject, is seen from the colours once more.
    y, x = (min(margin + 2 * _BAND, side // 3) for margin, side in zip(_margins(found), found.shape, strict=True))
    found = np.pad(found[y:-y, x:-x], ((y, y), (x, x)), "edge")
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _BAND + 1, 2 * _BAND + 1))
    start = np.where(found, _LIKELY_SUBJECT, _LIKELY_BACKGROUND).astype(np.uint8)
    inside = np.asarray(cv2.erode(found.astype(np.uint8), disc))[y:-y, x:-x]
    start[y:-y, x:-x][inside == 1] = _SUBJECT
    start[np.asarray(cv2.dilate(found.astype(np.uint8), disc)) == 0] = _BACKGROUND
    return _grab_cut(small, start)


def _starts(salient: Floats) -> Iterator[Pixels]:
    """Three classes of each position, given how much it stands out: only what does most, what does, inside a frame."""
    classes = np.array([_BACKGROUND, _LIKELY_BACKGROUND, _LIKELY_SUBJECT, _SUBJECT], np.uint8)
    yield classes[np.digitize(salient, np.quantile(salient, [0.8, 0.9, 0.96]))]
    threshold = _otsu(salient)
    yield classes[np.digitize(salient, [0.15 * threshold, 0.5 * threshold, 0.6 * threshold + 0.4])]
    y, x = _margins(salient)
    frame = np.full(salient.shape, _BACKGROUND, np.uint8)
    frame[y:-y, x:-x] = _LIKELY_SUBJECT
    yield frame


def _margins(values: NDArray[Any]) -> tuple[int, int]:
    """How broad the frame is, within which a subject is looked for, above and below, and to the left and right."""
    height, width = values.shape
    return max(1, height // 20), max(1, width // 20)


def _otsu(values: Floats) -> float:
    """The threshold between the two classes of values that differ most (Otsu 1979)."""
    counts, edges = np.histogram(values, 256)
    middles = (edges[1:] + edges[:-1]) / 2
    below, sums = np.cumsum(counts), np.cumsum(counts * middles)
    above = below[-1] - below
    difference = sums / np.maximum(below, 1) - (sums[-1] - sums) / np.maximum(above, 1)
    return float(middles[np.argmax(below * above * difference**2)])


def _grab_cut(small: Pixels, start: Pixels) -> Mask:
    """The subject, from the classes of a start (H, W)."""
    import cv2

    classes = start.copy()
    if len(np.unique(classes % 2)) == 2:  # else there are no two kinds of colours to learn
        cv2.setRNGSeed(0)
        background, subject = np.zeros((1, 65)), np.zeros((1, 65))
        mode = cv2.GC_INIT_WITH_MASK
        cv2.grabCut(small[..., ::-1].copy(), classes, (0, 0, 0, 0), background, subject, _ITERATIONS, mode)
    return np.asarray(classes % 2 == 1)


def _refined(found: Mask, small: Pixels, picture: Image.Image) -> Image.Image:
    """A mask of the reduced copy at the full size of the picture, whose outlines it follows."""
    height, width = found.shape
    linear = [Image.fromarray(part) for part in np.moveaxis(_guided_filter(small, found), -1, 0)]
    refined = Image.new("L", picture.size)
    rows = max(1, _STRIP_PIXELS // picture.width)
    for top in range(0, picture.height, rows):
        bottom = min(top + rows, picture.height)
        strip = picture.crop((0, top, picture.width, bottom))
        box = (0, top * height / picture.height, width, bottom * height / picture.height)
        *slopes, values = (np.array(part.resize(strip.size, Image.Resampling.BILINEAR, box)) for part in linear)
        for slope, channel in zip(slopes, strip.split(), strict=True):
            values += slope * channel
        refined.paste(Image.fromarray((255 * values).round().clip(0, 255).astype(np.uint8)), (0, top))
    return refined


def _guided_filter(small: Pixels, found: Mask) -> NDArray[np.float32]:
    """How the mask depends on the colour near each position: three slopes and an offset, (H, W, 4).

    A linear function of the colour, found in the reduced copy, holds in the full picture too.
    """
    import cv2

    def mean(values: Floats) -> Floats:
        side = 2 * _BAND + 1
        return np.dstack([cv2.blur(part, (side, side)) for part in np.moveaxis(values, -1, 0)])

    color, mask = small / 1.0, found[..., None] / 1.0
    squares = (color[..., None] * color[..., None, :]).reshape(*found.shape, 9)
    mean_color, mean_mask = mean(color), mean(mask)
    variance = mean(squares).reshape(*found.shape, 3, 3) - mean_color[..., None] * mean_color[..., None, :]
    variance += 255**2 * _OUTLINE_VARIANCE * np.eye(3)
    covariance = mean(color * mask) - mean_color * mean_mask
    slopes = np.linalg.solve(variance, covariance[..., None])[..., 0]
    offset = mean_mask - (slopes * mean_color).sum(-1, keepdims=True)
    return np.asarray(mean(np.dstack([slopes, offset])), np.float32)
