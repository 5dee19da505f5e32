"""Encoders: networks that turn an image into the feature maps which losses compare.

All name their layers as VGG-19 does: ``convB_I`` is the I-th convolution of block B before the ReLU,
``reluB_I`` after it.  All take RGB images as float tensors (N, 3, H, W) in [0, 1].
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from nst_core.errors import CorruptWeights, InvalidOptions
from nst_core.options import ENCODER_BLOCKS

Pooling = Literal["average", "max"]
Padding = Literal["zeros", "reflect"]

#: Channels per block.
VGG_WIDTHS = (64, 128, 256, 512, 512)
COMPACT_WIDTHS = (16, 32, 64, 128, 256)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def convolution_names(blocks: Iterable[int]) -> tuple[str, ...]:
    """``("1_1", "1_2", "2_1", ...)`` for blocks with that many convolutions."""
    return tuple(f"{b}_{i}" for b, depth in enumerate(blocks, 1) for i in range(1, depth + 1))


class Encoder(nn.Module):
    """A stack of 3x3 convolutions with ReLUs and 2x2 pooling between the blocks.

    Subclasses fill ``convolutions`` and ``heads``, and may override :meth:`preprocess`.
    """

    def __init__(self, name: str, blocks: tuple[int, ...], widths: tuple[int, ...], padding_mode: Padding) -> None:
        super().__init__()
        self.name = name
        self.names = convolution_names(blocks)
        self.pooling: Pooling = "average"
        self.convolutions = nn.ModuleDict()
        #: 1x1 convolutions by layer, for encoders that estimate a wider network's activations; else empty.
        self.heads = nn.ModuleDict()
        channels = 3
        for layer in self.names:
            width = widths[int(layer[0]) - 1]
            self.convolutions[layer] = nn.Conv2d(channels, width, 3, padding=1, padding_mode=padding_mode)
            channels = width

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer name that :meth:`forward` takes."""
        return tuple(f"{kind}{name}" for name in self.names for kind in ("conv", "relu"))

    def preprocess(self, image: Tensor) -> Tensor:
        """From RGB in [0, 1] to what the first convolution expects."""
        return image

    def activation(self, name: str, convolved: Tensor) -> Tensor:
        """What ``conv{name}`` shows to the outside: its head's output where there is a head, else its own."""
        return self.heads[name](F.relu(convolved)) if name in self.heads else convolved

    def forward(self, image: Tensor, layers: Collection[str], *, thin: int = 1) -> dict[str, Tensor]:
        """Feature maps (N, C, H', W') of ``layers``, by name.

        Computes no deeper than the deepest layer asked for.  With ``thin`` the maps of the blocks 1 and 2, by far the
        largest, show only every ``thin``-th row and column: enough to train on.

        Raises:
            InvalidOptions: a layer does not exist in this encoder.
        """
        unknown = set(layers) - set(self.layers)
        if unknown:
            raise InvalidOptions(f"the encoder {self.name} has no layer {', '.join(sorted(unknown))}")
        found: dict[str, Tensor] = {}
        # channels_last is the faster layout for narrow convolutions, on CPU as on GPU.
        x = self.preprocess(image).contiguous(memory_format=torch.channels_last)
        for name, convolution in self.convolutions.items():
            if name != "1_1" and name.endswith("_1"):
                x = F.max_pool2d(x, 2) if self.pooling == "max" else F.avg_pool2d(x, 2)
            if name == "1_1":
                # The image itself stays in float32: bfloat16 has fewer steps between 0 and 1 than an 8-bit file.
                kind = x.device.type
                dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32
                with torch.autocast(kind, enabled=False):
                    x = convolution(x.float()).to(dtype)
            else:
                x = convolution(x)
            if f"conv{name}" in layers or f"relu{name}" in layers:
                shown = self.activation(name, x[:, :, ::thin, ::thin] if name < "3" else x)
                if f"conv{name}" in layers:
                    found[f"conv{name}"] = shown
                if f"relu{name}" in layers:
                    found[f"relu{name}"] = F.relu(shown)
                if len(found) == len(set(layers)):
                    break
            x = F.relu(x)
        return found


class VGG(Encoder):
    """VGG-16 or VGG-19 (Simonyan & Zisserman 2015) with torchvision's ImageNet weights."""

    def __init__(self, name: Literal["vgg16", "vgg19"]) -> None:
        # Zero padding, as it was trained.
        super().__init__(name, ENCODER_BLOCKS[name], VGG_WIDTHS, "zeros")
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def preprocess(self, image: Tensor) -> Tensor:
        """Subtracts ImageNet's mean and divides by its deviation."""
        return (image - self.mean) / self.std  # type: ignore[operator]  # buffers are typed as Tensor | Module

    @classmethod
    def from_torchvision(cls, name: Literal["vgg16", "vgg19"], state: dict[str, Tensor]) -> "VGG":
        """From a state dict in torchvision's format (``features.0.weight``, ...); the classifier is ignored.

        Raises:
            CorruptWeights: keys or shapes are not those of this network.
        """
        encoder = cls(name)
        # torchvision numbers convolutions, ReLUs and poolings in one row: two places per convolution,
        # one more per block that lies before.
        places = {n: 2 * k + int(n[0]) - 1 for k, n in enumerate(encoder.names)}
        try:
            renamed = {
                f"convolutions.{n}.{part}": state[f"features.{place}.{part}"]
                for n, place in places.items()
                for part in ("weight", "bias")
            }
            encoder.load_state_dict(renamed)
        except (KeyError, RuntimeError) as error:
            raise CorruptWeights(f"these are not the weights of {name} in torchvision's format: {error}") from None
        return encoder


class Compact(Encoder):
    """The project's own encoder: VGG-19's topology at a quarter of the width, with wide heads.

    A 1x1 convolution per layer (its head) maps the narrow trunk to an estimate of VGG-19's own activations, which
    are what the losses see: Gram matrices of the wide estimates give a better style than those of the narrow trunk.
    The idea of compressing VGG for style transfer: Wang et al. 2020, "Collaborative Distillation for
    Ultra-Resolution Universal Style Transfer".  Weights: see ``weights/compact.md``.
    """

    def __init__(self, head_widths: dict[str, int], widths: tuple[int, ...] = COMPACT_WIDTHS) -> None:
        super().__init__("compact", ENCODER_BLOCKS["compact"], widths, "reflect")
        self.heads = nn.ModuleDict(
            {name: nn.Conv2d(widths[int(name[0]) - 1], width, 1) for name, width in head_widths.items()}
        )
        # He et al. 2015 for ReLU networks; torch's default shrinks the signal layer by layer.
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def preprocess(self, image: Tensor) -> Tensor:
        """To [-2, 2]."""
        return (image - 0.5) / 0.25

    @classmethod
    def from_file(cls, path: Path) -> "Compact":
        """From safetensors written by the encoder's training (any precision).

        Raises:
            CorruptWeights: the file cannot be read or belongs to another network.
        """
        state = read_safetensors(path)
        try:
            heads = {k.split(".")[1]: v.shape[0] for k, v in state.items() if k.startswith("heads.") and v.ndim == 4}
            widths = tuple(state[f"convolutions.{b}_1.bias"].shape[0] for b in range(1, 6))
            encoder = cls(heads, widths)
            encoder.load_state_dict({k: v.float() for k, v in state.items()})
        except (KeyError, RuntimeError) as error:
            raise CorruptWeights(f"{path.name} does not hold a compact encoder: {error}") from None
        return encoder


class CompressedVGG(Encoder):
    """A narrow VGG-19 from a file, as published by Wang et al. (2020): a teacher and judge, never shipped.

    Keys: ``preprocess``, ``convB_I`` and ``auxB_1``; the auxiliary 1x1 convolutions map the narrow activations to
    estimates of VGG-19's own.  With ``wide`` the layers B_1 show these estimates, else the narrow activations.
    """

    def __init__(self, state: dict[str, Tensor], *, wide: bool) -> None:
        widths = tuple(state[f"conv{b}_1.bias"].shape[0] for b in range(1, 6))
        super().__init__("vgg19-16x", ENCODER_BLOCKS["compact"], widths, "reflect")
        self.pooling = "max"
        self.color = nn.Conv2d(3, 3, 1)
        self.color.load_state_dict({"weight": state["preprocess.weight"], "bias": state["preprocess.bias"]})
        for name, convolution in self.convolutions.items():
            convolution.load_state_dict({"weight": state[f"conv{name}.weight"], "bias": state[f"conv{name}.bias"]})
        for name in [n for n in self.names if f"aux{n}.weight" in state and wide]:
            weight, bias = state[f"aux{name}.weight"], state[f"aux{name}.bias"]
            self.heads[name] = nn.Conv2d(weight.shape[1], weight.shape[0], 1)
            self.heads[name].load_state_dict({"weight": weight, "bias": bias})

    def preprocess(self, image: Tensor) -> Tensor:
        """To BGR in [0, 255] less the mean, by the file's own 1x1 convolution."""
        with torch.autocast(image.device.type, enabled=False):
            return self.color(image.float())  # type: ignore[no-any-return]

    @classmethod
    def from_file(cls, path: Path, *, wide: bool) -> "CompressedVGG":
        """Raises CorruptWeights when the file cannot be read or belongs to another network."""
        state = read_safetensors(path)
        try:
            return cls(state, wide=wide)
        except (KeyError, RuntimeError) as error:
            raise CorruptWeights(f"{path.name} does not hold a compressed VGG-19: {error}") from None


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file.

    Raises:
        CorruptWeights: there is no such file, or it is not safetensors.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError) as error:
        raise CorruptWeights(f"{path.name} cannot be read: {error}") from None
