"""Training of fast styles: the transformer network learns to minimise the losses of the iterative engine.

After Johnson et al. 2016, many styles at once (Dumoulin et al. 2017): every step takes one photograph and one style.
With the trunk frozen, a new style is its vector alone.  Colour-preserving styles (an idea of the course project
CSE599, 2019) are trained towards the painting in the colours of the photograph at hand.
"""

import json
import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Any, BinaryIO

import torch
from PIL import Image
from safetensors.torch import save
from torch import Tensor, nn

from nst_core.color import match_color
from nst_core.dataset import TrainingImages
from nst_core.device import autocast, choose_precision
from nst_core.encoders import Encoder
from nst_core.errors import CorruptWeights, TrainingFailed
from nst_core.fast_models import load_trunk, read_style
from nst_core.files import load_checkpoint, replaced, save_checkpoint
from nst_core.gallery import MANIFEST, SAMPLE, TRUNK, Gallery, Style
from nst_core.grain import with_grain
from nst_core.image import to_picture, to_tensor
from nst_core.losses import content_loss, gram_matrix, range_penalty, style_loss, total_variation
from nst_core.options import DEFAULT_STYLE_SIZE, StyleTrainingOptions, output_size, style_long_side
from nst_core.transformer import TransformerNetwork, vector_of

logger = logging.getLogger(__name__)

#: Long side of the thumbnails, in pixels.
THUMBNAIL = 256

#: How large or small the crops show the photographs, for strokes as in a painting of DEFAULT_STYLE_SIZE.  Those of data
#: sets are small, and what is painted later is not: enlarged crops teach the network what to do with large plain areas.
#: Larger strokes are for larger pictures, whose crops may be enlarged as much more.
SCALES = (0.5, 1.6)

#: The grain of each step is that of another place, up to so many pixels from the field's corner in each direction.
GRAIN_PLACES = 100_000


@dataclass(frozen=True, kw_only=True)
class Painting:
    """A painting to learn.

    Attributes:
        picture: RGB.
        keep_color: learn its strokes, and keep the colours of the photographs.
    """

    picture: Image.Image
    keep_color: bool = False


@dataclass(frozen=True, kw_only=True)
class StyleTrainingStep:
    """What one step of the training gave.

    Attributes:
        fraction: of the training, in (0, 1]; the last step has 1.
        losses: ``total``, ``content``, ``style`` and ``tv`` of this step's photograph and style.
    """

    step: int
    fraction: float
    style: str
    losses: dict[str, float]


class StyleTraining:
    """One training run, resumable at any step.

    Args:
        encoder: the loss network.
        photographs: image files, or RGB pictures.
        paintings: by the ids of their styles.
        device: where to train.

    Raises:
        TrainingFailed: no images.
    """

    def __init__(
        self,
        encoder: Encoder,
        photographs: Iterable[Path | Image.Image],
        paintings: Mapping[str, Painting],
        options: StyleTrainingOptions,
        device: torch.device,
    ) -> None:
        self.options, self.device = options, device
        self.precision = choose_precision("auto", device)
        self.encoder = encoder.to(device).eval().requires_grad_(False)
        self.encoder.pooling = options.pooling
        self.photographs = TrainingImages(photographs, options.crop, scales=SCALES)
        self.paintings = {
            (name, size): self._painting(painting, size)
            for name, painting in paintings.items()
            for size in options.style_size
        }
        self.keep_color = {name for name, painting in paintings.items() if painting.keep_color}
        with torch.no_grad():
            self.targets = {key: self._style_targets(image) for key, image in self.paintings.items()}
        torch.manual_seed(options.seed)
        self.generator = torch.Generator().manual_seed(options.seed)
        network = TransformerNetwork()
        self._use(network, dict.fromkeys(paintings, [network.neutral_style()] * len(options.style_size)))
        self.step = 0
        self.seconds = 0.0

    def _painting(self, painting: Painting, style_size: int) -> Tensor:
        long_side = style_long_side(*painting.picture.size, style_size)
        size = output_size(*painting.picture.size, long_side)
        return to_tensor(painting.picture, size).to(self.device)

    def _style_targets(self, image: Tensor) -> dict[str, Tensor]:
        with autocast(self.device, self.precision):
            features = self.encoder(image, self.options.style_layers)
        return {layer: gram_matrix(features[layer]) for layer in self.options.style_layers}

    def _use(self, network: TransformerNetwork, styles: Mapping[str, Sequence[Tensor]]) -> None:
        """Begins anew from these weights and, for each style, one vector (2, C) for each size of its strokes."""
        learns = not self.options.freeze_trunk
        # A frozen trunk runs as it does outside of trainings.
        memory_format = torch.contiguous_format if learns else torch.channels_last
        self.network = network.train(learns).requires_grad_(learns)
        self.network.to(self.device, memory_format=memory_format)  # type: ignore[call-overload]
        # A parameter each, so that the optimiser leaves the vectors alone whose turn it is not; sorted, because the
        # optimiser's state knows them by their places.
        self.styles = {
            name: [nn.Parameter(vector.clone().to(self.device)) for vector in styles[name]] for name in sorted(styles)
        }
        vectors = list(chain.from_iterable(self.styles.values()))
        self.optimizer = torch.optim.Adam([{"params": vectors, "speed": self.options.style_speed}])
        if learns:
            self.optimizer.add_param_group({"params": list(self.network.parameters()), "speed": 1.0})

    def initialize(self, gallery: Gallery) -> None:
        """Starts from what a gallery has learned; comes before the first step.

        With a trunk, from that and from its styles: each from its own, a new one from the mean of all.  A gallery whose
        styles have networks of their own can start one style: from its own, or from the one that comes closest to it.
        An empty gallery leaves it with random weights.

        Raises:
            CorruptWeights: the trunk, or the start of a style that is trained, cannot be read; others are left out.
            TrainingFailed: the gallery is not of that kind.
        """
        known: dict[str, tuple[TransformerNetwork | None, list[Tensor]]] = {}
        for style_id in gallery.styles:
            try:
                known[style_id] = self._start(gallery, style_id)
            except CorruptWeights as error:
                if style_id in self.styles:
                    raise
                logger.warning("no start from the style %s: %s", style_id, error)
        shared = {name: vectors for name, (network, vectors) in known.items() if network is None}
        if gallery.trunk_file.exists():
            trunk = load_trunk(gallery)
            mean = [trunk.neutral_style()] * len(self.options.style_size)
            if shared:
                mean = [torch.stack(vectors).mean(0) for vectors in zip(*shared.values(), strict=True)]
            self._use(trunk, {name: shared.get(name, mean) for name in self.styles})
        elif len(self.styles) == 1 and not self.options.freeze_trunk:
            (name,) = self.styles
            own = {style_id: (network, vectors) for style_id, (network, vectors) in known.items() if network}
            if own:
                network, vectors = own[name] if name in own else self._closest(own.values(), name)
                self._use(network, {name: vectors})
        else:
            raise TrainingFailed(
                f"{gallery.folder} has no trunk from which several styles, or one without it, can start"
            )

    def _start(self, gallery: Gallery, style_id: str) -> tuple[TransformerNetwork | None, list[Tensor]]:
        """The network of a style, if it has one of its own, and its vectors for the strokes that are to be learned.

        Raises:
            CorruptWeights: it cannot be read.
        """
        style = read_style(gallery, style_id)
        sizes = gallery[style_id].style_sizes
        return style.network, [vector_of(style.vectors, sizes, size) for size in self.options.style_size]

    @torch.no_grad()
    def _closest(
        self, candidates: Iterable[tuple[TransformerNetwork, list[Tensor]]], name: str
    ) -> tuple[TransformerNetwork, list[Tensor]]:
        """The network and vectors that paint one crop of a photograph with the smallest loss in this style."""
        image = self.photographs.draw(1, torch.Generator().manual_seed(self.options.seed)).to(self.device)

        def loss(candidate: tuple[TransformerNetwork, list[Tensor]]) -> float:
            self._use(candidate[0], {name: candidate[1]})
            return float(self.losses(image, name)["total"])

        return min(candidates, key=loss)

    def losses(self, images: Tensor, style: str, turn: int = 0, place: tuple[int, int] = (0, 0)) -> dict[str, Tensor]:
        """Scalars ``total``, ``content``, ``style`` and ``tv`` of painting (N, 3, H, W) photographs.

        Args:
            turn: which of the sizes of strokes; the smallest is the first.
            place: from where in its field the grain comes, in pixels from the top and left.
        """
        options = self.options
        key = style, options.style_size[turn]
        layers = (*options.style_layers, *options.content_layers)
        with autocast(self.device, self.precision):
            painted = self.network(self._grainy(images, place), self.styles[style][turn]).float()
            features = self.encoder(painted, layers)
            with torch.no_grad():
                kept = self.encoder(images, options.content_layers)
        own = targets = self.targets[key]
        if style in self.keep_color:
            with torch.no_grad():
                recolored = [match_color(self.paintings[key], image) for image in torch.split(images, 1)]
                targets = self._style_targets(torch.cat(recolored))
        content = torch.stack([content_loss(features[k], kept[k]) for k in options.content_layers]).mean()
        # Relative to the painting in its own colours: a photograph of few colours leaves almost no energy in the other
        # target, and the loss of that one step would drown all others.
        style_terms = [style_loss(gram_matrix(features[k]), targets[k], own[k]) for k in options.style_layers]
        terms = {
            "content": content,
            "style": torch.stack(style_terms).mean(),
            "tv": total_variation(painted),
        }
        total = (
            options.content_weight * terms["content"]
            + options.style_weight * terms["style"]
            + options.tv_weight * terms["tv"]
            + options.range_weight * range_penalty(painted)
        )
        return {"total": total, **terms}

    def _grainy(self, images: Tensor, place: tuple[int, int] = (0, 0)) -> Tensor:
        """Photographs (N, 3, H, W) as the network sees them."""
        top, left = place
        return with_grain(images, self.options.grain, top=top, left=left)

    @property
    def fraction(self) -> float:
        """How much of the training is done, in [0, 1]."""
        limit = self.options.minutes
        return min(1.0, max(self.step / self.options.steps, self.seconds / (60 * limit) if limit else 0.0))

    def run(self) -> Iterator[StyleTrainingStep]:
        """Trains to the end, one step per item; the styles and the sizes of their strokes take turns in random order.

        Raises:
            TrainingFailed: the loss is no longer finite.
        """
        while self.fraction < 1:
            began = perf_counter()
            style, turn = self._style_of_turn()
            for group in self.optimizer.param_groups:
                cosine = (1 + math.cos(math.pi * self.fraction)) / 2
                group["lr"] = self.options.learning_rate * group["speed"] * cosine
            smallest, largest = SCALES
            scales = smallest, largest * max(1.0, self.options.style_size[turn] / DEFAULT_STYLE_SIZE)
            images = self.photographs.draw(self.options.batch, self.generator, scales).to(self.device)
            self.optimizer.zero_grad(set_to_none=True)
            losses = self.losses(images, style, turn, self._place())
            values = {name: value.item() for name, value in losses.items()}
            if not math.isfinite(values["total"]):
                raise TrainingFailed(f"the loss is {values['total']} at step {self.step}; try a lower learning rate")
            losses["total"].backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            self.step += 1
            self.seconds += perf_counter() - began
            yield StyleTrainingStep(step=self.step, fraction=self.fraction, style=style, losses=values)

    def _place(self) -> tuple[int, int]:
        """A random place in the field of the grain."""
        top, left = torch.randint(GRAIN_PLACES, (2,), generator=self.generator).tolist()
        return top, left

    def _style_of_turn(self) -> tuple[str, int]:
        """Each style comes once in a round for each size, in an order that a resumed training knows again."""
        turns = [(name, turn) for name, vectors in self.styles.items() for turn in range(len(vectors))]
        round_, place = divmod(self.step, len(turns))
        order = torch.randperm(len(turns), generator=torch.Generator().manual_seed(self.options.seed + round_))
        return turns[int(order[place])]

    @torch.no_grad()
    def painted(self, picture: Image.Image, style: str) -> Image.Image:
        """A picture painted with the network as it is now, in strokes for its size."""
        vector = vector_of(torch.stack(list(self.styles[style])), self.options.style_size, max(picture.size))
        painted: Tensor = self.network(self._grainy(to_tensor(picture).to(self.device)), vector)
        return to_picture(painted.clamp(0, 1))

    def save_gallery(self, folder: Path, sample: Image.Image) -> None:
        """The styles, with a manifest and thumbnails of a sample: a folder for ``Gallery``.

        Styles that were trained together share a trunk; one that was trained alone has its network with it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if len(self.styles) > 1 or self.options.freeze_trunk:
            _write(save(self._network_weights()), folder / TRUNK)
        else:
            (folder / TRUNK).unlink(missing_ok=True)
        sample.save(folder / SAMPLE, quality=90)
        entries = []
        for name in self.styles:
            style, weights, painted = self.trained(name, sample)
            _write(weights, folder / f"{name}.safetensors")
            thumbnail(painted).save(folder / f"{name}.jpg", quality=85)
            entries.append(asdict(style))
        _write((json.dumps({"styles": entries}, indent=1) + "\n").encode(), folder / MANIFEST)

    def trained(self, name: str, sample: Image.Image) -> tuple[Style, bytes, Image.Image]:
        """A style as it is now: what a gallery tells of it, its weights in fp16, and a sample painted in it.

        Raises:
            TrainingFailed: the last step ended in values that are not finite.
        """
        tensors = {"style": torch.stack(list(self.styles[name])).detach().half().cpu()}
        if len(self.styles) == 1 and not self.options.freeze_trunk:
            tensors |= self._network_weights()
        weights = save(tensors)
        training = {
            "encoder": self.encoder.name,
            "step": self.step,
            "styles_at_once": len(self.styles),
            "photographs": len(self.photographs),
            **asdict(self.options),
        }
        losses = {key: round(value, 4) for key, value in self.measure(sample, name).items()}
        if not all(map(math.isfinite, losses.values())):
            raise TrainingFailed(f"the style {name} paints values that are not finite; try a lower learning rate")
        style = Style(
            id=name,
            title=name,
            keeps_color=name in self.keep_color,
            training=training,
            losses=losses,
            weights_sha256=sha256(weights).hexdigest(),
        )
        return style, weights, self.painted(sample, name)

    def _network_weights(self) -> dict[str, Tensor]:
        return {k: v.detach().half().contiguous().cpu() for k, v in self.network.state_dict().items()}

    @torch.no_grad()
    def measure(self, picture: Image.Image, style: str) -> dict[str, float]:
        """The losses ``content`` and ``style`` of a picture painted in a style."""
        losses = self.losses(to_tensor(picture).to(self.device), style)
        return {name: float(losses[name]) for name in ("content", "style")}

    def save_checkpoint(self, file: Path | BinaryIO) -> None:
        """Everything that a later :meth:`resume` needs; a path is replaced atomically."""
        save_checkpoint(self._state(), file)

    def _state(self) -> dict[str, Any]:
        return {
            "options": asdict(self.options),
            "made_of": self._made_of(),
            "styles": {name: [vector.detach() for vector in vectors] for name, vectors in self.styles.items()},
            "network": {} if self.options.freeze_trunk else self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "step": self.step,
            "seconds": self.seconds,
        }

    def _made_of(self) -> dict[str, str]:
        """The loss network, every painting by its digest, and a frozen trunk by its own."""
        paintings = {f"{name}, {size}": _digest(image) for (name, size), image in self.paintings.items()}
        trunk = {"": _digest(*self.network.parameters())} if self.options.freeze_trunk else {}
        return {"encoder": self.encoder.name, **paintings, **trunk}

    def resume(self, file: Path | BinaryIO) -> None:
        """Goes on from a checkpoint of the same options and styles.

        With a frozen trunk, :meth:`initialize` comes first.

        Raises:
            CorruptCheckpoint: it cannot be read.
            TrainingFailed: it belongs to another training; this one may be spoilt then.
        """
        state = load_checkpoint(file, self.device)
        try:
            if state["options"] != asdict(self.options) or state["made_of"] != self._made_of():
                raise TrainingFailed("the checkpoint belongs to a training with other options, paintings or trunk")
            for name, vectors in self.styles.items():
                for vector, saved in zip(vectors, state["styles"][name], strict=True):
                    vector.data.copy_(saved)
            if not self.options.freeze_trunk:
                self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.generator.set_state(state["generator"].cpu())
            self.step, self.seconds = state["step"], state["seconds"]
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise TrainingFailed(f"the checkpoint is of another version: {error}") from None


def _digest(*tensors: Tensor) -> str:
    maker = sha256()
    for tensor in tensors:
        maker.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return maker.hexdigest()


def thumbnail(picture: Image.Image) -> Image.Image:
    """A thumbnail of a picture."""
    copy = picture.copy()
    copy.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    return copy


def _write(data: bytes, path: Path) -> None:
    with replaced(path) as partial:
        partial.write_bytes(data)
