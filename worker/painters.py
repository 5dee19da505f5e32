"""The engines as the runner sees them: something to load, then a picture on its way."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from PIL import Image
from typing_extensions import override

from nst_core.fast import paint_fast
from nst_core.fast_models import FastModels
from nst_core.gatys import paint
from nst_core.options import FastOptions, GatysOptions
from nst_core.pretrained import EncoderCache

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """How far a picture is.

    Attributes:
        fraction: of the work done, in (0, 1]; 1 is the finished picture's.
        step: iterations done.
        message: what happens now, for people.
        losses: by name; ``total`` is the weighted one.  Empty when none are measured.
        picture: makes the RGB picture as it is now.
    """

    fraction: float
    step: int
    message: str = ""
    losses: dict[str, float] = field(default_factory=dict)
    picture: Callable[[], Image.Image]


class Painter(ABC):
    """One picture in the hands of an engine."""

    #: Iterations in all.
    total_steps: int

    #: The encoder that takes part, if one does.
    encoder: str | None = None

    #: How opaque the result shall be, of any size (``L``); None: everywhere.
    alpha: Image.Image | None = None

    #: Seconds between two previews, where making the picture as it is now costs time; 0: with every report.
    preview_seconds = 0.0

    #: Share of the work that an earlier painter of the same job has done; known when all is loaded.
    done = 0.0

    @property
    @abstractmethod
    def missing(self) -> str | None:
        """What has to be loaded before painting, for people; None when all is here."""

    @abstractmethod
    def load(self) -> None:
        """Load what is missing; comes before painting.

        Raises:
            NSTError: it cannot be had.
        """

    @abstractmethod
    def paint(self) -> Iterator[Stage]:
        """The picture on its way; there is at least one stage."""

    def checkpoint(self) -> bytes | None:
        """What a later painter of the same job needs to go on from here, between two stages; None if it cannot."""
        return None

    def conclude(self) -> Callable[[], None] | None:
        """What keeps what was made besides the picture, after the last stage; to call it again does no harm."""
        return None


class GatysPainter(Painter):
    """The iterative engine: the image itself is optimised (Gatys et al. 2016)."""

    def __init__(
        self,
        content: Image.Image,
        style: Image.Image,
        initial: Image.Image | None,
        options: GatysOptions,
        encoders: EncoderCache,
    ) -> None:
        self.content, self.style, self.initial = content, style, initial
        self.options, self.encoders = options, encoders
        self.total_steps, self.encoder = options.iterations, options.encoder

    @property
    @override
    def missing(self) -> str | None:
        here = (self.options.encoder, self.options.normalize_weights) in self.encoders
        return None if here else f"the encoder {self.options.encoder}"

    @override
    def load(self) -> None:
        self._network = self.encoders.get(self.options.encoder, normalized=self.options.normalize_weights)

    @override
    def paint(self) -> Iterator[Stage]:
        for iterate in paint(self.content, self.style, self.options, self._network, initial=self.initial):
            yield Stage(
                fraction=iterate.fraction,
                step=iterate.step,
                message=f"scale {iterate.scale} of {iterate.scales}, {max(iterate.width, iterate.height)} px",
                losses=iterate.losses,
                picture=iterate.picture,
            )


class FastPainter(Painter):
    """The fast engine: one forward pass of a trained network (Johnson et al. 2016)."""

    total_steps = 1

    def __init__(self, content: Image.Image, style_id: str, options: FastOptions, models: FastModels) -> None:
        self.content, self.style_id, self.options, self.models = content, style_id, options, models

    @property
    @override
    def missing(self) -> str | None:
        return None if self.style_id in self.models else f"the style {self.style_id}"

    @override
    def load(self) -> None:
        models, before = self.models, self.models.misses
        self._network, self._style = models.get(self.style_id)
        if models.misses > before:
            told = (self.style_id, models.bytes / 1e6, models.hits, models.misses)
            logger.info("style %s: loaded; %.1f MB of styles here, %d hits, %d misses so far", *told)

    @override
    def paint(self) -> Iterator[Stage]:
        picture = paint_fast(self.content, self._network, self._style, self.options)
        yield Stage(fraction=1.0, step=1, picture=lambda: picture)
