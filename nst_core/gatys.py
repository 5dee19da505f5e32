"""Iterative style transfer by optimisation of the image itself.

Gatys, Ecker & Bethge 2016, "Image Style Transfer Using Convolutional Neural Networks".  Where this departs from the
paper: losses are relative to their targets (see :mod:`nst_core.losses`), the start is the content image, and the
optimisation goes through a pyramid of scales (see :mod:`nst_core.pyramid`).
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from nst_core.device import autocast, choose_precision
from nst_core.encoders import Encoder
from nst_core.errors import Diverged, InvalidOptions
from nst_core.image import noise, resize, to_picture, to_tensor
from nst_core.lbfgs import LBFGS
from nst_core.losses import content_loss, gram_matrix, range_penalty, style_loss, total_variation
from nst_core.options import SHORTEST_SIDE, GatysOptions, output_size, style_long_side
from nst_core.pyramid import Scale, plan

logger = logging.getLogger(__name__)

#: Weight of the distance to [0, 1]: L-BFGS cannot be clamped between steps without spoiling its memory of curvature.
RANGE_WEIGHT = 10.0

#: A loss this many times what it was at the start of a scale means that the optimiser has lost its way.
DIVERGENCE = 10.0


@dataclass(frozen=True, kw_only=True)
class Iterate:
    """The state after one iteration.

    Attributes:
        step, total_steps: iterations done and in all, over all scales.
        scale, scales: the pyramid's level, from 1, and how many there are.
        fraction: of the work done, in (0, 1], weighted by each scale's pixels.
        losses: ``total`` (weighted), ``content``, ``style`` and ``tv`` (not weighted) before this step's update.
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


class Objective:
    """The weighted sum of losses of an image against fixed targets, at one scale.

    Args:
        content: (1, 3, H, W), or None when the content loss takes no part.
        style: (1, 3, H', W'), or None when the style loss takes no part.
    """

    def __init__(
        self, encoder: Encoder, content: Tensor | None, style: Tensor | None, options: GatysOptions, dtype: torch.dtype
    ) -> None:
        self.encoder, self.options, self.dtype = encoder, options, dtype
        self.content_layers = options.content_layers if content is not None else ()
        self.style_layers = options.style_layers if style is not None else ()
        with torch.no_grad():
            self.content_targets = self._features(content, self.content_layers)
            style_features = self._features(style, self.style_layers)
            self.style_targets = {k: gram_matrix(v) for k, v in style_features.items()}

    def _features(self, image: Tensor | None, layers: tuple[str, ...]) -> dict[str, Tensor]:
        if image is None or not layers:
            return {}
        with autocast(image.device, self.dtype):
            return self.encoder(image, layers)  # type: ignore[no-any-return]

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        """Scalars ``total``, ``content``, ``style`` and ``tv`` for an image (1, 3, H, W)."""
        options = self.options
        features = self._features(image, (*self.style_layers, *self.content_layers))
        zero = image.new_zeros(())
        content, style = zero, zero
        for layer, weight in _weighted(self.content_layers, options.content_layer_weights):
            content = content + weight * content_loss(features[layer], self.content_targets[layer])
        for layer, weight in _weighted(self.style_layers, options.style_layer_weights):
            style = style + weight * style_loss(gram_matrix(features[layer]), self.style_targets[layer])
        tv = total_variation(image)
        total = (
            options.content_weight * content
            + options.style_weight * style
            + options.tv_weight * tv
            + RANGE_WEIGHT * range_penalty(image)
        )
        return {"total": total, "content": content, "style": style, "tv": tv}


def _weighted(layers: tuple[str, ...], weights: tuple[float, ...]) -> Iterator[tuple[str, float]]:
    """Layers with weights that add up to 1."""
    weights = weights or (1.0,) * len(layers)
    for layer, weight in zip(layers, weights, strict=True) if layers else ():
        yield layer, weight / sum(weights)


def minimize(objective: Objective, image: Tensor, steps: int, options: GatysOptions) -> Iterator[dict[str, Tensor]]:
    """Changes ``image`` in place, one iteration per item, and yields the losses found before each update."""
    adam = torch.optim.Adam([image], lr=options.learning_rate or 0.02, betas=(0.9, 0.99))
    lbfgs = LBFGS(image, history=options.history, learning_rate=options.learning_rate or 1.0)
    for _ in range(steps):
        image.requires_grad_(True)
        losses = objective(image)
        (gradient,) = torch.autograd.grad(losses["total"], image)
        image.requires_grad_(False)
        if options.optimizer == "lbfgs":
            lbfgs.step(gradient)
        else:
            # The factor lifts the gradient, spread over all pixels, above Adam's epsilon.
            image.grad = gradient * image.numel()
            adam.step()
        yield {name: value.detach() for name, value in losses.items()}


def paint(
    content: Image.Image,
    style: Image.Image | None,
    options: GatysOptions,
    encoder: Encoder,
    *,
    initial: Image.Image | None = None,
) -> Iterator[Iterate]:
    """Paints ``content`` in the style of ``style``; yields the image after every iteration.

    The last item has step == total_steps and exactly the size asked for.  To stop early, stop iterating.

    Args:
        content: an RGB picture; gives the aspect ratio.
        style: an RGB picture; may be None when ``style_weight`` is 0.
        encoder: on the device where to compute.
        initial: where to start, for ``init="image"``.

    Raises:
        InvalidOptions: a picture is missing that the options need.
        Diverged: the losses grew beyond all bounds, also after a restart with Adam in float32.
    """
    if options.uses_style and style is None:
        raise InvalidOptions("a style image is needed unless style_weight is 0", field="style")
    if (options.init == "image") != (initial is not None):
        raise InvalidOptions("an initial image belongs to init=image and the other way round", field="init")
    scales = plan(*content.size, options)
    finest = scales[-1]
    if min(finest.width, finest.height) < SHORTEST_SIDE:
        raise InvalidOptions(
            f"the result would be {finest.width} x {finest.height}; the short side must be at least {SHORTEST_SIDE}",
            field="size",
        )
    device = next(encoder.parameters()).device
    encoder.pooling = options.pooling
    work_in_all = sum(s.width * s.height * s.iterations for s in scales)
    step, work, careful = 0, 0, False
    image = _start(content, scales[0], options, initial).to(device)
    for level, scale in enumerate(scales, 1):
        start = resize(image, scale.width, scale.height)
        left = scale.iterations
        while left:
            try:
                for losses, image in _optimize_scale(scale, finest, left, content, style, start, options, encoder):
                    step, left, work = step + 1, left - 1, work + scale.width * scale.height
                    yield Iterate(
                        step=step,
                        total_steps=options.iterations,
                        scale=level,
                        scales=len(scales),
                        fraction=min(1.0, work / work_in_all),
                        losses=losses,
                        image=image,
                    )
            except Diverged:
                if careful:
                    raise
                careful = True
                logger.warning("the optimisation diverged with %d iterations left; again with Adam in float32", left)
                options = replace(options, optimizer="adam", precision="float32", learning_rate=0.01)


def _start(content: Image.Image, scale: Scale, options: GatysOptions, initial: Image.Image | None) -> Tensor:
    if options.init == "noise":
        return noise(scale.width, scale.height, options.seed)
    return to_tensor(initial or content, (scale.width, scale.height))


def _optimize_scale(
    scale: Scale,
    finest: Scale,
    iterations: int,
    content: Image.Image,
    style: Image.Image | None,
    start: Tensor,
    options: GatysOptions,
    encoder: Encoder,
) -> Iterator[tuple[dict[str, float], Tensor]]:
    """Iterations at one scale: the losses before each update and the clamped image after it.

    Raises:
        Diverged: a loss is not finite or beyond all bounds.
    """
    device = start.device
    content_target = to_tensor(content, (scale.width, scale.height)).to(device) if options.uses_content else None
    style_target = None
    if options.uses_style and style is not None:
        # The style image shrinks along with the scales, so that its strokes keep their size within the picture.
        long_side = (options.style_size or options.size) * max(scale.width, scale.height)
        long_side = round(long_side / max(finest.width, finest.height))
        style_target = to_tensor(style, output_size(*style.size, style_long_side(*style.size, long_side))).to(device)
    objective = Objective(encoder, content_target, style_target, options, choose_precision(options.precision, device))
    image = start.clone(memory_format=torch.contiguous_format)
    bound: float | None = None
    for tensors in minimize(objective, image, iterations, options):
        losses = {name: value.item() for name, value in tensors.items()}
        if bound is None:
            bound = DIVERGENCE * max(losses["total"], options.content_weight + options.style_weight)
        # Not "total > bound": NaN compares false with everything.
        if not (losses["total"] <= bound and bool(image.isfinite().all())):
            raise Diverged
        yield losses, image.detach().clamp(0, 1)
