"""How good an encoder is: the pictures made with it, seen by another network that was not optimised against."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

import torch
from PIL import Image, ImageDraw

from nst_core.encoders import Encoder
from nst_core.gatys import paint
from nst_core.image import to_tensor
from nst_core.losses import content_loss, gram_matrix, style_loss
from nst_core.options import GatysOptions

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYER = "relu4_2"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the judge sees in one picture.

    Attributes:
        style_errors: per layer, ``||G - T||_F^2 / ||T||_F^2`` of the Gram matrices, 0 or more.
        content_error: relative squared error of relu4_2 against the content's, 0 or more.
        seconds: engine time that the picture took.
    """

    style_errors: dict[str, float]
    content_error: float
    seconds: float
    picture: Image.Image

    @property
    def style_error(self) -> float:
        """The mean over the style layers."""
        return sum(self.style_errors.values()) / len(self.style_errors)


@torch.no_grad()
def judge(picture: Image.Image, content: Image.Image, style: Image.Image, judge_encoder: Encoder) -> Verdict:
    """Style and content error of a picture under ``judge_encoder``; both references are scaled to its long side."""
    device = next(judge_encoder.parameters()).device
    size = picture.size
    scale = max(size) / max(style.size)
    style_size = round(style.width * scale), round(style.height * scale)
    made = judge_encoder(to_tensor(picture).to(device), (*STYLE_LAYERS, CONTENT_LAYER))
    wanted = judge_encoder(to_tensor(style, style_size).to(device), STYLE_LAYERS)
    kept = judge_encoder(to_tensor(content, size).to(device), (CONTENT_LAYER,))
    return Verdict(
        style_errors={k: float(style_loss(gram_matrix(made[k]), gram_matrix(wanted[k]))) for k in STYLE_LAYERS},
        content_error=float(content_loss(made[CONTENT_LAYER], kept[CONTENT_LAYER])),
        seconds=0.0,
        picture=picture,
    )


def evaluate(
    encoder: Encoder,
    judge_encoder: Encoder,
    contents: Sequence[Image.Image],
    styles: Sequence[Image.Image],
    options: GatysOptions,
) -> Iterator[Verdict]:
    """Paints every content in every style and judges the results, style by style."""
    for style in styles:
        for content in contents:
            began = perf_counter()
            for last in paint(content, style, options, encoder):  # noqa: B007 - the last one counts
                pass
            seconds = perf_counter() - began
            verdict = judge(last.picture(), content, style, judge_encoder)
            yield Verdict(
                style_errors=verdict.style_errors,
                content_error=verdict.content_error,
                seconds=seconds,
                picture=verdict.picture,
            )


def summarize(verdicts: Sequence[Verdict]) -> str:
    """One line: the means over all pictures, for comparing editions."""
    count = len(verdicts)
    layers = {k: sum(v.style_errors[k] for v in verdicts) / count for k in STYLE_LAYERS}
    return (
        f"{count} pictures: style error {sum(v.style_error for v in verdicts) / count:.4f} "
        f"({', '.join(f'{k} {e:.3f}' for k, e in layers.items())}), "
        f"content error {sum(v.content_error for v in verdicts) / count:.3f}, "
        f"{sum(v.seconds for v in verdicts) / count:.1f} s each"
    )


def contact_sheet(
    rows: Sequence[Sequence[Image.Image]], captions: Sequence[Sequence[str]], cell: int = 256
) -> Image.Image:
    """A labelled grid of pictures, each fitted into a square of ``cell`` pixels."""
    sheet = Image.new("RGB", (cell * max(map(len, rows)), (cell + 16) * len(rows)), "white")
    draw = ImageDraw.Draw(sheet)
    for y, (row, texts) in enumerate(zip(rows, captions, strict=True)):
        for x, (picture, text) in enumerate(zip(row, texts, strict=True)):
            small = picture.copy()
            small.thumbnail((cell - 4, cell - 4), Image.Resampling.LANCZOS)
            sheet.paste(small, (x * cell + 2, y * (cell + 16) + 2))
            draw.text((x * cell + 4, y * (cell + 16) + cell), text, fill="black")
    return sheet
