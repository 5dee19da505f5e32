"""What the iterative engine minimises: the weighted losses of an image against fixed targets, and their gradient."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from nst_core.device import autocast
from nst_core.encoders import Encoder
from nst_core.losses import (
    EPSILON,
    add_range_penalty_gradient,
    add_total_variation_gradient,
    content_loss,
    range_penalty,
    total_variation,
)
from nst_core.options import GatysOptions
from nst_core.regions import cover, guidance
from nst_core.style_losses import Statistics, make_style_loss

#: Weight of the distance to [0, 1]: L-BFGS cannot be clamped between steps without spoiling its memory of curvature.
RANGE_WEIGHT = 10.0

#: Sides and shifts of tiles are multiples of this: one position of block 5, so that the maps of tiles fit together.
TILE_STEP = 16


@dataclass(frozen=True, kw_only=True)
class Region:
    """A part of the image, and the style that it shall have.

    Attributes:
        target: the statistics of its style.
        weight: its share of the style loss; those of all regions add up to 1.
        guidance: its map by layer, as the style losses take it; None for the whole image.
    """

    target: Statistics
    weight: float
    guidance: dict[str, Tensor] | None = None


@dataclass(frozen=True, kw_only=True)
class Targets:
    """The images that an objective takes its targets from, all at the size of one scale.

    Attributes:
        content: (1, 3, H, W).
        styles: (1, 3, H', W') each.
        regions: (N, 1, H, W), a map for each style (see :mod:`nst_core.regions`); None blends the styles everywhere.
    """

    content: Tensor
    styles: Sequence[Tensor] = ()
    regions: Tensor | None = None


class Objective:
    """The weighted sum of losses, at one scale.

    Args:
        dtype: in which the encoder computes.

    Attributes:
        done: iterations that are behind; what changes from one to the next depends on nothing else.
    """

    def __init__(self, encoder: Encoder, targets: Targets, options: GatysOptions, dtype: torch.dtype) -> None:
        self.encoder, self.options, self.dtype = encoder, options, dtype
        self.done = 0
        self.content = targets.content
        self.cover = None if targets.regions is None else cover(targets.regions)
        self.content_layers = options.content_layers if options.uses_content else ()
        self.style_layers = options.style_layers if options.uses_style else ()
        weights = options.content_layer_weights or (1.0,) * len(options.content_layers)
        self.content_weights = {k: w / sum(weights) for k, w in zip(options.content_layers, weights, strict=True)}
        self.style_loss = make_style_loss(
            options.style_loss, options.style_layers, options.style_layer_weights, options.seed
        )
        with torch.no_grad():
            self.kept = self._content_features()
            styles = [self._style(image) for image in targets.styles] if self.style_layers else []
        self.regions = self._regions(styles, targets.regions) if styles else []

    @property
    def content_weight(self) -> float:
        """The weight in force."""
        return self.options.content_weight_at(self.done)

    def _content_features(self) -> dict[str, Tensor]:
        return self._features(self.content, self.content_layers) if self.content_layers else {}

    def _style(self, image: Tensor) -> Statistics:
        return self.style_loss.statistics(self._features(image, self.style_layers))

    def _regions(self, styles: Sequence[Statistics], maps: Tensor | None) -> list[Region]:
        weights = self.options.style_weights or (1.0,) * len(styles)
        if maps is None:
            return [Region(target=self.style_loss.blend(styles, weights), weight=1.0)]
        shares = [weight * float(part.mean()) for weight, part in zip(weights, maps, strict=True)]
        return [
            Region(target=style, weight=share / sum(shares), guidance=guidance(part[None], self.style_layers))
            for style, share, part in zip(styles, shares, maps, strict=True)
            if share
        ]

    def _features(self, image: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
        with autocast(image.device, self.dtype):
            return self.encoder(image, layers)  # type: ignore[no-any-return]

    def composed(self, image: Tensor) -> Tensor:
        """The image where it is painted, the content elsewhere."""
        return image if self.cover is None else torch.lerp(self.content, image, self.cover)

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        """Scalars ``total``, ``content``, ``style``, ``tv`` and one per layer, for an image (1, 3, H, W)."""
        seen = self.composed(image)
        features = self._features(seen, (*self.style_layers, *self.content_layers))
        content = seen.new_zeros(())
        for layer, kept in self.kept.items():
            content = content + self.content_weights[layer] * content_loss(features[layer], kept)
        found = [self.style_loss.statistics(features, region.guidance) for region in self.regions]
        style, by_layer = self._style_distance(found)
        return self._total(seen, content, style) | by_layer

    def gradient(self, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """The losses, without a graph, and the gradient of ``total``."""
        image = image.detach().requires_grad_(True)
        losses = self(image)
        (gradient,) = torch.autograd.grad(losses["total"], image)
        return {name: value.detach() for name, value in losses.items()}, gradient

    def _style_distance(self, found: Sequence[Statistics]) -> tuple[Tensor, dict[str, Tensor]]:
        """The style loss over all regions, and by layer, given the statistics of each."""
        style = self.content.new_zeros(())
        by_layer = {f"style {layer}": style for layer in self.style_layers}
        for region, statistics in zip(self.regions, found, strict=True):
            distance, distances = self.style_loss.distance(statistics, region.target)
            style = style + region.weight * distance
            for layer, value in distances.items():
                by_layer[f"style {layer}"] = by_layer[f"style {layer}"] + region.weight * value.detach()
        return style, by_layer

    def _total(self, seen: Tensor, content: Tensor, style: Tensor) -> dict[str, Tensor]:
        tv = total_variation(seen)
        total = (
            self.content_weight * content
            + self.options.style_weight * style
            + self.options.tv_weight * tv
            + RANGE_WEIGHT * range_penalty(seen)
        )
        return {"total": total, "content": content, "style": style, "tv": tv}


@dataclass(frozen=True, kw_only=True)
class _Tile:
    """A rectangle of the image; all but the far borders of the image lie on multiples of TILE_STEP."""

    top: int
    bottom: int
    left: int
    right: int

    def of(self, maps: Tensor, step: int = 1) -> Tensor:
        """Its part of maps (N, C, H, W) that have one position for ``step`` pixels."""
        return maps[:, :, self.top // step : self.bottom // step, self.left // step : self.right // step]


class TiledObjective(Objective):
    """The same for images beyond the memory: the gradient is computed tile by tile, with statistics of the whole image.

    Statistics are means over positions, so those of the tiles add up; how the loss depends on them is found once, and
    handed to every tile.  Features at the borders of a tile lack their surroundings, which is why the grid is shifted
    at random each time.
    """

    def __init__(
        self, encoder: Encoder, targets: Targets, options: GatysOptions, dtype: torch.dtype, tile: int
    ) -> None:
        self.tile = tile
        super().__init__(encoder, targets, options, dtype)
        # Sums of squares of the content's features, by layer.
        self._energies = {
            layer: torch.linalg.vector_norm(kept, dtype=torch.float32).square().clamp_min(EPSILON * kept.numel())
            for layer, kept in self.kept.items()
        }

    def _content_features(self) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        if not self.content_layers:
            return found
        height, width = self.content.shape[2:]
        for tile in self._tiles(height, width, (0, 0)):
            for layer, features in self._features(tile.of(self.content), self.content_layers).items():
                step = _step(layer)
                if layer not in found:
                    found[layer] = features.new_empty(1, features.shape[1], height // step, width // step)
                tile.of(found[layer], step)[:] = features
        return found

    def _style(self, image: Tensor) -> Statistics:
        found: Statistics = {}
        height, width = image.shape[2:]
        for tile in self._tiles(height, width, (0, 0)):
            features = self._features(tile.of(image), self.style_layers)
            self._add(found, self.style_loss.statistics(features), tile, height, width)
        return found

    def _add(self, found: Statistics, part: Statistics, tile: _Tile, height: int, width: int) -> None:
        for name, value in part.items():
            share = value * self._share(name, tile, height, width)
            found[name] = found[name] + share if name in found else share

    @staticmethod
    def _share(name: str, tile: _Tile, height: int, width: int) -> float:
        """How many of the positions of a layer's map lie in the tile; a pair of layers is taken at the deeper one's."""
        step = max(_step(part) for part in name.split() if part[:4] in ("conv", "relu"))
        inside = (tile.bottom // step - tile.top // step) * (tile.right // step - tile.left // step)
        return inside / ((height // step) * (width // step))

    def _tiles(self, height: int, width: int, shift: tuple[int, int]) -> Iterator[_Tile]:
        for top, bottom in _cuts(height, self.tile, shift[0]):
            for left, right in _cuts(width, self.tile, shift[1]):
                yield _Tile(top=top, bottom=bottom, left=left, right=right)

    def gradient(self, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """As :meth:`Objective.gradient`, in two passes over the tiles."""
        height, width = image.shape[2:]
        places = self.tile // TILE_STEP
        generator = torch.Generator().manual_seed(self.options.seed + self.done)
        shift = tuple(TILE_STEP * int(torch.randint(places, (), generator=generator)) for _ in range(2))
        tiles = list(self._tiles(height, width, (shift[0], shift[1])))
        pixels = self.composed(image.detach())
        found: list[Statistics] = [{} for _ in self.regions]
        with torch.no_grad():
            for tile in tiles if self.regions else ():
                features = self._features(tile.of(pixels), self.style_layers)
                for statistics, region in zip(found, self.regions, strict=True):
                    part = self.style_loss.statistics(features, _part(region.guidance, tile))
                    self._add(statistics, part, tile, height, width)
        found = [{k: v.detach().requires_grad_(True) for k, v in statistics.items()} for statistics in found]
        style, by_layer = self._style_distance(found)
        if self.regions:
            style.backward()  # type: ignore[no-untyped-call]
        content = pixels.new_zeros(())
        gradient = torch.zeros_like(pixels)
        for tile in tiles:
            window = tile.of(pixels).detach().requires_grad_(True)
            features = self._features(window, (*self.style_layers, *self.content_layers))
            tile_content = self._content_part(features, tile)
            surrogate = self.content_weight * tile_content
            for statistics, region in zip(found, self.regions, strict=True):
                tile_statistics = self.style_loss.statistics(features, _part(region.guidance, tile))
                for name, value in tile_statistics.items():
                    slope = statistics[name].grad
                    if slope is not None:
                        share = self._share(name, tile, height, width)
                        surrogate = surrogate + self.options.style_weight * share * (slope * value).sum()
            if surrogate.requires_grad:
                tile.of(gradient)[:] = torch.autograd.grad(surrogate, window)[0]
            content = content + tile_content.detach()
        # What depends on pixels alone, and the way from what is seen to the image, without further copies of it.
        add_total_variation_gradient(gradient, pixels, self.options.tv_weight)
        add_range_penalty_gradient(gradient, pixels, RANGE_WEIGHT)
        if self.cover is not None:
            gradient *= self.cover
        with torch.no_grad():
            losses = self._total(pixels, content, style)
        return {name: value.detach() for name, value in (losses | by_layer).items()}, gradient

    def _content_part(self, features: dict[str, Tensor], tile: _Tile) -> Tensor:
        """The tile's part of the content loss."""
        content = self.content.new_zeros(())
        for layer, kept in self.kept.items():
            error = (features[layer].float() - tile.of(kept, _step(layer)).float()).square().sum()
            content = content + self.content_weights[layer] * error / self._energies[layer]
        return content


def _part(maps: dict[str, Tensor] | None, tile: _Tile) -> dict[str, Tensor] | None:
    return None if maps is None else {layer: tile.of(value, _step(layer)) for layer, value in maps.items()}


def _step(layer: str) -> int:
    """Pixels per position of a layer, in each direction."""
    block = int(layer[4])  # layers are named convB_I and reluB_I
    return 1 << (block - 1)


def _cuts(length: int, tile: int, shift: int) -> Iterator[tuple[int, int]]:
    """Sections of a side, of which the first ends at ``shift``; none is less than half a tile, unless the side is."""
    marks = [0, *range(shift or tile, length, tile), length]
    # A sliver would see hardly more than its own borders.
    inner = [mark for mark in marks[1:-1] if mark >= tile // 2 and length - mark >= tile // 2]
    marks = [0, *inner, length]
    yield from pairwise(marks)
