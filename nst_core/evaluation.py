"""How good encoders and fast styles are: their pictures, seen by another network that was not optimised against."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from statistics import geometric_mean
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from nst_core.color import match_color
from nst_core.encoders import Encoder
from nst_core.fast import paint_fast
from nst_core.fast_models import FastModels
from nst_core.files import replaced
from nst_core.gatys import Subject, paint
from nst_core.image import to_picture, to_tensor
from nst_core.losses import content_loss, gram_matrix, style_loss
from nst_core.options import FastOptions, GatysOptions, output_size, style_long_side
from nst_core.similarity import structural_similarity
from nst_core.style_training import Painting

if TYPE_CHECKING:
    from hashlib import _Hash

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
        content, style: the names of its photograph and its painting or trained style.
        seconds: engine time that it took.
    """

    content: str
    style: str
    picture: Image.Image
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Judged(Painted):
    """One picture of an evaluation, and what the judge sees in it."""

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


def evaluate(
    encoder: Encoder,
    judge_encoder: Encoder,
    contents: Mapping[str, Image.Image],
    styles: Mapping[str, Image.Image],
    options: GatysOptions,
    folder: Path,
) -> Iterator[Judged]:
    """Paints every content in every style with the iterative engine, style by style, and judges the results.

    The pictures stay in ``folder``; one that is already there, made of the same images with the same encoder and
    options, is not painted again.
    """

    def picture(content: Image.Image, style: Image.Image) -> Image.Image:
        for last in paint(Subject(content=content, styles=[style]), options, encoder):  # noqa: B007 - the last one counts
            pass
        return last.picture()

    engine = _digest(options, encoder.state_dict(), encoder.pooling)
    for style_name, style in styles.items():
        for content_name, content in contents.items():
            made, seconds = _kept(
                folder / f"{style_name}--{content_name}.png",
                _key(engine, style, content),
                partial(picture, content, style),
            )
            painted = Painted(content=content_name, style=style_name, picture=made, seconds=seconds)
            yield judged(painted, content, style, judge_encoder)


def paint_styles(
    models: FastModels,
    style_ids: Iterable[str],
    contents: Mapping[str, Image.Image],
    options: FastOptions,
    folder: Path,
) -> Iterator[Painted]:
    """Paints every content in every trained style, style by style; the pictures stay, as those of :func:`evaluate`.

    Raises:
        UnknownStyle: the gallery has none of an id.
        CorruptWeights: a file is missing or damaged.
    """
    for style_id in style_ids:
        style = models.get(style_id)
        engine = _digest(
            options, {**style.network.state_dict(), "style": style.vectors}, f"{style.sizes}, {style.grain}"
        )
        for content_name, content in contents.items():
            picture, seconds = _kept(
                folder / f"{style_id}--{content_name}.png",
                _key(engine, content),
                partial(paint_fast, content, [style], options),
            )
            yield Painted(content=content_name, style=style_id, picture=picture, seconds=seconds)


def paint_again(
    pictures: Iterable[Painted],
    encoder: Encoder,
    judge_encoder: Encoder,
    contents: Mapping[str, Image.Image],
    paintings: Mapping[str, Painting],
    options: GatysOptions,
    folder: Path,
) -> Iterator[Judged]:
    """The pairs of trained styles' pictures by the iterative engine, which they are held against; as :func:`evaluate`.

    Args:
        paintings: what each style was trained on, by its id.
    """
    for one in pictures:
        content = contents[one.content]
        target = style_target(paintings[one.style], content)
        yield from evaluate(encoder, judge_encoder, {one.content: content}, {one.style: target}, options, folder)


def judged(painted: Painted, content: Image.Image, style: Image.Image, judge_encoder: Encoder) -> Judged:
    """A picture with what ``judge_encoder`` sees in it; see :func:`judge`."""
    return Judged(**vars(painted), verdict=judge(painted.picture, content, style, judge_encoder))


def style_target(painting: Painting, content: Image.Image) -> Image.Image:
    """What a style aims at with this content: its painting, recoloured as in the training when it keeps colours.

    A picture, not a tensor, so that the iterative engine can be given the same; colours outside [0, 1] are cut off.
    """
    if not painting.keep_color:
        return painting.picture
    return to_picture(match_color(to_tensor(painting.picture), to_tensor(content)))


def style_error_ratio(pictures: Sequence[Judged], references: Sequence[Judged]) -> float:
    """The geometric mean of style errors over those of the references, picture by picture; at least one."""
    return geometric_mean(
        p.verdict.style_error / r.verdict.style_error for p, r in zip(pictures, references, strict=True)
    )


def _digest(options: GatysOptions | FastOptions, tensors: Mapping[str, Tensor], more: str = "") -> "_Hash":
    """Of what an engine paints with."""
    digest = sha256(json.dumps(asdict(options)).encode() + more.encode())
    for name, tensor in tensors.items():
        digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest


def _key(engine: "_Hash", *pictures: Image.Image) -> str:
    """Tells pictures apart by what made them and of what."""
    key = engine.copy()
    for picture in pictures:
        key.update(picture.tobytes())
    return key.hexdigest()


def _kept(path: Path, key: str, make: Callable[[], Image.Image]) -> tuple[Image.Image, float]:
    """The picture at ``path`` if it is of this key, else made and kept there; and the seconds that it took."""
    found = _read(path, key)
    if found is None:
        began = perf_counter()
        found = make(), perf_counter() - began
        _write(path, *found, key)
    return found


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
    def of(cls, painted: Sequence[Judged]) -> "Summary":
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
