"""Paints the pictures of docs/gallery.md: what each control does, on our own samples.

python scripts/paint_controls.py [--out docs/images/controls] [--only colour,losses] [--size 256]

A sheet that is there already is not painted again: take it away, or name it with --only.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageChops, ImageFilter

from cli.console import SAMPLES
from nst_core.allocator import keep_freed_memory
from nst_core.contact_sheet import contact_sheet
from nst_core.encoders import Encoder
from nst_core.fast import paint_fast
from nst_core.fast_models import FastModels
from nst_core.gallery import Gallery
from nst_core.gatys import Iterate, Subject, paint
from nst_core.image import to_deep_picture, to_picture
from nst_core.options import FastOptions, GatysOptions
from nst_core.picture import decode, encode
from nst_core.presets import PRESETS
from nst_core.pretrained import load_encoder
from nst_core.segmentation import auto_mask
from nst_core.similarity import picture_similarity

#: A picture of a sheet, and what is written below it.
Cell = tuple[Image.Image, str]

COLORS = ("style", "luminance", "match-mkl", "match-pca", "match-cholesky", "match-histogram")
LOSSES = ("gram", "gram-shifted", "moments", "wasserstein", "sliced-wasserstein")
LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")


def sample(name: str) -> Image.Image:
    """One of the sample pictures."""
    return decode((SAMPLES / f"{name}.jpg").read_bytes())


class Painter:
    """Paints with the iterative engine, at one size."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.encoder: Encoder = load_encoder("compact")
        self.models = FastModels(Gallery(), next(self.encoder.parameters()).device)

    def iterates(self, subject: Subject, **options: Any) -> Iterator[Iterate]:
        """The picture on its way."""
        return paint(subject, GatysOptions(**{"size": self.size, **options}), self.encoder)

    def __call__(self, content: str, *styles: str, masks: Sequence[Image.Image] = (), **options: Any) -> Image.Image:
        """The finished picture of samples by their names."""
        subject = Subject(content=sample(content), styles=[sample(style) for style in styles], masks=masks)
        *_, last = self.iterates(subject, **options)
        return last.picture()

    def fast(self, content: str, *styles: str, masks: Sequence[Image.Image] = (), **options: Any) -> Image.Image:
        """The same in trained styles, which take no time: at twice the size, so that the sheet shows their strokes."""
        trained = [self.models.get(style) for style in styles]
        return paint_fast(sample(content), trained, FastOptions(size=2 * self.size, **options), masks=masks)


def sky_and_rest(picture: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Masks of the upper and the lower part, with a soft border."""
    upper = Image.new("L", picture.size)
    upper.paste(255, (0, 0, picture.width, round(picture.height * 0.45)))
    upper = upper.filter(ImageFilter.GaussianBlur(picture.width / 40))
    return upper, ImageChops.invert(upper)


def colour(painter: Painter) -> list[list[Cell]]:
    """Every colour mode, with both engines."""
    return [
        [(painter("content_harbour", "style_woodcut", color=(color,)), f"color={color}") for color in COLORS],
        [(painter.fast("content_harbour", "the_scream", color=(color,)), f"fast, color={color}") for color in COLORS],
    ]


def regions(painter: Painter) -> list[list[Cell]]:
    """Masks, styles of their own, colours of their own."""
    sky, rest = sky_and_rest(sample("content_harbour"))
    two = ("content_harbour", "style_flow", "style_mosaic")
    return [
        [
            (sky.convert("RGB"), "a mask"),
            (painter(*two[:2], masks=[sky]), "one mask, one style"),
            (painter(*two, masks=[sky, rest]), "two masks, two styles"),
            (painter(*two, masks=[sky, rest], color=("luminance", "style")), "color=luminance,style"),
            (painter.fast("content_harbour", "starry_night", masks=[sky]), "fast, one mask"),
            (
                painter.fast("content_harbour", "starry_night", "wheat_field", masks=[sky, rest]),
                "fast, two masks, two styles",
            ),
        ]
    ]


def blending(painter: Painter) -> list[list[Cell]]:
    """From one style to another."""
    shares = ((1, 0), (3, 1), (1, 1), (1, 3), (0, 1))
    row = [
        (
            painter("content_still_life", "style_ink", "style_glass", style_weights=share),
            f"style_weights={share[0]},{share[1]}",
        )
        for share in shares
    ]
    fast = [
        (
            painter.fast("content_still_life", "great_wave", "the_scream", style_weights=share),
            f"fast, {share[0]},{share[1]}",
        )
        for share in shares
    ]
    return [row, fast]


def losses(painter: Painter) -> list[list[Cell]]:
    """Every style loss, for two styles."""
    return [
        [(painter("content_harbour", style, style_loss=loss), f"style_loss={loss}") for loss in LOSSES]
        for style in ("style_flow", "style_glass")
    ]


def strokes(painter: Painter) -> list[list[Cell]]:
    """Sizes of the style image, and between those that a trained style has learned."""
    size = painter.size
    row = [
        (painter("content_harbour", "style_flow", style_size=round(size * factor)), f"style_size = {factor:g} x size")
        for factor in (0.5, 1, 1.5, 2, 3)
    ]
    fast = [
        (painter.fast("content_harbour", "starry_night", style_size=learned), f"fast, style_size={learned}")
        for learned in (512, 608, 724, 861, 1024)
    ]
    return [row, fast]


def reconstructions(painter: Painter) -> list[list[Cell]]:
    """The content as single layers know it (Gatys et al. 2016, figure 1)."""
    options = {**PRESETS["reconstruct"].options, "tv_weight": 0.0}
    return [
        [
            (painter("content_harbour", **{**options, "content_layers": (layer,)}), f"content_layers={layer}")
            for layer in LAYERS
        ]
    ]


def textures(painter: Painter) -> list[list[Cell]]:
    """The style alone, from more and more layers (Gatys et al. 2015)."""
    layers = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
    return [
        [
            (
                painter(style, style, **PRESETS["texture"].options, style_layers=layers[:count]),
                f"style_layers to {layers[count - 1]}",
            )
            for count in range(1, 6)
        ]
        for style in ("style_flow", "style_glass")
    ]


def evolution(painter: Painter) -> list[list[Cell]]:
    """Snapshots along the iterations, from noise."""
    subject = Subject(content=sample("content_harbour"), styles=[sample("style_flow")])
    wanted = (1, 10, 30, 100, 250)
    iterates = painter.iterates(subject, init="noise", scales=1)
    return [[(iterate.picture(), f"iteration {iterate.step}") for iterate in iterates if iterate.step in wanted]]


def draft(painter: Painter) -> list[list[Cell]]:
    """The first iterations from the photograph, and from a trained style's picture."""
    content, wanted = sample("content_harbour"), (1, 10, 30, 60)
    # A painting that the style knows, as our samples have none: one of its own.
    style = painter.fast("content_still_life", "starry_night")
    start = painter.fast("content_harbour", "starry_night")
    rows = []
    for init, initial in (("content", None), ("fast", start)):
        subject = Subject(content=content, styles=[style], initial=initial)
        iterates = painter.iterates(subject, init=init, scales=1, iterations=max(wanted))
        rows.append([(it.picture(), f"init={init}, iteration {it.step}") for it in iterates if it.step in wanted])
    return rows


def presets(painter: Painter) -> list[list[Cell]]:
    """What the presets make of the same pair, at their own sizes."""
    cells: list[Cell] = []
    for preset in PRESETS.values():
        began = perf_counter()
        picture = painter("content_still_life", "style_mosaic", **_tuples(preset.options))
        cells.append((picture, f"preset={preset.name}\n{perf_counter() - began:.0f} s on 2 CPU cores"))
    return [cells]


def subjects(painter: Painter) -> list[list[Cell]]:
    """The mask that is found, and what is painted by it."""
    content = sample("content_still_life")
    masks = {kind: auto_mask(content, kind) for kind in ("subject", "background")}
    found = [(mask.convert("RGB"), f"auto_mask={kind}") for kind, mask in masks.items()]
    painted = [
        (painter("content_still_life", "style_woodcut", masks=[mask], color=("match-mkl",)), f"painted: {kind}")
        for kind, mask in masks.items()
    ]
    return [[(content, "the photograph"), *found, *painted]]


def optimisation(painter: Painter) -> list[list[Cell]]:
    """Optimisers, the average of iterates, and weights of the content that change on the way."""
    variants: list[dict[str, Any]] = [
        {"optimizer": "lbfgs"},
        {"optimizer": "lbfgs", "averaging": 0.9},
        {"optimizer": "adam"},
        {"optimizer": "adam", "averaging": 0.95},
        {"content_weight": 0.2, "final_content_weight": 0.02},
    ]
    return [[_measured(painter, variant) for variant in variants]]


def tiles(painter: Painter) -> list[list[Cell]]:
    """The same picture as a whole and by tiles, and what differs."""
    whole = painter("content_harbour", "style_flow", scales=1, iterations=120)
    tiled = painter("content_harbour", "style_flow", scales=1, iterations=120, tile=128)
    # The first iteration has the same start: what differs is due to tiles alone.
    first, other = (painter("content_harbour", "style_flow", scales=1, iterations=1, tile=tile) for tile in (None, 128))
    difference = ImageChops.difference(first, other).point([min(255, 20 * value) for value in range(256)] * 3)
    names = ("as a whole", "tile=128", "one iteration: the difference, times 20")
    return [list(zip((whole, tiled, difference), names, strict=True))]


def files(painter: Painter) -> list[list[Cell]]:
    """A smooth sky in 8 and in 16 bits, with its contrast raised until the levels show."""
    width, height = painter.size, painter.size * 3 // 4
    ramp = np.linspace(0.45, 0.55, width * height, dtype=np.float32).reshape(height, width)
    picture = torch.from_numpy(ramp).expand(1, 3, -1, -1)
    eight = np.asarray(to_picture(picture), np.float32) / 255
    sixteen = to_deep_picture(picture).samples.astype(np.float32) / 65535
    row = []
    for name, values in (("bit_depth=8", eight), ("bit_depth=16", sixteen)):
        raised = ((values - 0.45) * 10 * 4 % 1 * 255).clip(0, 255).astype(np.uint8)
        row.append((Image.fromarray(raised), f"{name}: {len(np.unique(values))} levels of a ramp"))
    return [row]


def parameters(painter: Painter) -> list[list[Cell]]:
    """A grid over two options with figures, as `nst sheet` paints it."""
    return [
        [_measured(painter, {"content_weight": weight, "style_layers": layers}) for weight in (0.02, 0.1, 0.5)]
        for layers in (("relu1_1", "relu2_1", "relu3_1"), ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"))
    ]


def _measured(painter: Painter, options: Mapping[str, Any]) -> Cell:
    """A picture with its options and its figures."""
    content = sample("content_harbour")
    *_, last = painter.iterates(Subject(content=content, styles=[sample("style_flow")]), **options)
    picture = last.picture()
    told = ", ".join(f"{name}={_short(value)}" for name, value in options.items())
    figures = f"content {last.losses['content']:.3f}, style {last.losses['style']:.4f}"
    return picture, f"{told}\n{figures}, SSIM {picture_similarity(picture, content):.2f}"


def _short(value: Any) -> str:
    return f"{value[0]}..{value[-1]}" if isinstance(value, tuple) else str(value)


def _tuples(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}


SHEETS: dict[str, Callable[[Painter], list[list[Cell]]]] = {
    sheet.__name__: sheet
    for sheet in (
        *(colour, regions, subjects, blending, losses, optimisation, tiles, strokes, evolution, parameters),
        *(reconstructions, textures, files, draft, presets),
    )
}


def main() -> None:
    """Paints, and prints a line per sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images/controls"))
    parser.add_argument("--only", help=f"of {', '.join(SHEETS)}: these, with commas between; also those that are there")
    parser.add_argument("--size", type=int, default=288, help="long side of each picture in pixels")
    arguments = parser.parse_args()
    chosen = arguments.only.split(",") if arguments.only else list(SHEETS)
    if unknown := set(chosen) - SHEETS.keys():
        parser.error(f"there is no sheet {', '.join(sorted(unknown))}")
    keep_freed_memory()
    arguments.out.mkdir(parents=True, exist_ok=True)
    painter = Painter(arguments.size)
    for name in chosen:
        path = arguments.out / f"{name}.jpg"
        if path.exists() and not arguments.only:
            continue
        began = perf_counter()
        rows = SHEETS[name](painter)
        sheet = contact_sheet(
            [[p for p, _ in row] for row in rows], [[text for _, text in row] for row in rows], cell=256
        )
        path.write_bytes(encode(sheet, "jpeg", quality=85))
        print(f"{path}: {perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
