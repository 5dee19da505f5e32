"""Iterative style transfer by optimisation of the image itself.

Gatys, Ecker & Bethge 2016, "Image Style Transfer Using Convolutional Neural Networks".  Where this departs from the
paper: losses are relative to their targets (see :mod:`nst_core.losses`), the start is the content image, and the
optimisation goes through a pyramid of scales (see :mod:`nst_core.pyramid`).
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from PIL import Image
from torch import Tensor

from nst_core.checkpoint import Checkpoint
from nst_core.color import content_colors, painted_colors, style_colors
from nst_core.deep import DeepPicture, Picture
from nst_core.device import choose_precision, is_out_of_memory
from nst_core.encoders import Encoder
from nst_core.errors import CorruptCheckpoint, Diverged, InvalidOptions
from nst_core.image import noise, resize, to_deep_picture, to_picture, to_tensor
from nst_core.lbfgs import LBFGS
from nst_core.memory import free_bytes, smaller_tile, tile_for, tiles_matter
from nst_core.objective import Objective, Targets, TiledObjective
from nst_core.options import SHORTEST_SIDE, Color, GatysOptions, output_size, style_long_side
from nst_core.pyramid import Scale, plan, share_of_work
from nst_core.regions import region_maps

logger = logging.getLogger(__name__)

#: A loss this many times what it was at the start of a scale means that the optimiser has lost its way.
DIVERGENCE = 10.0

#: Every so many iterations L-BFGS forgets all but its last step, so that a checkpoint is small: the image, and two
#: tensors of its size.
MILESTONE = 25


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
        tile: the side of the tiles in which it is painted; None for as a whole.
        checkpoint: makes the checkpoint of this iteration, to be turned into bytes before the next iterate is asked
            for; None for the last one of a scale.
        is_light: that checkpoint is as small as one gets: with L-BFGS every MILESTONE iterations, with Adam each.
    """

    step: int
    total_steps: int
    scale: int
    scales: int
    fraction: float
    losses: dict[str, float]
    image: Tensor
    tile: int | None = None
    checkpoint: Callable[[], Checkpoint] | None = None
    is_light: bool = True

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
    """What an optimiser has learned of the gradients.

    Adam's moments are carried on to the next scale (as in Crowson's style-transfer-pytorch).  What L-BFGS knows of the
    curvature belongs to one scale, and is kept for going on there from a checkpoint.

    Attributes:
        learned, pairs: as in a :class:`~nst_core.checkpoint.Checkpoint`.
    """

    def __init__(
        self, learned: Mapping[str, Tensor] | None = None, pairs: Sequence[tuple[Tensor, Tensor]] = ()
    ) -> None:
        self.learned, self.pairs = dict(learned or {}), tuple(pairs)

    def start_adam(self, adam: torch.optim.Adam, image: Tensor) -> None:
        """Gives an optimiser what is remembered, at the size of its image."""
        if "exp_avg" not in self.learned:
            return
        height, width = image.shape[2:]
        state = {name: resize(value, width, height) for name, value in self.learned.items() if value.dim()}
        # Bicubic interpolation overshoots, and a mean of squares is not negative.
        state["exp_avg_sq"].clamp_min_(0)
        adam.state[image] = {"step": self.learned["step"].clone(), **{n: value.clone() for n, value in state.items()}}

    def keep_adam(self, adam: torch.optim.Adam, image: Tensor) -> None:
        """Remembers what an optimiser has learned, if anything."""
        self.learned = dict(adam.state[image])

    def start_lbfgs(self, lbfgs: LBFGS) -> None:
        """Gives an optimiser what is remembered, which holds for the image of that moment."""
        if "gradient" in self.learned:
            lbfgs.recall(self.learned["step"], self.learned["gradient"], self.pairs)

    def keep_lbfgs(self, lbfgs: LBFGS) -> None:
        """Remembers what an optimiser has learned, if anything."""
        if last := lbfgs.last:
            self.learned, self.pairs = {"step": last[0], "gradient": last[1]}, lbfgs.pairs


class Average:
    """The bias-corrected exponential average of tensors."""

    def __init__(self, decay: float, count: int = 0, total: Tensor | None = None) -> None:
        self.decay, self.count = decay, count
        self.total = torch.zeros(()) if total is None else total

    def add(self, value: Tensor) -> Tensor:
        """The average with this tensor, the newest, in it."""
        if not self.decay:
            return value
        self.count += 1
        self.total = self.total.to(value.device) * self.decay + value * (1 - self.decay)
        return self.total / (1 - self.decay**self.count)


def minimize(
    objective: Objective, image: Tensor, steps: int, options: GatysOptions, memory: Memory | None = None
) -> Iterator[dict[str, Tensor]]:
    """Changes ``image`` in place, one iteration per item, and yields the losses found before each update.

    What is learned is in ``memory`` after each.  The iterations that the objective says are done count as well: L-BFGS
    forgets most of it whenever all of them are a multiple of MILESTONE.
    """
    adam = torch.optim.Adam([image], lr=options.learning_rate or 0.02, betas=(0.9, 0.99))
    lbfgs = LBFGS(image, history=options.history, learning_rate=options.learning_rate or 1.0)
    memory = memory or Memory()
    if options.optimizer == "adam":
        memory.start_adam(adam, image)
    else:
        memory.start_lbfgs(lbfgs)
    for _ in range(steps):
        losses, gradient = objective.gradient(image)
        objective.done += 1
        if options.optimizer == "lbfgs":
            lbfgs.step(gradient)
            if objective.done % MILESTONE == 0:
                lbfgs.forget()
            memory.keep_lbfgs(lbfgs)
        else:
            # The factor lifts the gradient, spread over all pixels, above Adam's epsilon.
            image.grad = gradient.mul_(image.numel())
            adam.step()
            memory.keep_adam(adam, image)
        yield losses


def paint(
    subject: Subject, options: GatysOptions, encoder: Encoder, checkpoint: Checkpoint | None = None
) -> Iterator[Iterate]:
    """Paints the content in the style of the styles; yields the image after every iteration.

    The last item has step == total_steps and exactly the size asked for.  To stop early, stop iterating.  Steps count
    up by one, but for an optimisation that diverged, which goes back to its last milestone.

    Args:
        encoder: on the device where to compute.
        checkpoint: of an iterate of the same subject and options, to go on from there.

    Raises:
        InvalidOptions: a picture is missing that the options need, or there are too many.
        CorruptCheckpoint: the checkpoint is of another picture.
        TooLittleMemory: the picture does not fit, not even in tiles.
        Diverged: the losses grew beyond all bounds, also after a restart with Adam in float32.
    """
    given = subject.content is not None
    options.check_images(content=given, styles=len(subject.styles), masks=len(subject.masks))
    if options.starts_from_picture != (subject.initial is not None):
        missing, needless = "init=image needs an initial image", "an initial image is for init=image"
        raise InvalidOptions(missing if options.starts_from_picture else needless, field="init_image")
    scales = plan(*subject.frame.size, options)
    finest = scales[-1]
    if min(finest.width, finest.height) < SHORTEST_SIDE:
        raise InvalidOptions(
            f"the result would be {finest.width} x {finest.height}; the short side must be at least {SHORTEST_SIDE}",
            field="size",
        )
    device = next(encoder.parameters()).device
    encoder.pooling = options.pooling
    if checkpoint is not None and not checkpoint.fits(scales):
        raise CorruptCheckpoint("the checkpoint is of another picture")
    # Before anything is painted: a size that does not fit is better told now than at the last scale.
    tile = tile_for(finest.width, finest.height, options, free_bytes(device), masks=len(subject.masks))
    state = checkpoint
    if state is not None and state.tile is not None:
        tile = min(state.tile, tile or state.tile)
    ends = accumulate(scale.iterations for scale in scales)
    for level, (scale, end) in enumerate(zip(scales, ends, strict=True), 1):
        if state is not None and state.step >= end:
            continue
        canvas = None
        while state is None or state.step < end:
            run = None
            try:
                canvas = canvas or Canvas(subject, scale, max(finest.width, finest.height), options, device)
                if state is None:
                    state = Checkpoint(step=0, image=canvas.start())
                elif state.image.shape[2:] != (scale.height, scale.width):
                    state = replace(state, image=resize(state.image, scale.width, scale.height))
                run = _Run(canvas, replace(state, tile=tile), options, encoder)
                for losses, image in run.iterations(end - state.step):
                    yield Iterate(
                        step=run.step,
                        total_steps=options.iterations,
                        scale=level,
                        scales=len(scales),
                        fraction=share_of_work(scales, run.step),
                        losses=losses,
                        image=canvas.look(image),
                        tile=run.tile,
                        checkpoint=run.checkpoint if run.step < end else None,
                        is_light=run.is_light,
                    )
                    if run.is_at_milestone and run.step < end:
                        state = run.back_to_here()
                state = run.end(image)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                tile = smaller_tile(run.tile if run else tile, scale.width, scale.height, options)
                if tile is None:
                    raise
                # What was being computed is held by the frames that the error came through.
                error.__traceback__ = None
                torch.cuda.empty_cache()
                # The pairs would be held beside those that the next run learns, where there is no room.
                state = replace(run.checkpoint(), pairs=()) if run else state
                told = (end - (state.step if state else 0), tile)
                logger.warning("out of memory with %d iterations left; again in tiles of %d pixels", *told)
            except Diverged:
                assert run is not None
                assert state is not None
                if state.careful:
                    raise
                told = (end - run.step, end - state.step)
                logger.warning("diverged with %d iterations left; the last %d again with Adam in float32", *told)
                state = replace(state, learned={}, pairs=(), careful=True)


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


class _Run:
    """Iterations at one scale.

    Args:
        state: where to begin, at the scale's size.

    Attributes:
        step: iterations done, over all scales.
        tile: the side of the tiles in force; None when the picture is worked on as a whole.
    """

    def __init__(self, canvas: Canvas, state: Checkpoint, options: GatysOptions, encoder: Encoder) -> None:
        if state.careful:
            options = replace(options, optimizer="adam", precision="float32", learning_rate=0.01)
        self.options, self.step, self.careful = options, state.step, state.careful
        height, width = state.image.shape[2:]
        self.tile = state.tile if state.tile and tiles_matter(state.tile, width, height, options) else None
        self._memory = Memory(state.learned, state.pairs)
        self._average = Average(options.averaging, state.averaged, state.average)
        self._image = state.image.clone(memory_format=torch.contiguous_format)
        self._canvas, self._encoder = canvas, encoder

    def iterations(self, count: int) -> Iterator[tuple[dict[str, float], Tensor]]:
        """The losses before each update, and the clamped image after it.

        Raises:
            Diverged: a loss is not finite or beyond all bounds.
        """
        options, bound = self.options, None
        objective = self._objective()
        objective.done = self.step
        for tensors in minimize(objective, self._image, count, options, self._memory):
            losses = {name: value.item() for name, value in tensors.items()}
            # A weight that changes on the way shall not look like a loss that does.
            weight = options.content_weight_at(self.step)
            comparable = losses["total"] + (options.content_weight - weight) * losses["content"]
            if bound is None:
                bound = DIVERGENCE * max(comparable, options.content_weight + options.style_weight)
            # Not "> bound": NaN compares false with everything.
            if not (comparable <= bound and bool(self._image.isfinite().all())):
                raise Diverged
            self.step += 1
            yield losses, self._average.add(self._image.detach().clamp(0, 1))

    def _objective(self) -> Objective:
        targets, dtype = self._canvas.targets, choose_precision(self.options.precision, self._canvas.device)
        if self.tile:
            return TiledObjective(self._encoder, targets, self.options, dtype, self.tile)
        return Objective(self._encoder, targets, self.options, dtype)

    @property
    def is_at_milestone(self) -> bool:
        """Whether an optimisation that diverges later is begun again here."""
        return self.step % MILESTONE == 0

    @property
    def is_light(self) -> bool:
        """Whether the checkpoint is as small as one gets."""
        return not self._memory.pairs

    def checkpoint(self) -> Checkpoint:
        """All that the next iterations depend on; it holds until then."""
        return replace(self.back_to_here(), learned=self._memory.learned, pairs=self._memory.pairs)

    def back_to_here(self) -> Checkpoint:
        """The same without what the optimiser has learned."""
        return Checkpoint(
            step=self.step,
            image=self._image.detach().clone(),
            averaged=self._average.count,
            average=self._average.total,
            careful=self.careful,
            tile=self.tile,
        )

    def end(self, image: Tensor) -> Checkpoint:
        """The state for the next scale, given the last image of this one."""
        learned = self._memory.learned if self.options.optimizer == "adam" else {}
        return Checkpoint(step=self.step, image=image, learned=learned, careful=self.careful, tile=self.tile)
