"""Paints the pictures of the documentation: our samples in our sample styles, and in those of the gallery.

python scripts/paint_pictures.py [--out docs/images] [--gallery-only]
"""

import argparse
from pathlib import Path
from time import perf_counter

from PIL import Image

from cli.console import SAMPLES
from nst_core.allocator import keep_freed_memory
from nst_core.contact_sheet import contact_sheet
from nst_core.device import choose_device
from nst_core.fast import paint_fast
from nst_core.fast_models import FastModels
from nst_core.gallery import Gallery
from nst_core.gatys import Subject, paint
from nst_core.options import FastOptions, GatysOptions
from nst_core.picture import decode, encode
from nst_core.pretrained import load_encoder

CONTENTS = ("harbour", "still_life")
STYLES = ("flow", "glass", "ink", "mosaic", "pointillist", "woodcut")
HERO = ("harbour", "flow")

#: Styles of the gallery in one row.
COLUMNS = 5


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


def paint_samples(folder: Path, size: int) -> None:
    """hero.jpg and samples.jpg: our samples in our sample styles, by the iterative engine with its defaults."""
    encoder = load_encoder("compact").to(choose_device())
    options = GatysOptions(size=size)
    sheet = Image.new("RGB", (220 * len(STYLES), 165 * (1 + len(CONTENTS))), "white")
    for x, style_name in enumerate(STYLES):
        style = sample(f"style_{style_name}")
        sheet.paste(fitted(style, 216, 161), (220 * x + 2, 2))
        for y, content_name in enumerate(CONTENTS, 1):
            content = sample(f"content_{content_name}")
            began = perf_counter()
            for last in paint(Subject(content=content, styles=[style]), options, encoder):  # noqa: B007 - the last one counts
                pass
            print(f"{content_name} x {style_name}: {perf_counter() - began:.1f} s, losses {last.losses}", flush=True)
            made = last.picture()
            sheet.paste(fitted(made, 216, 161), (220 * x + 2, 165 * y + 2))
            if (content_name, style_name) == HERO:
                hero = row([content, style, made], 360)
                (folder / "hero.jpg").write_bytes(encode(hero, "jpeg", quality=88))
    (folder / "samples.jpg").write_bytes(encode(sheet, "jpeg", quality=88))


def paint_gallery(folder: Path, size: int) -> None:
    """gallery.jpg: our samples in the styles of the gallery, by the fast engine."""
    models = FastModels(Gallery(), choose_device())
    styles = [style.id for style in models.gallery.all()]
    rows, captions = [], []
    for first in range(0, len(styles), COLUMNS):
        chosen = styles[first : first + COLUMNS]
        for content_name in CONTENTS:
            content = sample(f"content_{content_name}")
            rows.append([paint_fast(content, [models.get(style_id)], FastOptions(size=size)) for style_id in chosen])
            captions.append(chosen)
    (folder / "gallery.jpg").write_bytes(encode(contact_sheet(rows, captions), "jpeg", quality=88))


def main() -> None:
    """Paints, and prints a line per picture of the iterative engine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--gallery-only", action="store_true", help="leave out those of the iterative engine: minutes")
    arguments = parser.parse_args()
    keep_freed_memory()
    arguments.out.mkdir(parents=True, exist_ok=True)
    paint_gallery(arguments.out, arguments.size)
    if not arguments.gallery_only:
        paint_samples(arguments.out, arguments.size)


if __name__ == "__main__":
    main()
