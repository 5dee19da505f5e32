"""How much sooner an optimisation with ``init=fast`` reaches the losses of one that starts from the photograph.

    python benchmarks/fast_draft.py tubingen.jpg starry_night.jpg --style-id starry_night --size 512

One run with the defaults gives the loss to reach.  Each of three others stops as soon as it is there: from the
photograph through the pyramid (the default) and at the full size alone, and from the trained style's picture.  Printed
is the work until the loss was at so many times that of the first run's end, in iterations at the full size; those at
coarser scales count by their pixels.  It does not depend on what else the machine does.  Painting the draft itself
takes about as long as one such iteration.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from nst_core.device import choose_device
from nst_core.draft import draft
from nst_core.encoders import Encoder
from nst_core.fast_models import FastModels
from nst_core.gallery import Gallery
from nst_core.gatys import Subject, paint
from nst_core.options import GatysOptions
from nst_core.picture import decode
from nst_core.pretrained import load_encoder
from nst_core.pyramid import plan

#: Multiples of the loss at the end of the first run.
MULTIPLES = (3.0, 2.0, 1.5, 1.25, 1.1)


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("content", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("--style-id", action="append", default=[], help="of the gallery; default: the closest")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--styles-dir", type=Path)
    arguments = parser.parse_args()
    content, style = (decode(path.read_bytes()) for path in (arguments.content, arguments.style))
    subject = Subject(content=content, styles=[style])
    device = choose_device("auto")
    encoder = load_encoder("compact").to(device).eval().requires_grad_(False)
    drafted = GatysOptions(size=arguments.size, init="fast")
    made = draft(subject, drafted, encoder, FastModels(Gallery(arguments.styles_dir), device), arguments.style_id)
    started = Subject(content=content, styles=[style], initial=made.picture)
    default = GatysOptions(size=arguments.size)
    reference = list(_course(subject, default, encoder))
    goals = [multiple * reference[-1][1] for multiple in MULTIPLES]
    table = Table("start", *(f"{multiple:g} x" for multiple in MULTIPLES))
    courses: list[tuple[str, Iterator[tuple[float, float]]]] = [
        ("photograph, pyramid", iter(reference)),
        ("photograph, full size", _course(subject, GatysOptions(size=arguments.size, scales=1), encoder)),
        (f"fast: {', '.join(made.style_ids) or 'content'}", _course(started, drafted, encoder)),
    ]
    for name, course in courses:
        table.add_row(name, *_reached(course, goals))
    Console().print(f"loss at the end of the defaults: {reference[-1][1]:.4f}", table)


def _course(subject: Subject, options: GatysOptions, encoder: Encoder) -> Iterator[tuple[float, float]]:
    """Work done, in iterations at the full size, and the total loss there, iteration by iteration."""
    scales = plan(*subject.frame.size, options)
    finest = scales[-1].width * scales[-1].height
    work = sum(scale.width * scale.height * scale.iterations for scale in scales) / finest
    for iterate in paint(subject, options, encoder):
        if iterate.scale == iterate.scales:
            yield iterate.fraction * work, iterate.losses["total"]


def _reached(course: Iterator[tuple[float, float]], goals: list[float]) -> list[str]:
    """The work at which each goal, the easiest first, was reached."""
    found: list[str] = []
    for work, loss in course:
        while len(found) < len(goals) and loss <= goals[len(found)]:
            found.append(f"{work:.0f}")
        if len(found) == len(goals):
            break
    return found + ["never"] * (len(goals) - len(found))


if __name__ == "__main__":
    main()
