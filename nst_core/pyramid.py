"""The multi-scale schedule: coarse scales place the large strokes cheaply, fine ones add detail.

Gatys et al. 2017, "Controlling Perceptual Factors in Neural Style Transfer", section 6 (coarse-to-fine).
"""

from dataclasses import dataclass

from nst_core.options import SHORTEST_SIDE, GatysOptions, output_size

#: The coarsest scale has a long side of at least this many pixels: below, relu5_1 sees the whole image at once.
COARSEST = 160

#: A scale gets this many times the iterations of the next finer one, which costs four times as much per iteration.
COARSE_BIAS = 1.5


@dataclass(frozen=True, kw_only=True)
class Scale:
    """One level of the pyramid: the size in pixels and how many iterations are done there."""

    width: int
    height: int
    iterations: int


def plan(content_width: int, content_height: int, options: GatysOptions) -> list[Scale]:
    """The scales, coarse to fine; the last has exactly the result's size and all iterations add up to the option's.

    There are never more scales than iterations, and only the last one may have a side below SHORTEST_SIDE.
    """
    count = options.scales or 1
    # A draft has its large strokes already, and a coarse scale would lose its small ones.
    if options.scales is None and options.init != "fast":
        while options.size / 2**count >= COARSEST:
            count += 1
    count = min(count, options.iterations)
    while count > 1 and min(_size_at(count, content_width, content_height, options)) < SHORTEST_SIDE:
        count -= 1
    shares = [COARSE_BIAS ** (count - 1 - k) for k in range(count)]
    # Cumulative rounding gives every scale its share and the exact sum.
    marks = [round(options.iterations * sum(shares[:k]) / sum(shares)) for k in range(count + 1)]
    for k in range(1, count + 1):
        marks[k] = max(marks[k], marks[k - 1] + 1)
    marks[-1] = options.iterations
    for k in range(count - 1, 0, -1):
        marks[k] = min(marks[k], marks[k + 1] - 1)
    scales = []
    for k in range(count):
        width, height = _size_at(count - k, content_width, content_height, options)
        scales.append(Scale(width=width, height=height, iterations=marks[k + 1] - marks[k]))
    return scales


def share_of_work(scales: list[Scale], step: int) -> float:
    """What part of all work, 0 to 1, is done after so many iterations; one costs as much as its scale has pixels."""
    work, left = 0, step
    for scale in scales:
        done = min(left, scale.iterations)
        work, left = work + done * scale.width * scale.height, left - done
    return work / sum(scale.width * scale.height * scale.iterations for scale in scales)


def _size_at(level: int, content_width: int, content_height: int, options: GatysOptions) -> tuple[int, int]:
    """(width, height) of the scale that is ``level`` from the end; 1 is the result's own."""
    return output_size(content_width, content_height, max(1, round(options.size / 2 ** (level - 1))))
