"""What makes the style of an image: statistics of its features, and how far those of two images are apart.

Most of these losses look at *moments*, means over positions.  That makes them combine: the moments of a region are
weighted means, those of a large image are the sums of its tiles', and those of several styles blend into the moments of
their mixture.  Every distance is relative to its target, so that one set of weights works for all of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from typing_extensions import override

from nst_core.losses import EPSILON, gram_matrix, style_loss
from nst_core.options import StyleLossName

#: By name: of a layer, or of what a loss makes of it.
Statistics = dict[str, Tensor]

#: Added to covariances, relative to their mean variance: their square roots have no gradient at zero.
RIDGE = 1e-4


class StyleLoss(ABC):
    """A distance of styles, layer by layer.

    Args:
        layers: names of the layers, in any order.
        weights: one per layer; by default those of the loss.
        seed: of what is random, if anything is.

    Attributes:
        additive: statistics are means over positions, so that tiles add up.
    """

    additive = True

    def __init__(self, layers: Sequence[str], weights: Sequence[float] = (), seed: int = 0) -> None:
        self.layers, self.seed = tuple(layers), seed
        given = weights or self.default_weights()
        self.weights = {layer: weight / sum(given) for layer, weight in zip(layers, given, strict=True) if weight}

    def default_weights(self) -> Sequence[float]:
        """Of the layers; need not add up to 1."""
        return (1.0,) * len(self.layers)

    @abstractmethod
    def statistics(self, features: Mapping[str, Tensor], guidance: Mapping[str, Tensor] | None = None) -> Statistics:
        """The style of an image.

        Args:
            features: (1, C, H, W) by layer.
            guidance: (1, 1, H, W) by layer, scaled so that its square has a mean of 1 over the whole image: each
                position counts by the square (Gatys et al. 2017, section 4.1).  None: all count alike.
        """

    @abstractmethod
    def distances(self, statistics: Statistics, target: Statistics) -> dict[str, Tensor]:
        """Scalars by layer, 0 for equal statistics, about 1 for an image without any style."""

    def distance(self, statistics: Statistics, target: Statistics) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted mean of the distances, and the distances."""
        distances = self.distances(statistics, target)
        return torch.stack([weight * distances[layer] for layer, weight in self.weights.items()]).sum(), distances

    def blend(self, styles: Sequence[Statistics], weights: Sequence[float]) -> Statistics:
        """The style of a mixture, in which each style takes a part of its weight."""
        total = sum(weights)
        shares = [weight / total for weight in weights]
        return {
            name: torch.stack([style[name] * share for style, share in zip(styles, shares, strict=True)]).sum(0)
            for name in styles[0]
        }


def make_style_loss(
    name: StyleLossName, layers: Sequence[str], weights: Sequence[float] = (), seed: int = 0
) -> StyleLoss:
    """The style loss of this name."""
    return _KINDS[name](layers, weights, seed)


def is_additive(name: StyleLossName) -> bool:
    """Whether the statistics of this loss are means over positions, so that those of tiles add up."""
    return _KINDS[name].additive


def _guided(features: Tensor, guidance: Mapping[str, Tensor] | None, layer: str) -> Tensor:
    return features if guidance is None else features * guidance[layer].to(features.dtype)


class Gram(StyleLoss):
    """Gram matrices (Gatys et al. 2016, eq. 3 and 4): which features occur together, and how strongly."""

    @override
    def statistics(self, features: Mapping[str, Tensor], guidance: Mapping[str, Tensor] | None = None) -> Statistics:
        return {layer: gram_matrix(_guided(features[layer], guidance, layer)) for layer in self.layers}

    @override
    def distances(self, statistics: Statistics, target: Statistics) -> dict[str, Tensor]:
        return {layer: style_loss(statistics[layer], target[layer]) for layer in self.layers}


class ShiftedGram(StyleLoss):
    """Gram matrices of shifted activations and of neighbouring layers (Novak & Nikulin 2016, "Improving the Neural
    Algorithm of Artistic Style").

    Of activations less 1, so that features which are missing together count too (section 3.2); shallow layers weigh
    more, by halves (3.1); and each layer is correlated with the next one (3.4), at whose resolution both are taken:
    the paper enlarges the smaller one, at many times the cost.
    """

    #: What is taken off the activations; the paper's choice.
    SHIFT = 1.0

    @property
    def _by_depth(self) -> list[str]:
        # Names end in block and number: 3_1.
        return sorted(self.layers, key=lambda layer: [int(part) for part in layer[4:].split("_")])

    @property
    def _pairs(self) -> Iterator[tuple[str, str]]:
        """Each layer with the next deeper one."""
        return pairwise(self._by_depth)

    @override
    def default_weights(self) -> Sequence[float]:
        by_depth = self._by_depth
        return [2.0 ** -by_depth.index(layer) for layer in self.layers]

    @override
    def statistics(self, features: Mapping[str, Tensor], guidance: Mapping[str, Tensor] | None = None) -> Statistics:
        shifted = {layer: _guided(features[layer] - self.SHIFT, guidance, layer) for layer in self.layers}
        found = {layer: gram_matrix(shifted[layer]) for layer in self.layers}
        for shallow, deep in self._pairs:
            found[_pair(shallow, deep)] = _correlation(shifted[shallow], shifted[deep])
        return found

    @override
    def distances(self, statistics: Statistics, target: Statistics) -> dict[str, Tensor]:
        found = {layer: style_loss(statistics[layer], target[layer]) for layer in self.layers}
        for shallow, deep in self._pairs:
            pair = _pair(shallow, deep)
            found[shallow] = (found[shallow] + style_loss(statistics[pair], target[pair])) / 2
        return found


def _pair(shallow: str, deep: str) -> str:
    return f"{shallow} {deep}"


def _correlation(shallow: Tensor, deep: Tensor) -> Tensor:
    """(1, C, D): means of the products of two layers' channels, at the smaller one's positions."""
    height, width = deep.shape[2:]
    factor = max(1, round(shallow.shape[3] / width))
    if factor > 1:
        shallow = F.avg_pool2d(shallow, factor)
    shallow = shallow[:, :, :height, :width].flatten(2)
    return torch.einsum("ncp,ndp->ncd", shallow, deep.flatten(2).to(shallow.dtype)).float() / (height * width)


class Moments(StyleLoss):
    """Means and deviations of the channels (Li et al. 2017, "Demystifying Neural Style Transfer", section 4.2)."""

    @override
    def statistics(self, features: Mapping[str, Tensor], guidance: Mapping[str, Tensor] | None = None) -> Statistics:
        found: Statistics = {}
        for layer in self.layers:
            x = features[layer].float()
            weights = 1.0 if guidance is None else guidance[layer].square()
            found[f"{layer} mean"] = (x * weights).mean((2, 3))
            found[f"{layer} square"] = (x.square() * weights).mean((2, 3))
        return found

    @override
    def distances(self, statistics: Statistics, target: Statistics) -> dict[str, Tensor]:
        def moments(of: Statistics, layer: str, floor: Tensor | None) -> tuple[Tensor, Tensor]:
            mean = of[f"{layer} mean"]
            variance = of[f"{layer} square"] - mean.square()
            return mean, (variance.clamp_min(0) + (RIDGE * variance.mean() if floor is None else floor)).sqrt()

        found = {}
        for layer in self.layers:
            variance = target[f"{layer} square"] - target[f"{layer} mean"].square()
            floor = RIDGE * variance.mean().clamp_min(EPSILON)
            mean, deviation = moments(statistics, layer, floor)
            wanted_mean, wanted_deviation = moments(target, layer, floor)
            error = (mean - wanted_mean).square().sum() + (deviation - wanted_deviation).square().sum()
            scale = wanted_mean.square().sum() + wanted_deviation.square().sum()
            found[layer] = error / scale.clamp_min(EPSILON)
        return found


class Wasserstein(StyleLoss):
    """The squared 2-Wasserstein distance of the Gaussians with the features' means and covariances.

    ``|m - m_t|^2 + tr(C + C_t - 2 (C_t^1/2 C C_t^1/2)^1/2)``, relative to ``|m_t|^2 + tr(C_t)``.  The loss of Katherine
    Crowson's style-transfer-pytorch (2021), there with the diagonal alone outside of the root and by Newton-Schulz.
    """

    @override
    def statistics(self, features: Mapping[str, Tensor], guidance: Mapping[str, Tensor] | None = None) -> Statistics:
        found: Statistics = {}
        for layer in self.layers:
            weights = 1.0 if guidance is None else guidance[layer].square()
            found[f"{layer} mean"] = (features[layer].float() * weights).mean((2, 3))
            found[f"{layer} square"] = gram_matrix(_guided(features[layer], guidance, layer))
        return found

    @override
    def distances(self, statistics: Statistics, target: Statistics) -> dict[str, Tensor]:
        found = {}
        for layer in self.layers:
            wanted_mean, wanted = _gaussian(target, layer)
            ridge = RIDGE * wanted.diagonal(dim1=1, dim2=2).mean().clamp_min(EPSILON)
            identity = ridge * torch.eye(wanted.shape[1], device=wanted.device)
            wanted = wanted + identity
            mean, covariance = _gaussian(statistics, layer)
            covariance = covariance + identity
            root = _root(wanted)
            overlap = _TraceOfRoot.apply(root @ covariance @ root)
            traces = sum(matrix.diagonal(dim1=1, dim2=2).sum() for matrix in (covariance, wanted))
            scale = wanted_mean.square().sum() + wanted.diagonal(dim1=1, dim2=2).sum()
            found[layer] = ((mean - wanted_mean).square().sum() + traces - 2 * overlap) / scale
        return found


def _gaussian(statistics: Statistics, layer: str) -> tuple[Tensor, Tensor]:
    """Mean (1, C) and covariance (1, C, C)."""
    mean = statistics[f"{layer} mean"]
    return mean, statistics[f"{layer} square"] - mean[:, :, None] * mean[:, None, :]


def _root(matrix: Tensor) -> Tensor:
    """The square root of symmetric positive semidefinite matrices (N, C, C)."""
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = vectors * values.clamp_min(0).sqrt()[:, None, :] @ vectors.transpose(1, 2)
    return root


class _TraceOfRoot(torch.autograd.Function):
    """tr(S^1/2) of symmetric positive definite (1, C, C), whose gradient is S^-1/2 / 2.

    Autograd's way through the eigenvectors divides by differences of eigenvalues, which may be zero.
    """

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(matrix)
        roots = values.clamp_min(values.max() * 1e-10).clamp_min(torch.finfo(values.dtype).tiny).sqrt()
        ctx.save_for_backward(roots, vectors)
        trace: Tensor = roots.sum()
        return trace

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        roots, vectors = ctx.saved_tensors
        inverse: Tensor = (vectors / roots[:, None, :]) @ vectors.transpose(1, 2)
        gradient: Tensor = inverse * (gradients[0] / 2)
        return gradient


class SlicedWasserstein(StyleLoss):
    """The whole distribution of the features, by its projections (Heitz et al. 2021, "A Sliced Wasserstein Loss for
    Neural Texture Synthesis").

    Every direction's sorted projections are compared with the target's.  As many directions as channels, as in the
    paper, but the same throughout the run and orthonormal, which suits L-BFGS.  Sorting makes it the slowest loss.  In
    a region, the positions count whose guidance is at least half of its maximum.
    """

    additive = False

    def __init__(self, layers: Sequence[str], weights: Sequence[float] = (), seed: int = 0) -> None:
        super().__init__(layers, weights, seed)
        self._directions: dict[tuple[int, torch.device], Tensor] = {}

    def _directions_for(self, channels: int, device: torch.device) -> Tensor:
        """Orthonormal rows (C, C)."""
        key = channels, device
        if key not in self._directions:
            generator = torch.Generator().manual_seed(self.seed)
            self._directions[key] = torch.linalg.qr(torch.randn(channels, channels, generator=generator))[0].to(device)
        return self._directions[key]

    @override
    def statistics(self, features: Mapping[str, Tensor], guidance: Mapping[str, Tensor] | None = None) -> Statistics:
        found = {}
        for layer in self.layers:
            points = features[layer].float().flatten(2)[0]
            if guidance is not None:
                inside = guidance[layer].flatten()
                points = points[:, inside >= inside.max() / 2]
            found[layer] = (self._directions_for(len(points), points.device) @ points).sort(dim=1).values
        return found

    @override
    def distances(self, statistics: Statistics, target: Statistics) -> dict[str, Tensor]:
        found = {}
        for layer in self.layers:
            wanted = _quantiles(target[layer], statistics[layer].shape[1])
            error = (statistics[layer] - wanted).square().mean()
            found[layer] = error / wanted.square().mean().clamp_min(EPSILON)
        return found

    @override
    def blend(self, styles: Sequence[Statistics], weights: Sequence[float]) -> Statistics:
        """Quantile by quantile: the barycentre of the projections, not their mixture."""
        most = {name: max(style[name].shape[1] for style in styles) for name in styles[0]}
        resampled = [{name: _quantiles(style[name], most[name]) for name in style} for style in styles]
        return super().blend(resampled, weights)


def _quantiles(ordered: Tensor, count: int) -> Tensor:
    """Sorted rows (C, N) at ``count`` evenly spread quantiles, (C, count)."""
    if ordered.shape[1] == count:
        return ordered
    return F.interpolate(ordered[None], count, mode="linear", align_corners=False)[0]


_KINDS: dict[StyleLossName, type[StyleLoss]] = {
    "gram": Gram,
    "gram-shifted": ShiftedGram,
    "moments": Moments,
    "wasserstein": Wasserstein,
    "sliced-wasserstein": SlicedWasserstein,
}
