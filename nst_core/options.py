"""Every option of the engines, stated once: name, type, default, bounds and meaning.  Free of torch.

The job's fields, the command line, the OpenAPI schema and the documentation are derived from here.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from types import UnionType
from typing import Any, Literal, Self, TypeVar, get_args, get_origin, get_type_hints

from nst_core.errors import InvalidOptions

T = TypeVar("T")

#: Convolutions per block of each encoder; layers are named convB_I and reluB_I after them.
ENCODER_BLOCKS: dict[str, tuple[int, ...]] = {
    "compact": (2, 2, 4, 4, 1),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}

#: Bounds of the long side, in pixels.
SMALLEST_SIDE = 64
LARGEST_SIDE = 16_384

#: A shorter side, at any scale, leaves less than two positions in block 5 of an encoder.
SHORTEST_SIDE = 32

#: Long side in pixels to which a painting is scaled for the training of a style.
DEFAULT_STYLE_SIZE = 512

#: Long side in pixels to which photographs of a training are reduced.
PHOTOGRAPH_SIDE = 640

#: What makes the style: see :mod:`nst_core.style_losses`.
StyleLossName = Literal["gram", "gram-shifted", "moments", "wasserstein", "sliced-wasserstein"]

#: Whose colours a picture has: see :mod:`nst_core.color`.
Color = Literal["style", "luminance", "match-cholesky", "match-pca", "match-mkl", "match-histogram"]

#: What a mask may be found for: see :mod:`nst_core.segmentation`.
AutoMask = Literal["subject", "background"]

OutputFormat = Literal["png", "jpeg", "webp", "tiff"]
MEDIA_TYPES: dict[str, str] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "tiff": "image/tiff",
}

#: Formats that know a quality from 1 to 100.
LOSSY_FORMATS = ("jpeg", "webp")
DEFAULT_QUALITY = 90


def layer_names(encoder: str) -> tuple[str, ...]:
    """Every layer name of an encoder, shallow to deep.

    Raises:
        InvalidOptions: there is no such encoder.
    """
    if encoder not in ENCODER_BLOCKS:
        raise InvalidOptions(f"{encoder!r} is not an encoder: {', '.join(ENCODER_BLOCKS)}", field="encoder")
    blocks = enumerate(ENCODER_BLOCKS[encoder], 1)
    return tuple(f"{kind}{b}_{i}" for b, depth in blocks for i in range(1, depth + 1) for kind in ("conv", "relu"))


def _option(
    default: Any,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    least: int = 0,
    most: int | None = None,
) -> Any:
    """A field: ``minimum`` and ``maximum`` bound a number or each of a list, ``least`` and ``most`` a list's length."""
    bounds = {"minimum": minimum, "maximum": maximum, "least": least, "most": most}
    return field(default=default, metadata={"description": description, **bounds})


#: The same for both engines.
STYLE_SIZE_MEANING = (
    "Long side to which each painting is scaled: larger means larger strokes. Default: the result's; for trained "
    "styles the nearest to it that they have learned."
)


@dataclass(frozen=True, kw_only=True)
class GatysOptions:
    """Options of the iterative engine (Gatys et al. 2016).

    Raises:
        InvalidOptions: a value is out of its bounds, of the wrong type, or does not fit the others.
    """

    size: int = _option(
        512, "Long side of the result in pixels; the aspect ratio is the content's.", minimum=SMALLEST_SIDE,
        maximum=LARGEST_SIDE,
    )  # fmt: skip
    style_size: int | None = _option(
        None, STYLE_SIZE_MEANING, minimum=SMALLEST_SIDE, maximum=LARGEST_SIDE,
    )  # fmt: skip
    iterations: int = _option(250, "Iterations in all, over the scales of the pyramid.", minimum=1, maximum=10_000)
    scales: int | None = _option(
        None, "Scales of the pyramid, each twice the one before; 1 works at the full size only. Default: by size.",
        minimum=1, maximum=8,
    )  # fmt: skip
    encoder: Literal["compact", "vgg16", "vgg19"] = _option("compact", "The network whose features are compared.")
    content_layers: tuple[str, ...] = _option(("relu4_2",), "Layers that keep the content, convB_I or reluB_I.")
    style_layers: tuple[str, ...] = _option(
        ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"), "Layers whose Gram matrices make the style."
    )
    content_layer_weights: tuple[float, ...] = _option(
        (), "One weight per content layer; equal when empty.", minimum=0, maximum=1e6
    )
    style_layer_weights: tuple[float, ...] = _option(
        (), "One weight per style layer; equal when empty.", minimum=0, maximum=1e6
    )
    content_weight: float = _option(0.05, "Weight of the content loss; 0 leaves it out.", minimum=0, maximum=1e6)
    final_content_weight: float | None = _option(
        None, "Weight of the content loss at the end, if it shall change: by the same factor each iteration.",
        minimum=1e-6, maximum=1e6,
    )  # fmt: skip
    style_weight: float = _option(1.0, "Weight of the style loss; 0 leaves it out.", minimum=0, maximum=1e6)
    style_weights: tuple[float, ...] = _option(
        (), "One weight per style: its part in the mixture or, with masks, in its region; equal when empty.",
        minimum=0, maximum=1e6,
    )  # fmt: skip
    color: tuple[Color, ...] = _option(
        ("style",), "Whose colours the picture has: one for all styles, or one for each.", least=1,
    )  # fmt: skip
    style_loss: StyleLossName = _option("gram", "What of the features makes the style, and how it is compared.")
    tv_weight: float = _option(0.05, "Weight of total variation: larger is smoother.", minimum=0, maximum=1e6)
    pooling: Literal["average", "max"] = _option("average", "Pooling between the encoder's blocks.")
    normalize_weights: bool = _option(
        False, "Scale the encoder's weights so that the mean activation of each channel is 1, as Gatys et al. did."
    )
    init: Literal["content", "noise", "image", "fast"] = _option(
        "content", "Where the optimisation starts; image needs an initial image. With fast it is the picture of a "
        "trained style, and goes on at the full size alone unless scales says otherwise.",
    )  # fmt: skip
    optimizer: Literal["lbfgs", "adam"] = _option("lbfgs", "L-BFGS gives the better picture, Adam takes less memory.")
    learning_rate: float | None = _option(
        None, "Step size. Default: 1 for L-BFGS, 0.02 for Adam.", minimum=1e-5, maximum=10
    )
    averaging: float = _option(
        0.0, "Decay of the running average of the iterates that is shown instead of the last one; 0 shows that.",
        minimum=0, maximum=0.9999,
    )  # fmt: skip
    tile: int | None = _option(
        None, "Side in pixels of the tiles in which the gradient is computed, a multiple of 16: smaller takes less "
        "memory and more time. Default: the whole picture at once.", minimum=128, maximum=LARGEST_SIDE,
    )  # fmt: skip
    snapshot_every: int | None = _option(
        None, "Keep the picture of every so many iterations, and of the last one. Default: none is kept.", minimum=1,
        maximum=10_000,
    )  # fmt: skip
    history: int = _option(10, "Past steps that L-BFGS remembers; memory grows with it.", minimum=1, maximum=100)
    seed: int = _option(0, "Seed of the noise; the same seed gives the same picture.", minimum=0, maximum=2**32 - 1)
    precision: Literal["auto", "float32", "bfloat16"] = _option(
        "auto", "Precision of the encoder; automatic takes bfloat16 where the hardware gains from it."
    )

    def __post_init__(self) -> None:
        _check(self)
        for kind in ("content", "style"):
            layers = getattr(self, f"{kind}_layers")
            weights = getattr(self, f"{kind}_layer_weights")
            known = layer_names(self.encoder)
            for layer in layers:
                if layer not in known:
                    raise InvalidOptions(
                        f"the encoder {self.encoder} has no layer {layer!r}; it has {known[0]} to {known[-1]}",
                        field=f"{kind}_layers",
                    )
            if len(set(layers)) != len(layers):
                raise InvalidOptions("a layer is named twice", field=f"{kind}_layers")
            if weights and len(weights) != len(layers):
                raise InvalidOptions(f"{len(weights)} weights for {len(layers)} layers", field=f"{kind}_layer_weights")
            if weights and not any(weights):
                raise InvalidOptions("at least one weight must be above 0", field=f"{kind}_layer_weights")
        if not self.uses_content and not self.uses_style:
            raise InvalidOptions("content_weight and style_weight cannot both be 0", field="style_weight")
        if self.final_content_weight is not None and not self.content_weight:
            raise InvalidOptions("a content_weight of 0 stays 0", field="final_content_weight")
        if self.tile is not None:
            if self.tile % 16:
                raise InvalidOptions(f"tile must be a multiple of 16, not {self.tile}", field="tile")
            if self.style_loss == "sliced-wasserstein":
                raise InvalidOptions("sliced-wasserstein needs the whole picture and cannot go by tiles", field="tile")

    def check_images(self, *, styles: int, masks: int, content: bool = True) -> None:
        """See that these options fit so many images.

        Raises:
            InvalidOptions: they do not.
        """
        if self.uses_style and not styles:
            raise InvalidOptions("a style image is needed unless style_weight is 0", field="style")
        if not content and self.needs_content(masks=masks):
            raise InvalidOptions("a content image is needed", field="content")
        _check_styles(self, styles, masks)

    def check_draft(self, *, style_ids: int, styles: int) -> None:
        """See that so many trained styles can make the start for so many style images.

        Raises:
            InvalidOptions: they cannot.
        """
        if style_ids and self.init != "fast":
            raise InvalidOptions("a trained style besides style images is for init=fast", field="style_id")
        if style_ids not in (0, 1, styles):
            pair = f"{_count(style_ids, 'trained style')}, {_count(styles, 'style')}"
            raise InvalidOptions(f"name one for all, or one for each style: {pair}", field="style_id")

    @property
    def starts_from_picture(self) -> bool:
        """Whether the start is a picture other than the content."""
        return self.init in ("image", "fast")

    @property
    def snapshots(self) -> int:
        """How many pictures on the way are kept."""
        return math.ceil(self.iterations / self.snapshot_every) if self.snapshot_every else 0

    def has_snapshot(self, step: int) -> bool:
        """Whether the picture after so many iterations, 1 or more, is kept."""
        return self.snapshot_every is not None and (step % self.snapshot_every == 0 or step == self.iterations)

    def content_weight_at(self, step: int) -> float:
        """The weight of the content loss after so many iterations."""
        if self.final_content_weight is None:
            return self.content_weight
        part = step / max(1, self.iterations - 1)
        return float(self.content_weight * (self.final_content_weight / self.content_weight) ** min(1.0, part))

    def needs_content(self, *, masks: int) -> bool:
        """Whether anything is taken from the content: its forms, the start, colours, or what no mask covers."""
        return self.uses_content or self.init in ("content", "fast") or masks > 0 or set(self.color) != {"style"}

    @property
    def uses_content(self) -> bool:
        """Whether the content loss takes part."""
        return self.content_weight > 0 and bool(self.content_layers)

    @property
    def uses_style(self) -> bool:
        """Whether the style loss takes part."""
        return self.style_weight > 0 and bool(self.style_layers)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """From names and values, as they come out of JSON.

        Raises:
            InvalidOptions: as the class, and for an unknown name.
        """
        return _from_mapping(cls, values)


@dataclass(frozen=True, kw_only=True)
class FastOptions:
    """Options of the fast engine (Johnson et al. 2016): one forward pass in a trained style.

    Raises:
        InvalidOptions: a value is out of its bounds or of the wrong type.
    """

    size: int = _option(
        512, "Long side of the result in pixels; the aspect ratio is the content's.", minimum=SMALLEST_SIDE,
        maximum=LARGEST_SIDE,
    )  # fmt: skip
    style_size: int | None = _option(
        None, STYLE_SIZE_MEANING, minimum=SMALLEST_SIDE, maximum=LARGEST_SIDE,
    )  # fmt: skip
    style_weights: tuple[float, ...] = _option(
        (), "One weight per style: its part in the mixture or, with masks, in its region; equal when empty.",
        minimum=0, maximum=1e6,
    )  # fmt: skip
    color: tuple[Color, ...] = _option(
        ("style",), "Whose colours the picture has: one for all styles, or one for each.", least=1,
    )  # fmt: skip
    strength: float = _option(
        1.0, "How much of the style is mixed in: 0 is the photograph, 1 the painting.", minimum=0, maximum=1
    )
    precision: Literal["auto", "float32", "bfloat16"] = _option(
        "auto", "Precision of the network; automatic takes bfloat16 where the hardware gains from it."
    )

    def __post_init__(self) -> None:
        _check(self)

    def check_strokes(self, style_sizes: Sequence[int]) -> None:
        """See that a style which has learned strokes of these sizes, ascending, can paint the size asked for.

        Raises:
            InvalidOptions: it cannot.
        """
        size, smallest, largest = self.style_size, style_sizes[0], style_sizes[-1]
        if size is not None and not smallest <= size <= largest:
            learned = f"{smallest}" if smallest == largest else f"{smallest} to {largest}"
            raise InvalidOptions(
                f"the trained style has strokes for a style_size of {learned}, not {size}", field="style_size"
            )

    def check_images(self, *, styles: int, masks: int) -> None:
        """See that these options fit so many styles and masks.

        Raises:
            InvalidOptions: they do not.
        """
        if not styles:
            raise InvalidOptions("a style is needed", field="style_id")
        _check_styles(self, styles, masks)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """From names and values, as they come out of JSON.

        Raises:
            InvalidOptions: as the class, and for an unknown name.
        """
        return _from_mapping(cls, values)


@dataclass(frozen=True, kw_only=True)
class StyleTrainingOptions:
    """Options of the training of fast styles.

    Raises:
        InvalidOptions: a value is out of its bounds or of the wrong type.
    """

    steps: int = _option(20_000, "Updates in all; the learning rate falls over them.", minimum=1, maximum=10_000_000)
    minutes: float | None = _option(
        None, "End after this time, if that is sooner; the learning rate falls in time.", minimum=1e-6, maximum=100_000
    )
    batch: int = _option(1, "Photographs per step; the number of updates matters more.", minimum=1, maximum=64)
    crop: int = _option(224, "Side of the photographs' crops in pixels.", minimum=64, maximum=1024)
    style_size: tuple[int, ...] = _option(
        (DEFAULT_STYLE_SIZE,), "Long sides to which the painting is scaled: larger means larger strokes. The style "
        "learns each of them, and paints between them.", minimum=SMALLEST_SIDE, maximum=4096, least=1, most=4,
    )  # fmt: skip
    content_weight: float = _option(0.15, "Weight of the content loss.", minimum=0, maximum=1e6)
    style_weight: float = _option(1.0, "Weight of the style loss.", minimum=0, maximum=1e6)
    tv_weight: float = _option(0.3, "Weight of total variation: larger is smoother.", minimum=0, maximum=1e6)
    # The output is linear, as a sigmoid stops learning where it saturates.
    range_weight: float = _option(10.0, "Weight of colours beyond black and white.", minimum=0, maximum=1e6)
    grain: float = _option(
        0.08, "Deviation of the noise on the photographs, in training and later: it keeps strokes from repeating where "
        "nothing is to be seen; 0 leaves it out.", minimum=0, maximum=1,
    )  # fmt: skip
    learning_rate: float = _option(
        1e-3, "Of the trunk, falling to zero along a cosine.", minimum=1e-6, maximum=1
    )  # fmt: skip
    style_speed: float = _option(
        4.0, "Learning rate of the style vectors in multiples of the trunk's: each learns in its turn only.",
        minimum=0.01, maximum=100,
    )  # fmt: skip
    content_layers: tuple[str, ...] = _option(("relu4_2",), "Layers that keep the content, convB_I or reluB_I.")
    style_layers: tuple[str, ...] = _option(
        ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"), "Layers whose Gram matrices make the style."
    )
    pooling: Literal["average", "max"] = _option("average", "Pooling between the blocks of the loss network.")
    freeze_trunk: bool = _option(
        False, "Train the style vectors alone: quick, for new styles of a trained trunk."
    )  # fmt: skip
    seed: int = _option(0, "Seed of crops, order and initial weights.", minimum=0, maximum=2**32 - 1)

    def __post_init__(self) -> None:
        _check(self)
        for kind in ("content", "style"):
            for layer in getattr(self, f"{kind}_layers"):
                if layer not in layer_names("vgg19"):
                    raise InvalidOptions(f"there is no layer {layer!r}", field=f"{kind}_layers")
        if not self.style_layers or not self.content_layers:
            raise InvalidOptions("name at least one layer", field="style_layers")
        if self.style_weight == 0:
            raise InvalidOptions("style_weight must be above 0", field="style_weight")
        if list(self.style_size) != sorted(set(self.style_size)):
            raise InvalidOptions("style_size must name each size once, the smallest first", field="style_size")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """From names and values, as they come out of JSON; a single ``style_size`` need not be a list.

        Raises:
            InvalidOptions: as the class, and for an unknown name.
        """
        size = values.get("style_size")
        return _from_mapping(cls, {**values, "style_size": [size]} if isinstance(size, int) else values)


#: The iterative engine's options by name, as dataclass fields with ``metadata`` of description, minimum and maximum.
OPTIONS = {f.name: f for f in fields(GatysOptions)}

#: The fast engine's.
FAST_OPTIONS = {f.name: f for f in fields(FastOptions)}


@cache  # to find them takes longer than to check by them
def _type_hints(options: type) -> dict[str, Any]:
    return get_type_hints(options)


def _check(options: Any) -> None:
    """Checks every field of an options object, and puts it into its type."""
    metadata = {f.name: f.metadata for f in fields(options)}
    for name, hint in _type_hints(options.__class__).items():
        object.__setattr__(options, name, _checked(name, hint, getattr(options, name), metadata[name]))


def _from_mapping(cls: type[T], values: Mapping[str, Any]) -> T:
    known = {f.name for f in fields(cls)}  # type: ignore[arg-type]  # the options are dataclasses
    for name in values:
        if name not in known:
            raise InvalidOptions(f"there is no option {name!r}", field=name)
    return cls(**values)


def default_of(name: str) -> Any:
    """The default of one option."""
    default = OPTIONS[name].default
    assert default is not MISSING
    return default


def _checked(name: str, hint: Any, value: Any, limits: Mapping[str, Any]) -> Any:
    """``value`` in the type of ``hint`` and within its bounds."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return None if value is None else _checked(name, arguments[0], value, limits)
    if origin is tuple:
        if isinstance(value, str) or not hasattr(value, "__iter__"):
            raise InvalidOptions(f"{name} must be a list", field=name)
        value = list(value)
        if len(value) < limits["least"]:
            raise InvalidOptions(f"{name} must have a value", field=name)
        if limits["most"] is not None and len(value) > limits["most"]:
            raise InvalidOptions(f"{name} must have {_count(limits['most'], 'value')} at most", field=name)
        return tuple(_checked(name, arguments[0], item, limits) for item in value)
    if origin is Literal:
        if value not in arguments:
            raise InvalidOptions(f"{name} must be one of {', '.join(arguments)}, not {value!r}", field=name)
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not hint:
        kinds = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
        raise InvalidOptions(f"{name} must be {kinds[hint]}, not {value!r}", field=name)
    low, high = limits["minimum"], limits["maximum"]
    if hint is float and not math.isfinite(value):
        raise InvalidOptions(f"{name} must be a finite number", field=name)
    if (low is not None and value < low) or (high is not None and value > high):
        raise InvalidOptions(f"{name} must be between {low:.15g} and {high:.15g}, not {value:.15g}", field=name)
    return value


def _check_styles(options: "GatysOptions | FastOptions", styles: int, masks: int) -> None:
    """See that the options of which there is one for each style fit their number, and that masks do.

    Raises:
        InvalidOptions: they do not.
    """
    if masks and masks != styles:
        pair = f"{_count(masks, 'mask')}, {_count(styles, 'style')}"
        raise InvalidOptions(f"each mask belongs to the style in its place: {pair}", field="mask")
    if options.style_weights and len(options.style_weights) != styles:
        pair = f"{_count(len(options.style_weights), 'weight')}, {_count(styles, 'style')}"
        raise InvalidOptions(f"name one for each style: {pair}", field="style_weights")
    if options.style_weights and not any(options.style_weights):
        raise InvalidOptions("at least one weight must be above 0", field="style_weights")
    if len(options.color) > 1:
        if len(options.color) != styles:
            pair = f"{len(options.color)} for {_count(styles, 'style')}"
            raise InvalidOptions(f"name one for all, or one for each style: {pair}", field="color")
        if not masks and "luminance" in options.color and len(set(options.color)) > 1:
            raise InvalidOptions("luminance goes with other colours only where masks part them", field="color")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def default_long_side(width: int, height: int, most: int) -> int:
    """The long side of a result whose size is not asked for: the content's own, at most ``most``."""
    return max(SMALLEST_SIDE, min(max(width, height), most))


def style_long_side(width: int, height: int, long_side: int) -> int:
    """The long side to which a style image is scaled: ``long_side``, or more for one whose short side needs it."""
    return max(long_side, math.ceil(SHORTEST_SIDE * max(width, height) / min(width, height)))


def output_size(width: int, height: int, long_side: int) -> tuple[int, int]:
    """(width, height) of the result: the long side exactly ``long_side``, the aspect ratio kept."""
    scale = long_side / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))
