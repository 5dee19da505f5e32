"""What stands out in a picture, without learned weights.

Zhu, Liang, Wei & Sun 2014, "Saliency Optimization from Robust Background Detection": regions that have much of their
outline on the picture's border are background, and regions are salient that differ from background near them.  Regions
are made of superpixels, as Achanta et al. 2012, "SLIC Superpixels Compared to State-of-the-Art Superpixel Methods".
"""

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

#: About how many superpixels a picture is cut into.
SUPERPIXELS = 500

#: Units of CIELAB by which the position in its cell counts in a superpixel: larger makes them more compact.
_COMPACTNESS = 10.0
_SLIC_STEPS = 6

# The parameters of Zhu et al., in units of CIELAB and of the picture's long side.
_SAME_REGION = 10.0  # superpixels belong together that can be reached in steps of less contrast
_NEAR = 0.25
_SMOOTH = 7.0
_LEAST_SMOOTHNESS = 0.1

#: How fast salience falls towards the corners, where it is exp(-2 * this): subjects are near the middle.
_CENTRE = 0.8


def saliency(lab: Floats) -> Floats:
    """How much each position of a picture stands out, (H, W) in [0, 1]; 0 everywhere if nothing does.

    Args:
        lab: the picture in CIELAB, (H, W, 3), lightness from 0 to 100.
    """
    height, width, _ = lab.shape
    labels = superpixels(lab)
    sizes = np.bincount(labels.ravel())

    def means(values: Floats) -> Floats:
        return np.stack([np.bincount(labels.ravel(), v.ravel()) / sizes for v in np.moveaxis(values, -1, 0)], -1)

    y, x = np.mgrid[:height, :width]
    places = means(np.stack([y, x], -1) / max(height, width))
    contrast = _distances(means(lab))
    if not contrast.any():
        return np.zeros((height, width))
    adjacent = _adjacent(labels)
    border = np.zeros(len(sizes), bool)
    border[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = True

    background = _background(contrast, adjacent, border)
    near = np.exp(-(_distances(places) ** 2) / (2 * _NEAR**2))
    foreground = (contrast * near) @ background
    foreground = (foreground - foreground.min()) / max(np.ptp(foreground), 1e-9)

    # The smoothest map that is 1 in the foreground and 0 in the background.
    smoothness = adjacent * (np.exp(-(contrast**2) / (2 * _SMOOTH**2)) + _LEAST_SMOOTHNESS)
    laplacian = np.diag(smoothness.sum(1)) - smoothness
    salient = np.linalg.solve(laplacian + np.diag(background + foreground), foreground)
    from_middle = (2 * y / height - 1) ** 2 + (2 * x / width - 1) ** 2
    found = (salient - salient.min())[labels] * np.exp(-_CENTRE * from_middle)
    return np.asarray(found / max(found.max(), 1e-9))


def superpixels(lab: Floats) -> NDArray[np.intp]:
    """A picture (H, W, 3) in CIELAB cut into small regions of one colour: the number of each position's, (H, W).

    All numbers from 0 to the largest occur.  A region need not be connected.
    """
    height, width, _ = lab.shape
    side = (height * width / SUPERPIXELS) ** 0.5
    rows, columns = max(1, round(height / side)), max(1, round(width / side))
    y, x = np.mgrid[:height, :width]
    features = np.dstack([lab, y * _COMPACTNESS / side, x * _COMPACTNESS / side]).astype(np.float32)
    row, column = y * rows // height, x * columns // width
    labels = row * columns + column
    for _ in range(_SLIC_STEPS):
        sizes = np.maximum(np.bincount(labels.ravel(), minlength=rows * columns), 1)
        sums = [np.bincount(labels.ravel(), f.ravel(), rows * columns) for f in np.moveaxis(features, -1, 0)]
        centres = (np.stack(sums, -1) / sizes[:, None]).astype(np.float32)
        nearest = np.full((height, width), np.inf, np.float32)
        for down, right in product((-1, 0, 1), repeat=2):
            candidates = np.clip(row + down, 0, rows - 1) * columns + np.clip(column + right, 0, columns - 1)
            distances = ((features - centres[candidates]) ** 2).sum(-1)
            labels = np.where(distances < nearest, candidates, labels)
            nearest = np.minimum(distances, nearest)
    return np.unique(labels, return_inverse=True)[1].reshape(height, width)


def _background(contrast: Floats, adjacent: NDArray[np.bool_], border: NDArray[np.bool_]) -> Floats:
    """How surely each superpixel is background, (N,) in [0, 1]: how much its region keeps to the border."""
    # Contrast that a superpixel has to its most similar neighbour tells nothing about regions.
    noise = np.where(adjacent, contrast, np.inf).min(1)
    steps = np.maximum(contrast - noise.mean(), 0)
    paths = np.where(adjacent | (border[:, None] & border), steps, np.inf)
    np.fill_diagonal(paths, 0)
    for k in range(len(paths)):  # Floyd and Warshall's shortest paths
        np.minimum(paths, paths[:, k, None] + paths[k], out=paths)
    together = np.exp(-(paths**2) / (2 * _SAME_REGION**2))
    on_border = together[:, border].sum(1) / np.sqrt(together.sum(1))
    return np.asarray(1 - np.exp(-(on_border**2) / 2))


def _adjacent(labels: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which superpixels touch, also by a corner, (N, N)."""
    touch = np.zeros((labels.max() + 1,) * 2, bool)
    touch[labels[1:], labels[:-1]] = touch[labels[:, 1:], labels[:, :-1]] = True
    touch[labels[1:, 1:], labels[:-1, :-1]] = touch[labels[1:, :-1], labels[:-1, 1:]] = True
    touch |= touch.T
    np.fill_diagonal(touch, False)
    return touch


def _distances(points: Floats) -> Floats:
    return np.asarray(np.linalg.norm(points[:, None] - points, axis=-1))
