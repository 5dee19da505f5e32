"""Training of the compact encoder: a narrow student learns a teacher's activations (knowledge distillation).

The student sees photographs, paintings, noisy and recoloured ones and, unlike in the usual recipe, *iterates of style
transfer done with itself*: an image optimised against a network finds whatever that network gets wrong, so these are
the inputs on which student and teacher must agree most.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from nst_core.dataset import TrainingImages, find_images, jitter
from nst_core.device import autocast, choose_precision
from nst_core.encoders import Compact, Encoder, read_safetensors
from nst_core.errors import TrainingFailed
from nst_core.evaluation import CONTENT_LAYER, STYLE_LAYERS
from nst_core.files import load_checkpoint, replaced, save_checkpoint
from nst_core.losses import gram_matrix, style_loss

#: Heads that are needed for training only.  At full and half resolution the wide maps would take most of the time of an
#: iteration, and with the narrow trunk's own Gram matrices the pictures are as good: see docs/compact-encoder.md.
SCAFFOLD = ("heads.1_", "heads.2_")

#: What the layers' errors count: those that style transfer uses by default, the content's twice, the others little.
WEIGHTS = dict.fromkeys(STYLE_LAYERS, 1.0) | {CONTENT_LAYER: 2.0}


#: Half of the channels of these wide maps, those with the most energy, give the same pictures in less
#: time: see docs/compact-encoder.md.
HALVED = ("relu3_1", "relu4_1", "relu5_1")


@dataclass(frozen=True, kw_only=True)
class DistillationOptions:
    """How the compact encoder is trained.

    Attributes:
        steps: updates in all; the learning rate follows one cosine cycle over them.
        batch: fresh crops per step.
        iterates: images of the pool that join each batch (0: none).
        crop: side of the crops, in pixels.
        gram_weight: weight of the relative Gram error of the style layers.
        paintings: share of a batch's crops that come from the paintings.
        seed: of crops, augmentation and the initial weights.
    """

    steps: int = 20_000
    batch: int = 8
    iterates: int = 2
    crop: int = 128
    learning_rate: float = 3e-3
    gram_weight: float = 0.3
    paintings: float = 0.35
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class DistillationStep:
    """What one step of the training gave."""

    step: int
    total_steps: int
    loss: float
    validation: dict[str, float] | None = None


#: Photographs of the validation, at most.
VALIDATION = 20

#: Images of the pool of iterates.
POOL = 24


class IteratePool:
    """Images on their way from a photograph to a painting's style, seen through the student.

    Every call of :meth:`advance` takes a few of them one Adam step further and hands them out; after ``lifetime``
    steps an image starts anew from another crop.
    """

    def __init__(self, count: int, crop: int, lifetime: int = 60, learning_rate: float = 0.03) -> None:
        self.images = torch.zeros(count, 3, crop, crop)
        self.mean, self.square = torch.zeros_like(self.images), torch.zeros_like(self.images)
        self.styles = torch.zeros_like(self.images)
        # Staggered, so that the images do not all start anew at once.
        self.ages = torch.arange(count) * lifetime // max(count, 1)
        self.filled = torch.zeros(count, dtype=torch.bool)
        self.lifetime, self.learning_rate = lifetime, learning_rate

    def advance(
        self,
        student: Compact,
        count: int,
        photographs: TrainingImages,
        paintings: TrainingImages,
        generator: torch.Generator,
    ) -> Tensor:
        """(count, 3, crop, crop) images, each one step closer to its painting as the student sees it."""
        chosen = torch.randperm(len(self.images), generator=generator)[:count]
        for i in chosen.tolist():
            if not self.filled[i] or self.ages[i] >= self.lifetime:
                self._restart(i, photographs, paintings, generator)
        images = self.images[chosen].requires_grad_(True)
        device = next(student.parameters()).device
        with autocast(device, choose_precision("auto", device)):
            with torch.no_grad():
                targets = student(self.styles[chosen].to(device), STYLE_LAYERS)
            features = student(images.to(device), STYLE_LAYERS)
        losses = [style_loss(gram_matrix(features[k]), gram_matrix(targets[k])) for k in STYLE_LAYERS]
        (gradient,) = torch.autograd.grad(torch.stack(losses).mean(), images)
        age = self.ages[chosen].float().view(-1, 1, 1, 1) + 1
        self.mean[chosen] = 0.9 * self.mean[chosen] + 0.1 * gradient
        self.square[chosen] = 0.99 * self.square[chosen] + 0.01 * gradient.pow(2)
        unbiased = self.mean[chosen] / (1 - 0.9**age)
        scale = (self.square[chosen] / (1 - 0.99**age)).sqrt() + 1e-12
        self.images[chosen] = (images.detach() - self.learning_rate * unbiased / scale).clamp(0, 1)
        self.ages[chosen] += 1
        return self.images[chosen]

    def _restart(
        self, i: int, photographs: TrainingImages, paintings: TrainingImages, generator: torch.Generator
    ) -> None:
        self.images[i] = photographs.draw(1, generator)[0]
        self.styles[i] = paintings.draw(1, generator)[0]
        self.mean[i], self.square[i] = 0, 0
        self.ages[i] = 0 if self.filled[i] else self.ages[i]
        self.filled[i] = True


class Distillation:
    """One training run, resumable at any step.

    Args:
        teacher: its activations are the targets; an encoder with the layers conv1_1..conv5_1.
        photographs, paintings: folders of images.
        device: where to train.

    Raises:
        TrainingFailed: no images.
    """

    def __init__(
        self, teacher: Encoder, photographs: Path, paintings: Path, options: DistillationOptions, device: torch.device
    ) -> None:
        self.options, self.device = options, device
        self.precision = choose_precision("auto", device)
        self.teacher = teacher.to(device).eval().requires_grad_(False)
        photos = find_images(photographs)
        # Every 25th photograph is kept for validation.
        self.photographs = TrainingImages([p for i, p in enumerate(photos) if i % 25], options.crop)
        self.validation_set = TrainingImages(photos[::25][:VALIDATION], 256, scales=(0.8, 0.8))
        self.paintings = TrainingImages(find_images(paintings), options.crop, long_side=900)
        torch.manual_seed(options.seed)
        self.generator = torch.Generator().manual_seed(options.seed)
        self.layers = tuple(f"relu{n}" for n in teacher.names if n <= "5_1")
        with torch.no_grad():
            sample = self.teacher(self.photographs.draw(16, self.generator).to(device), self.layers)
        self.scales = {k: self._channel_scale(v) for k, v in sample.items()}
        #: The teacher's channels that the student learns, by layer.
        self.channels = {k: self._channels(v, halved=k in HALVED) for k, v in self.scales.items()}
        student = Compact({k[4:]: len(channels) for k, channels in self.channels.items()})
        self.student = student.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = torch.optim.swa_utils.AveragedModel(
            self.student,
            multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.999),  # type: ignore[no-untyped-call]
        )
        self.optimizer = torch.optim.AdamW(
            self.student.parameters(), lr=options.learning_rate, weight_decay=1e-4, betas=(0.9, 0.98)
        )
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, options.learning_rate, total_steps=options.steps + 1, pct_start=0.05
        )
        self.pool = IteratePool(POOL, options.crop)
        self.step = 0

    @staticmethod
    def _channels(scale: Tensor, *, halved: bool) -> Tensor:
        """Indices of all channels, or of the half with the most energy."""
        return scale.topk(len(scale) // 2 if halved else len(scale)).indices.sort().values

    def _targets(self, images: Tensor, layers: Sequence[str], *, thin: int = 1) -> dict[str, Tensor]:
        """What the student should show."""
        with torch.no_grad():
            return {k: v[:, self.channels[k]] for k, v in self.teacher(images, layers, thin=thin).items()}

    @staticmethod
    def _channel_scale(features: Tensor) -> Tensor:
        """Root mean square of each channel plus a tenth of the layer's: without it, a few channels carry all of
        the error of the deep layers and the others are never learnt."""
        square = features.float().pow(2)
        return (square.mean((0, 2, 3)).sqrt() + 0.1 * square.mean().sqrt()).clamp_min(1e-6)

    def initialize(self, path: Path) -> None:
        """Starts from the weights of a file instead of random ones.

        The file's network may be narrower: further channels start with random weights towards them and none from them,
        so that the function stays the same (after Chen et al. 2016, "Net2Net").  Heads that it lacks are fitted first.
        The channels to learn are those that the file names; heads of a file that names none know all of them.

        Raises:
            CorruptWeights: it cannot be read.
            TrainingFailed: it does not hold a part of this training's network.
        """
        given = read_safetensors(path)
        with safe_open(path, framework="pt") as file:
            chosen = json.loads((file.metadata() or {}).get("channels", "{}"))
        self.channels |= {k: torch.tensor(indices, device=self.device) for k, indices in chosen.items()}
        state = self.student.state_dict()
        for name, value in given.items():
            layer = f"relu{name.split('.')[1]}"
            if name.startswith("heads.") and layer in HALVED and layer not in chosen:
                if len(value) != len(self.scales[layer]):
                    raise TrainingFailed(f"{path.name} does not say which of the teacher's channels it knows")
                value = value[self.channels[layer].cpu()]
            fits = name in state and value.ndim == state[name].ndim
            if not fits or any(a > b for a, b in zip(value.shape, state[name].shape, strict=True)):
                raise TrainingFailed(f"{path.name} does not hold a part of this network: {name}")
            overlap = tuple(slice(length) for length in value.shape)
            if value.ndim == 4:
                state[name][:, value.shape[1] :] = 0
            state[name][overlap] = value.float()
        missing = state.keys() - given.keys()
        if needed := sorted(name for name in missing if not name.startswith(SCAFFOLD)):
            raise TrainingFailed(f"{path.name} lacks {needed[0]}")
        if missing:
            self._fit_heads(sorted({name.split(".")[1] for name in missing}))
        self.average.module.load_state_dict(self.student.state_dict())

    def _fit_heads(self, names: list[str], steps: int = 400) -> None:
        """Trains these heads only: random ones would send gradients into the trunk that undo what it has learnt."""
        layers = tuple(f"relu{name}" for name in names)
        optimizer = torch.optim.Adam([p for n in names for p in self.student.heads[n].parameters()], lr=1e-2)
        for _ in range(steps):
            images = self.photographs.draw(self.options.batch, self.generator).to(self.device)
            with autocast(self.device, self.precision):
                targets = self._targets(images, layers, thin=2)
                features = self.student(images, layers, thin=2)
            loss = torch.stack([self._distance(features[k], targets[k], k) for k in layers]).sum()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    def _batch(self) -> Tensor:
        painted = round(self.options.batch * self.options.paintings)
        crops = [
            self.photographs.draw(self.options.batch - painted, self.generator),
            self.paintings.draw(painted, self.generator),
        ]
        images = jitter(torch.cat(crops), self.generator)
        if self.options.iterates:
            pool = self.pool.advance(
                self.student, self.options.iterates, self.photographs, self.paintings, self.generator
            )
            images = torch.cat([images, pool])
        return images.to(self.device)

    def _distance(self, features: Tensor, targets: Tensor, layer: str) -> Tensor:
        # Full maps stay in the encoder's precision; only the sums over them, one per channel, become float32.
        square = (features - targets).square().mean((0, 2, 3)).float()
        return (square / self.scales[layer][self.channels[layer]].square()).mean()

    def loss(self, images: Tensor) -> Tensor:
        """The distance of student and teacher on images (N, 3, H, W): a scalar."""
        with autocast(self.device, self.precision):
            targets = self._targets(images, self.layers, thin=2)
            features = self.student(images, self.layers, thin=2)
        terms = []
        for layer in self.layers:
            terms.append(self._distance(features[layer], targets[layer], layer) * WEIGHTS.get(layer, 0.2))
            if layer in STYLE_LAYERS:
                gram = style_loss(gram_matrix(features[layer]), gram_matrix(targets[layer]))
                terms.append(self.options.gram_weight * gram)
        return torch.stack(terms).sum()

    def run(self, *, validate_every: int = 500) -> Iterator[DistillationStep]:
        """Trains to the end, one step per item.

        Raises:
            TrainingFailed: the loss is no longer finite.
        """
        while self.step < self.options.steps:
            self.student.train()
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.loss(self._batch())
            value = loss.item()
            if not math.isfinite(value):
                raise TrainingFailed(f"the loss is {value} at step {self.step}; try a lower learning rate")
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
            self.optimizer.step()
            self.scheduler.step()
            self.average.update_parameters(self.student)
            self.step += 1
            due = self.step % validate_every == 0 or self.step == self.options.steps
            yield DistillationStep(
                step=self.step,
                total_steps=self.options.steps,
                loss=value,
                validation=self.validate() if due else None,
            )

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Relative squared error of each style layer and the content layer on held-out photographs."""
        errors: dict[str, float] = {}
        images = self.validation_set.draw(len(self.validation_set), torch.Generator().manual_seed(1)).to(self.device)
        layers = (*STYLE_LAYERS, CONTENT_LAYER)
        expected, actual = self._targets(images, layers), self.average.module(images, layers)
        for layer in layers:
            difference = (actual[layer] - expected[layer]).pow(2).mean()
            errors[layer] = float(difference / expected[layer].pow(2).mean())
        for layer in STYLE_LAYERS:
            errors[f"gram {layer}"] = float(style_loss(gram_matrix(actual[layer]), gram_matrix(expected[layer])))
        return errors

    def save_weights(self, path: Path) -> None:
        """The averaged weights in fp16 safetensors, ready for :meth:`Compact.from_file`."""
        state = {
            k: v.detach().half().contiguous().cpu()
            for k, v in self.average.module.state_dict().items()
            if not k.startswith(SCAFFOLD)
        }
        chosen = {k: self.channels[k].tolist() for k in HALVED if k in self.channels}
        with replaced(path) as partial:
            save_file(state, partial, metadata={"encoder": "compact", "channels": json.dumps(chosen)})

    def save_checkpoint(self, path: Path) -> None:
        """Everything that a later :meth:`resume` needs, replaced atomically."""
        save_checkpoint(self._state(), path)

    def _state(self) -> dict[str, Any]:
        return {
            "options": asdict(self.options),
            "step": self.step,
            "student": self.student.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "channels": self.channels,
            "scales": self.scales,
            "generator": self.generator.get_state(),
            "pool": {k: v for k, v in vars(self.pool).items() if isinstance(v, Tensor)},
        }

    def resume(self, path: Path) -> None:
        """Goes on from a checkpoint of the same options.

        Raises:
            CorruptCheckpoint: it cannot be read.
            TrainingFailed: it belongs to a training with other options.
        """
        state = load_checkpoint(path, self.device)
        if state["options"] != asdict(self.options):
            raise TrainingFailed(f"the checkpoint {path.name} belongs to a training with other options")
        self.step = state["step"]
        self.student.load_state_dict(state["student"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.channels, self.scales = state["channels"], state["scales"]
        self.generator.set_state(state["generator"].cpu())
        for name, value in state["pool"].items():
            setattr(self.pool, name, value.cpu())
