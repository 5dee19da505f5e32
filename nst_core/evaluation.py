"""How good an encoder is: the pictures made with it, seen by another network that was not optimised against."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from time import perf_counter

import torch
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from nst_core.encoders import Encoder
from nst_core.files import replaced
from nst_core.gatys import paint
from nst_core.image import to_tensor
from nst_core.losses import content_loss, gram_matrix, style_loss
from nst_core.options import GatysOptions, output_size, style_long_side

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYER = "relu4_2"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the judge sees in one picture.

    Attributes:
        style_errors: per layer, ``||G - T||_F^2 / ||T||_F^2`` of the Gram matrices, 0 or more.
        content_error: relative squared error of relu4_2 against the content's, 0 or more.
        similarity: structural similarity (SSIM; Wang et al. 2004) of the grey picture to the grey content, -1 to 1.
    """

    style_errors: dict[str, float]
    content_error: float
    similarity: float

    @property
    def style_error(self) -> float:
        """The mean over the style layers."""
        return sum(self.style_errors.values()) / len(self.style_errors)


@dataclass(frozen=True, kw_only=True)
class Painted:
    """One picture of an evaluation.

    Attributes:
        content, style: the names of its photograph and painting.
        seconds: engine time that it took.
    """

    content: str
    style: str
    picture: Image.Image
    seconds: float
    verdict: Verdict


@torch.no_grad()
def judge(picture: Image.Image, content: Image.Image, style: Image.Image, judge_encoder: Encoder) -> Verdict:
    """What ``judge_encoder`` sees in a picture; content and style are scaled to its long side, as for painting."""
    device = next(judge_encoder.parameters()).device
    size = picture.size
    style_size = output_size(*style.size, style_long_side(*style.size, max(size)))
    image, original = to_tensor(picture).to(device), to_tensor(content, size).to(device)
    made = judge_encoder(image, (*STYLE_LAYERS, CONTENT_LAYER))
    wanted = judge_encoder(to_tensor(style, style_size).to(device), STYLE_LAYERS)
    kept = judge_encoder(original, (CONTENT_LAYER,))
    return Verdict(
        style_errors={k: float(style_loss(gram_matrix(made[k]), gram_matrix(wanted[k]))) for k in STYLE_LAYERS},
        content_error=float(content_loss(made[CONTENT_LAYER], kept[CONTENT_LAYER])),
        similarity=structural_similarity(image, original),
    )


def structural_similarity(image: Tensor, other: Tensor) -> float:
    """SSIM of two RGB images (1, 3, H, W) in [0, 1], turned to grey: 1 for the same image.

    Wang et al. 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity".
    """
    # Imported here: of what needs this module, only this function needs torchmetrics.
    from torchmetrics.functional.image import structural_similarity_index_measure

    luma = image.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    grey, other_grey = ((x * luma).sum(1, keepdim=True) for x in (image, other))
    return float(structural_similarity_index_measure(grey, other_grey, data_range=1.0))  # type: ignore[arg-type]


def evaluate(
    encoder: Encoder,
    judge_encoder: Encoder,
    contents: Mapping[str, Image.Image],
    styles: Mapping[str, Image.Image],
    options: GatysOptions,
    folder: Path,
) -> Iterator[Painted]:
    """Paints every content in every style, style by style, and judges the results.

    The pictures stay in ``folder``; one that is already there, made of the same images with the same encoder and
    options, is not painted again.
    """
    maker = sha256(json.dumps(asdict(options)).encode() + encoder.pooling.encode())
    for name, tensor in encoder.state_dict().items():
        maker.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    for style_name, style in styles.items():
        for content_name, content in contents.items():
            path = folder / f"{style_name}--{content_name}.png"
            key = maker.copy()
            key.update(style.tobytes() + content.tobytes())
            if (found := _read(path, key.hexdigest())) is None:
                began = perf_counter()
                for last in paint(content, style, options, encoder):  # noqa: B007 - the last one counts
                    pass
                found = last.picture(), perf_counter() - began
                _write(path, *found, key.hexdigest())
            picture, seconds = found
            yield Painted(
                content=content_name,
                style=style_name,
                picture=picture,
                seconds=seconds,
                verdict=judge(picture, content, style, judge_encoder),
            )


def _write(path: Path, picture: Image.Image, seconds: float, key: str) -> None:
    """Writes a picture that tells what made it and in what time; whole or not at all."""
    info = PngInfo()
    info.add_text("nst-key", key)
    info.add_text("nst-seconds", f"{seconds:.2f}")
    with replaced(path) as partial:
        picture.save(partial, "PNG", pnginfo=info)


def _read(path: Path, key: str) -> tuple[Image.Image, float] | None:
    """The picture and its seconds, if it is there and made in the same way."""
    try:
        with Image.open(path) as file:
            file.load()
            texts: dict[str, str] = getattr(file, "text", {})
            return (file.convert("RGB"), float(texts["nst-seconds"])) if texts.get("nst-key") == key else None
    except (OSError, SyntaxError, KeyError, ValueError):
        return None


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Means over all pictures of an evaluation; see :class:`Verdict` for the terms."""

    pictures: int
    style_errors: dict[str, float]
    style_error: float
    content_error: float
    similarity: float
    seconds: float

    @classmethod
    def of(cls, painted: Sequence[Painted]) -> "Summary":
        """Of at least one picture."""

        def mean(values: Iterable[float]) -> float:
            return sum(values) / len(painted)

        verdicts = [p.verdict for p in painted]
        return cls(
            pictures=len(painted),
            style_errors={k: mean(v.style_errors[k] for v in verdicts) for k in STYLE_LAYERS},
            style_error=mean(v.style_error for v in verdicts),
            content_error=mean(v.content_error for v in verdicts),
            similarity=mean(v.similarity for v in verdicts),
            seconds=mean(p.seconds for p in painted),
        )

    def __str__(self) -> str:
        """One line, for comparing editions."""
        layers = ", ".join(f"{k} {e:.3f}" for k, e in self.style_errors.items())
        return (
            f"{self.pictures} pictures: style error {self.style_error:.4f} ({layers}), content error "
            f"{self.content_error:.3f}, SSIM to the content {self.similarity:.3f}, {self.seconds:.1f} s each"
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
