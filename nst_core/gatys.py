"""Iterative style transfer by optimisation of the image itself.

Gatys, Ecker & Bethge 2016, "Image Style Transfer Using Convolutional Neural Networks".  Where this departs from the
paper: losses are relative to their targets (see :mod:`nst_core.losses`), the start is the content image, and the
optimisation goes through a pyramid of scales (see :mod:`nst_core.pyramid`).
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from nst_core.color import content_colors, painted_colors, style_colors
from nst_core.deep import DeepPicture, Picture
from nst_core.device import choose_precision
from nst_core.encoders import Encoder
from nst_core.errors import Diverged, InvalidOptions
from nst_core.image import noise, resize, to_deep_picture, to_picture, to_tensor
from nst_core.lbfgs import LBFGS
from nst_core.memory import free_bytes, smaller_tile, tile_for
from nst_core.objective import Objective, Targets, TiledObjective
from nst_core.options import SHORTEST_SIDE, Color, GatysOptions, output_size, style_long_side
from nst_core.pyramid import Scale, plan
from nst_core.regions import region_maps

logger = logging.getLogger(__name__)

#: A loss this many times what it was at the start of a scale means that the optimiser has lost its way.
DIVERGENCE = 10.0


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is painted: pictures of any size.

    Attributes:
        content: RGB; gives the aspect ratio.  None if the options need none: the first style gives it.
        styles: RGB; none when ``style_weight`` is 0, several to blend, or one for each mask.
        masks: white where their style is painted; elsewhere the content stays.  None paints everything.
        initial: RGB; where to start, for ``init="image"`` or, of :mod:`nst_core.draft`, ``init="fast"``.
    """

    content: Picture | None
    styles: Sequence[Image.Image] = ()
    masks: Sequence[Image.Image] = ()
    initial: Picture | None = None

    @property
    def frame(self) -> Picture:
        """The picture that gives the aspect ratio."""
        return self.content or self.styles[0]


@dataclass(frozen=True, kw_only=True)
class Iterate:
    """The state after one iteration.

    Attributes:
        step, total_steps: iterations done and in all, over all scales.
        scale, scales: the pyramid's level, from 1, and how many there are.
        fraction: of the work done, in (0, 1], weighted by each scale's pixels.
        losses: before this step's update: ``total`` (weighted), ``content``, ``style`` and ``tv`` (not weighted), and
            by layer ``style relu1_1`` and so on.
        image: (1, 3, H, W) RGB float32 on the device, clamped to [0, 1].
    """

    step: int
    total_steps: int
    scale: int
    scales: int
    fraction: float
    losses: dict[str, float]
    image: Tensor

    @property
    def width(self) -> int:
        """Of the image at this scale, in pixels."""
        return self.image.shape[3]

    @property
    def height(self) -> int:
        """Of the image at this scale, in pixels."""
        return self.image.shape[2]

    def picture(self) -> Image.Image:
        """The image as an RGB picture."""
        return to_picture(self.image)

    def deep_picture(self) -> DeepPicture:
        """The image as an RGB picture of 16 bits."""
        return to_deep_picture(self.image)


class Memory:
    """What Adam has learned of the gradients at one scale, for the next one (as Crowson's style-transfer-pytorch)."""

    def __init__(self) -> None:
        self._moments: dict[str, Tensor] | None = None

    def start(self, adam: torch.optim.Adam, image: Tensor) -> None:
        """Gives an optimiser what is remembered, at the size of its image."""
        if self._moments is None:
            return
        height, width = image.shape[2:]
        state = {name: resize(value, width, height) for name, value in self._moments.items() if value.dim()}
        # Bicubic interpolation overshoots, and a mean of squares is not negative.
        state["exp_avg_sq"].clamp_min_(0)
        adam.state[image] = {"step": self._moments["step"].clone(), **state}

    def keep(self, adam: torch.optim.Adam, image: Tensor) -> None:
        """Remembers what an optimiser has learned, if anything."""
        self._moments = dict(adam.state[image]) or None


class Average:
    """The bias-corrected exponential average of tensors."""

    def __init__(self, decay: float) -> None:
        self.decay, self._count, self._sum = decay, 0, torch.zeros(())

    def add(self, value: Tensor) -> Tensor:
        """The average with this tensor, the newest, in it."""
        if not self.decay:
            return value
        self._count += 1
        self._sum = self._sum.to(value.device) * self.decay + value * (1 - self.decay)
        return self._sum / (1 - self.decay**self._count)


def minimize(
    objective: Objective, image: Tensor, steps: int, options: GatysOptions, memory: Memory | None = None
) -> Iterator[dict[str, Tensor]]:
    """Changes ``image`` in place, one iteration per item, and yields the losses found before each update."""
    adam = torch.optim.Adam([image], lr=options.learning_rate or 0.02, betas=(0.9, 0.99))
    lbfgs = LBFGS(image, history=options.history, learning_rate=options.learning_rate or 1.0)
    memory = memory or Memory()
    if options.optimizer == "adam":
        memory.start(adam, image)
    for _ in range(steps):
        losses, gradient = objective.gradient(image)
        if options.optimizer == "lbfgs":
            lbfgs.step(gradient)
        else:
            # The factor lifts the gradient, spread over all pixels, above Adam's epsilon.
            image.grad = gradient.mul_(image.numel())
            adam.step()
            memory.keep(adam, image)
        yield losses


def paint(subject: Subject, options: GatysOptions, encoder: Encoder) -> Iterator[Iterate]:
    """Paints the content in the style of the styles; yields the image after every iteration.

    The last item has step == total_steps and exactly the size asked for.  To stop early, stop iterating.

    Args:
        encoder: on the device where to compute.

    Raises:
        InvalidOptions: a picture is missing that the options need, or there are too many.
        TooLittleMemory: the picture does not fit, not even in tiles.
        Diverged: the losses grew beyond all bounds, also after a restart with Adam in float32.
    """
    given = subject.content is not None
    options.check_images(content=given, styles=len(subject.styles), masks=len(subject.masks))
    if options.starts_from_picture != (subject.initial is not None):
        raise InvalidOptions("an initial image belongs to init=image and the other way round", field="init")
    scales = plan(*subject.frame.size, options)
    finest = scales[-1]
    if min(finest.width, finest.height) < SHORTEST_SIDE:
        raise InvalidOptions(
            f"the result would be {finest.width} x {finest.height}; the short side must be at least {SHORTEST_SIDE}",
            field="size",
        )
    device = next(encoder.parameters()).device
    encoder.pooling = options.pooling
    work_in_all = sum(s.width * s.height * s.iterations for s in scales)
    step, work, careful, memory = 0, 0, False, Memory()
    image: Tensor | None = None
    # Before anything is painted: a size that does not fit is better told now than at the last scale.
    tile = tile_for(finest.width, finest.height, options, free_bytes(device))
    for level, scale in enumerate(scales, 1):
        canvas = Canvas(subject, scale, max(finest.width, finest.height), options, device)
        start = canvas.start() if image is None else resize(image, scale.width, scale.height)
        left = scale.iterations
        while left:
            try:
                for losses, image in _optimize(canvas, start, step, left, options, encoder, memory, tile):
                    step, left, work = step + 1, left - 1, work + scale.width * scale.height
                    yield Iterate(
                        step=step,
                        total_steps=options.iterations,
                        scale=level,
                        scales=len(scales),
                        fraction=min(1.0, work / work_in_all),
                        losses=losses,
                        image=canvas.look(image),
                    )
            except torch.OutOfMemoryError:
                tile = smaller_tile(tile, scale.width, scale.height, options)
                if tile is None:
                    raise
                logger.warning("out of memory with %d iterations left; again in tiles of %d pixels", left, tile)
                torch.cuda.empty_cache()
            except Diverged:
                if careful:
                    raise
                careful, memory = True, Memory()
                logger.warning("the optimisation diverged with %d iterations left; again with Adam in float32", left)
                options = replace(options, optimizer="adam", precision="float32", learning_rate=0.01)


class Canvas:
    """The subject at one scale: what the engine sees of it, and how what it paints looks.

    Args:
        longest: long side of the finest scale, in pixels.
    """

    def __init__(
        self, subject: Subject, scale: Scale, longest: int, options: GatysOptions, device: torch.device
    ) -> None:
        self.subject, self.scale, self.options, self.device = subject, scale, options, device
        size = scale.width, scale.height
        self.content = to_tensor(subject.frame, size).to(device)
        self.maps = region_maps(subject.masks, *size).to(device) if subject.masks else None
        colors = options.color * (len(subject.styles) if len(options.color) == 1 else 1)
        self._colors = colors or ("style",)
        # The style images shrink along with the scales, so that their strokes keep their size within the picture.
        long_side = round((options.style_size or options.size) * max(size) / longest)
        styles = subject.styles if options.uses_style else ()
        self.targets = Targets(
            content=self._in_regions(lambda color: content_colors(self.content, color)),
            styles=[
                style_colors(self._style(style, long_side), self.content, color)
                for style, color in zip(styles, self._colors, strict=False)
            ],
            regions=self.maps if styles else None,
        )

    def _style(self, style: Image.Image, long_side: int) -> Tensor:
        return to_tensor(style, output_size(*style.size, style_long_side(*style.size, long_side))).to(self.device)

    def _in_regions(self, image_in: Callable[[Color], Tensor]) -> Tensor:
        """The image of each region's colours in it; the content outside of all."""
        if self.maps is None:
            return image_in(self._colors[0])
        image = self.content.clone()
        for part, color in zip(self.maps, self._colors, strict=True):
            image += part * (image_in(color) - self.content)
        return image

    def start(self) -> Tensor:
        """Where the optimisation starts, (1, 3, H, W)."""
        if self.options.init == "noise":
            return noise(self.scale.width, self.scale.height, self.options.seed).to(self.device)
        if self.subject.initial is None:
            return self.targets.content
        initial = to_tensor(self.subject.initial, (self.scale.width, self.scale.height)).to(self.device)
        return self._in_regions(lambda color: content_colors(initial, color))

    def look(self, image: Tensor) -> Tensor:
        """What has been painted, in [0, 1], in the colours that it shall have, on the content where nothing is."""
        seen = self._in_regions(lambda color: painted_colors(image, self.content, color))
        return seen if seen is image else seen.clamp(0, 1)


def _optimize(
    canvas: Canvas,
    start: Tensor,
    done: int,
    iterations: int,
    options: GatysOptions,
    encoder: Encoder,
    memory: Memory,
    tile: int | None,
) -> Iterator[tuple[dict[str, float], Tensor]]:
    """Iterations at one scale, after ``done`` of them: the losses before each update, and the clamped image after it.

    Raises:
        Diverged: a loss is not finite or beyond all bounds.
    """
    dtype = choose_precision(options.precision, canvas.device)
    objective = (
        TiledObjective(encoder, canvas.targets, options, dtype, tile)
        if tile and tile < max(start.shape[2:])
        else Objective(encoder, canvas.targets, options, dtype)
    )
    image = start.clone(memory_format=torch.contiguous_format)
    average = Average(options.averaging)
    bound: float | None = None
    objective.content_weight = options.content_weight_at(done)
    for k, tensors in enumerate(minimize(objective, image, iterations, options, memory), done + 1):
        losses = {name: value.item() for name, value in tensors.items()}
        if bound is None:
            bound = DIVERGENCE * max(losses["total"], options.content_weight + options.style_weight)
        # Not "total > bound": NaN compares false with everything.
        if not (losses["total"] <= bound and bool(image.isfinite().all())):
            raise Diverged
        objective.content_weight = options.content_weight_at(k)
        yield losses, average.add(image.detach().clamp(0, 1))
