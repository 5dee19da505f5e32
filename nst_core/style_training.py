"""Training of fast styles: the transformer network learns to minimise the losses of the iterative engine.

After Johnson et al. 2016, many styles at once (Dumoulin et al. 2017): every step takes one photograph and one style.
With the trunk frozen, a new style is its vector alone.  Colour-preserving styles (an idea of the course project
CSE599, 2019) are trained towards the painting in the colours of the photograph at hand.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from nst_core.color import match_color
from nst_core.dataset import ImageFolder, find_images
from nst_core.device import autocast, choose_precision
from nst_core.encoders import Encoder
from nst_core.errors import TrainingFailed
from nst_core.fast_models import read_style
from nst_core.files import load_checkpoint, replaced, save_checkpoint
from nst_core.gallery import MANIFEST, TRUNK, Style
from nst_core.image import to_picture, to_tensor
from nst_core.losses import content_loss, gram_matrix, range_penalty, style_loss, total_variation
from nst_core.options import output_size, style_long_side
from nst_core.transformer import TransformerNetwork

#: Long side of the thumbnails, in pixels.
THUMBNAIL = 256


@dataclass(frozen=True, kw_only=True)
class StyleTrainingOptions:
    """How fast styles are trained.

    Attributes:
        steps: updates in all; the learning rate falls along one cosine over them.
        minutes: when given, the training ends after this time, whatever the steps.
        batch: photographs per step.  The number of updates matters more than the batch.
        crop: side of the photographs' crops, in pixels.
        style_size: long side to which the paintings are scaled: larger means larger strokes.
        content_weight, style_weight, tv_weight: of the losses, which are those of the iterative engine.
        range_weight: of the distance to [0, 1]; the output is linear, as a sigmoid stops learning where it saturates.
        content_layers, style_layers: of the encoder.
        trunk: whether the trunk learns too, or the style vectors alone.
        seed: of crops, order and initial weights.
    """

    steps: int = 20_000
    minutes: float | None = None
    batch: int = 1
    crop: int = 256
    style_size: int = 512
    learning_rate: float = 1e-3
    content_weight: float = 0.15
    style_weight: float = 1.0
    tv_weight: float = 0.05
    range_weight: float = 10.0
    content_layers: tuple[str, ...] = ("relu4_2",)
    style_layers: tuple[str, ...] = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
    trunk: bool = True
    seed: int = 0


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
        photographs: folder of images.
        paintings: by the ids of their styles.
        device: where to train.

    Raises:
        TrainingFailed: no images.
    """

    def __init__(
        self,
        encoder: Encoder,
        photographs: Path,
        paintings: Mapping[str, Painting],
        options: StyleTrainingOptions,
        device: torch.device,
    ) -> None:
        self.options, self.device = options, device
        self.precision = choose_precision("auto", device)
        self.encoder = encoder.to(device).eval().requires_grad_(False)
        self.photographs = ImageFolder(find_images(photographs), options.crop, scales=(0.4, 1.0))
        self.paintings = {name: self._painting(painting) for name, painting in paintings.items()}
        self.keep_color = {name for name, painting in paintings.items() if painting.keep_color}
        with torch.no_grad():
            self.targets = {name: self._style_targets(image) for name, image in self.paintings.items()}
        torch.manual_seed(options.seed)
        self.generator = torch.Generator().manual_seed(options.seed)
        self.network = TransformerNetwork().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.requires_grad_(options.trunk)
        # A parameter each, so that the optimiser leaves the styles alone whose turn it is not; sorted, because the
        # optimiser's state knows them by their places.
        self.styles = {name: nn.Parameter(self.network.neutral_style().to(device)) for name in sorted(paintings)}
        parameters = [*self.styles.values(), *(self.network.parameters() if options.trunk else ())]
        self.optimizer = torch.optim.Adam(parameters, lr=options.learning_rate)
        self.step = 0
        self.seconds = 0.0

    def _painting(self, painting: Painting) -> Tensor:
        long_side = style_long_side(*painting.picture.size, self.options.style_size)
        size = output_size(*painting.picture.size, long_side)
        return to_tensor(painting.picture, size).to(self.device)

    def _style_targets(self, image: Tensor) -> dict[str, Tensor]:
        with autocast(self.device, self.precision):
            features = self.encoder(image, self.options.style_layers)
        return {layer: gram_matrix(features[layer]) for layer in self.options.style_layers}

    def initialize(self, folder: Path) -> None:
        """Starts from the trunk in a folder, and from those of its styles that this training has too.

        Raises:
            CorruptWeights: a file cannot be read or belongs to another network.
            TrainingFailed: the trunk's widths are not those of this training.
        """
        trained = TransformerNetwork.from_file(folder / TRUNK)
        if trained.channels != self.network.channels:
            raise TrainingFailed(f"the trunk in {folder} has other widths")
        self.network.load_state_dict(trained.state_dict())
        for name, style in self.styles.items():
            if (path := folder / f"{name}.safetensors").exists():
                style.data.copy_(read_style(path, self.network))

    def losses(self, images: Tensor, style: str) -> dict[str, Tensor]:
        """Scalars ``total``, ``content``, ``style`` and ``tv`` of painting (N, 3, H, W) photographs."""
        options = self.options
        layers = (*options.style_layers, *options.content_layers)
        with autocast(self.device, self.precision):
            painted = self.network(images, self.styles[style]).float()
            features = self.encoder(painted, layers)
            with torch.no_grad():
                kept = self.encoder(images, options.content_layers)
        targets = self.targets[style]
        if style in self.keep_color:
            with torch.no_grad():
                recolored = [match_color(self.paintings[style], image) for image in torch.split(images, 1)]
                targets = self._style_targets(torch.cat(recolored))
        content = torch.stack([content_loss(features[k], kept[k]) for k in options.content_layers]).mean()
        style_terms = [style_loss(gram_matrix(features[k]), targets[k]) for k in options.style_layers]
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

    @property
    def fraction(self) -> float:
        """How much of the training is done, in [0, 1]."""
        limit = self.options.minutes
        return min(1.0, max(self.step / self.options.steps, self.seconds / (60 * limit) if limit else 0.0))

    def run(self) -> Iterator[StyleTrainingStep]:
        """Trains to the end, one step per item; the styles take turns in random order.

        Raises:
            TrainingFailed: the loss is no longer finite.
        """
        while self.fraction < 1:
            began = perf_counter()
            style = self._style_of_turn()
            for group in self.optimizer.param_groups:
                group["lr"] = self.options.learning_rate * (1 + math.cos(math.pi * self.fraction)) / 2
            images = self.photographs.draw(self.options.batch, self.generator).to(self.device)
            self.optimizer.zero_grad(set_to_none=True)
            losses = self.losses(images, style)
            values = {name: value.item() for name, value in losses.items()}
            if not math.isfinite(values["total"]):
                raise TrainingFailed(f"the loss is {values['total']} at step {self.step}; try a lower learning rate")
            losses["total"].backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            self.step += 1
            self.seconds += perf_counter() - began
            yield StyleTrainingStep(step=self.step, fraction=self.fraction, style=style, losses=values)

    def _style_of_turn(self) -> str:
        """Each style comes once in a round, in an order that a resumed training knows again."""
        names = list(self.styles)
        round_, turn = divmod(self.step, len(names))
        order = torch.randperm(len(names), generator=torch.Generator().manual_seed(self.options.seed + round_))
        return names[int(order[turn])]

    @torch.no_grad()
    def preview(self, picture: Image.Image, style: str) -> Tensor:
        """A picture painted with the network as it is now, (1, 3, H, W) in [0, 1]."""
        painted: Tensor = self.network(to_tensor(picture).to(self.device), self.styles[style])
        return painted.clamp(0, 1)

    def save_gallery(self, folder: Path, sample: Image.Image) -> None:
        """The trunk and the styles, in fp16, with a manifest and thumbnails of a sample: a folder for ``Gallery``."""
        trunk = {k: v.detach().half().contiguous().cpu() for k, v in self.network.state_dict().items()}
        _save(trunk, folder / TRUNK)
        training = {"encoder": self.encoder.name, "step": self.step, "styles_at_once": len(self.styles)}
        training |= asdict(self.options)
        entries = []
        for name, style in self.styles.items():
            _save({"style": style.detach().half().cpu()}, folder / f"{name}.safetensors")
            thumbnail = to_picture(self.preview(sample, name))
            thumbnail.thumbnail((THUMBNAIL, THUMBNAIL))
            thumbnail.save(folder / f"{name}.jpg", quality=85)
            losses = {key: round(value, 4) for key, value in self.measure(sample, name).items()}
            entry = Style(id=name, title=name, keeps_color=name in self.keep_color, training=training, losses=losses)
            entries.append(asdict(entry))
        (folder / MANIFEST).write_text(json.dumps({"styles": entries}, indent=1) + "\n")

    @torch.no_grad()
    def measure(self, picture: Image.Image, style: str) -> dict[str, float]:
        """The losses ``content`` and ``style`` of a picture painted in a style."""
        losses = self.losses(to_tensor(picture).to(self.device), style)
        return {name: float(losses[name]) for name in ("content", "style")}

    def save_checkpoint(self, path: Path) -> None:
        """Everything that a later :meth:`resume` needs, replaced atomically."""
        save_checkpoint(self._state(), path)

    def _state(self) -> dict[str, Any]:
        return {
            "options": asdict(self.options),
            "made_of": self._made_of(),
            "styles": {name: value.detach() for name, value in self.styles.items()},
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "step": self.step,
            "seconds": self.seconds,
        }

    def _made_of(self) -> dict[str, str]:
        """The loss network, and every painting by its digest."""
        paintings = {name: sha256(image.cpu().numpy().tobytes()).hexdigest() for name, image in self.paintings.items()}
        return {"encoder": self.encoder.name, **paintings}

    def resume(self, path: Path) -> None:
        """Goes on from a checkpoint of the same options and styles.

        Raises:
            TrainingFailed: it cannot be read or belongs to another training.
        """
        state = load_checkpoint(path, self.device)
        if state["options"] != asdict(self.options) or state["made_of"] != self._made_of():
            raise TrainingFailed(f"the checkpoint {path.name} belongs to a training with other options or paintings")
        for name, style in self.styles.items():
            style.data.copy_(state["styles"][name])
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"].cpu())
        self.step, self.seconds = state["step"], state["seconds"]


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    with replaced(path) as partial:
        save_file(tensors, partial)
