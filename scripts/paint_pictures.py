"""Paints the pictures of the documentation: our samples in our sample styles, with the engine's defaults.

python scripts/paint_pictures.py [--out docs/images]
"""

import argparse
from pathlib import Path
from time import perf_counter

from PIL import Image

from cli.console import SAMPLES
from nst_core.allocator import keep_freed_memory
from nst_core.device import choose_device
from nst_core.gatys import paint
from nst_core.options import GatysOptions
from nst_core.picture import decode, encode
from nst_core.pretrained import load_encoder

CONTENTS = ("harbour", "still_life")
STYLES = ("flow", "glass", "ink", "mosaic", "pointillist", "woodcut")
HERO = ("harbour", "flow")


def sample(name: str) -> Image.Image:
    """One of the sample pictures."""
    return decode((SAMPLES / f"{name}.jpg").read_bytes())


def fitted(picture: Image.Image, width: int, height: int) -> Image.Image:
    """The picture scaled and cut to exactly this size."""
    scale = max(width / picture.width, height / picture.height)
    scaled = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
    left, top = (scaled.width - width) // 2, (scaled.height - height) // 2
    return scaled.crop((left, top, left + width, top + height))


def row(pictures: list[Image.Image], height: int) -> Image.Image:
    """Pictures side by side at one height, with a gap."""
    scaled = [p.resize((round(p.width * height / p.height), height), Image.Resampling.LANCZOS) for p in pictures]
    sheet = Image.new("RGB", (sum(p.width for p in scaled) + 8 * (len(scaled) - 1), height), "white")
    left = 0
    for picture in scaled:
        sheet.paste(picture, (left, 0))
        left += picture.width + 8
    return sheet


def main() -> None:
    """Paints, and prints a line per picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--size", type=int, default=512)
    arguments = parser.parse_args()
    keep_freed_memory()
    arguments.out.mkdir(parents=True, exist_ok=True)
    encoder = load_encoder("compact").to(choose_device())
    options = GatysOptions(size=arguments.size)
    sheet = Image.new("RGB", (220 * len(STYLES), 165 * (1 + len(CONTENTS))), "white")
    for x, style_name in enumerate(STYLES):
        style = sample(f"style_{style_name}")
        sheet.paste(fitted(style, 216, 161), (220 * x + 2, 2))
        for y, content_name in enumerate(CONTENTS, 1):
            content = sample(f"content_{content_name}")
            began = perf_counter()
            for last in paint(content, style, options, encoder):  # noqa: B007 - the last one counts
                pass
            print(f"{content_name} x {style_name}: {perf_counter() - began:.1f} s, losses {last.losses}", flush=True)
            made = last.picture()
            sheet.paste(fitted(made, 216, 161), (220 * x + 2, 165 * y + 2))
            if (content_name, style_name) == HERO:
                hero = row([content, style, made], 360)
                (arguments.out / "hero.jpg").write_bytes(encode(hero, "jpeg", quality=88))
    (arguments.out / "samples.jpg").write_bytes(encode(sheet, "jpeg", quality=88))


if __name__ == "__main__":
    main()
