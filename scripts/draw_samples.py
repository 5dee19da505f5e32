"""Draw the sample pictures, photograph-like contents and painterly styles, from nothing but code."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from samples import flow, glass, harbour, ink, mosaic, pointillist, still_life, woodcut

PICTURES: dict[str, Callable[[int], Image.Image]] = {
    "content_harbour": harbour.draw,
    "content_still_life": still_life.draw,
    "style_flow": flow.draw,
    "style_glass": glass.draw,
    "style_ink": ink.draw,
    "style_mosaic": mosaic.draw,
    "style_pointillist": pointillist.draw,
    "style_woodcut": woodcut.draw,
}


def main() -> None:
    """Draw every picture (or those named) into the output folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent / "cli" / "samples")
    parser.add_argument("--seed", type=int, default=7, help="same seed, same pictures")
    parser.add_argument("--quality", type=int, default=90, help="JPEG quality")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of: {', '.join(PICTURES)} (default: all)")
    args = parser.parse_args()
    unknown = sorted(set(args.names) - set(PICTURES))
    if unknown:
        parser.error(f"no such picture: {', '.join(unknown)}")

    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.names or PICTURES:
        began = time.perf_counter()
        path = args.out / f"{name}.jpg"
        PICTURES[name](args.seed).save(path, quality=args.quality, optimize=True, subsampling="4:4:4")
        print(
            f"{path.name}: {path.stat().st_size / 1024:.0f} KiB in {time.perf_counter() - began:.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
