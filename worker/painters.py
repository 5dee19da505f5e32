"""The engines as the runner sees them: something to load, then a picture on its way."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from PIL import Image
from typing_extensions import override

from nst_core.checkpoint import Checkpoint
from nst_core.deep import DeepPicture, Picture
from nst_core.draft import draft
from nst_core.errors import CorruptCheckpoint
from nst_core.fast import paint_fast_image
from nst_core.fast_models import FastModels
from nst_core.gatys import Iterate, Subject, paint
from nst_core.image import to_deep_picture, to_picture
from nst_core.options import FastOptions, GatysOptions
from nst_core.pretrained import EncoderCache
from nst_core.pyramid import plan, share_of_work
from nst_core.record import ScaleClock, ScaleTime
from nst_core.similarity import picture_similarity

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """How far a picture is.

    Attributes:
        fraction: of the work done, in (0, 1]; 1 is the finished picture's.
        step: iterations done.
        message: what happens now, for people.
        losses: by name; ``total`` is the weighted one.  Empty when none are measured.
        tile: the side of the tiles that the picture is worked on in; None for as a whole.
        is_light: a checkpoint is as small here as it gets, if one can be had.
        picture: makes the RGB picture as it is now.
        deep_picture: makes the same of 16 bits; None where the engine has it in 8 only.
    """

    fraction: float
    step: int
    message: str = ""
    losses: dict[str, float] = field(default_factory=dict)
    tile: int | None = None
    is_light: bool = True
    picture: Callable[[], Image.Image]
    deep_picture: Callable[[], DeepPicture] | None = None


class Painter(ABC):
    """One picture in the hands of an engine."""

    #: Iterations in all.
    total_steps: int

    #: The encoder that takes part, if one does.
    encoder: str | None = None

    #: How opaque the result shall be, of any size (``L``); None: everywhere.
    alpha: Image.Image | None = None

    #: EXIF data for the result's file.
    exif: bytes | None = None

    #: Of the weights of the trained styles that take part; known when they are loaded.
    weights_sha256: Sequence[str] = ()

    #: The trained styles that take part; of a draft's own choice, known when it is painted.
    style_ids: Sequence[str] = ()

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

    @property
    def scale_times(self) -> list[ScaleTime]:
        """What each scale of a pyramid has taken so far."""
        return []

    def similarity(self, picture: Image.Image) -> float | None:
        """SSIM of the finished picture to the content, -1 to 1; None where it is not measured."""
        return None

    def checkpoint(self, most: int) -> bytes | None:
        """What a later painter of the same job needs to go on from here, between two stages.

        None if it cannot go on from here, or needs more than so many bytes.
        """
        return None

    def conclude(self) -> Callable[[], None] | None:
        """What keeps what was made besides the picture, after the last stage; to call it again does no harm."""
        return None


class GatysPainter(Painter):
    """The iterative engine: the image itself is optimised (Gatys et al. 2016).

    Args:
        models, style_ids: for ``init="fast"``, where trained styles make the start.
        checkpoint: of an earlier painter of the same job; one that cannot be used is left aside.
    """

    def __init__(
        self,
        subject: Subject,
        options: GatysOptions,
        encoders: EncoderCache,
        models: FastModels | None = None,
        style_ids: Sequence[str] = (),
        checkpoint: bytes | None = None,
    ) -> None:
        self.subject, self.options, self.encoders = subject, options, encoders
        self.models, self.style_ids, self._given = models, style_ids, checkpoint
        self._origin: Checkpoint | None = None
        self._iterate: Iterate | None = None
        self.total_steps, self.encoder = options.iterations, options.encoder
        self._clock = ScaleClock()

    @property
    @override
    def missing(self) -> str | None:
        here = (self.options.encoder, self.options.normalize_weights) in self.encoders
        return None if here else f"the encoder {self.options.encoder}"

    @override
    def load(self) -> None:
        self._network = self.encoders.get(self.options.encoder, normalized=self.options.normalize_weights)
        if self._given:
            self._origin = self._read(self._given)

    def _read(self, data: bytes) -> Checkpoint | None:
        scales = plan(*self.subject.frame.size, self.options)
        try:
            origin = Checkpoint.from_bytes(data, next(self._network.parameters()).device)
        except CorruptCheckpoint as error:
            logger.warning("%s; the picture is begun anew", error)
            return None
        if not origin.fits(scales):
            logger.warning("the checkpoint is of another picture, which is begun anew")
            return None
        self.done = share_of_work(scales, origin.step)
        logger.info("the picture goes on after iteration %d", origin.step)
        return origin

    @override
    def checkpoint(self, most: int) -> bytes | None:
        make = self._iterate.checkpoint if self._iterate else None
        return make().to_bytes(most) if make else None

    def _draft(self) -> None:
        """Paints what the optimisation starts from."""
        assert self.models is not None
        made = draft(self.subject, self.options, self._network, self.models, self.style_ids)
        self.subject = replace(self.subject, initial=made.picture)
        self.style_ids = made.style_ids
        self.weights_sha256 = self.models.gallery.digests(made.style_ids)
        logger.info("the start is painted in: %s", ", ".join(made.style_ids) or "nothing, it is the content")

    @override
    def paint(self) -> Iterator[Stage]:
        if self.options.init == "fast":
            self._draft()
        for iterate in self._clock.watch(paint(self.subject, self.options, self._network, self._origin)):
            self._iterate = iterate
            yield Stage(
                fraction=iterate.fraction,
                step=iterate.step,
                message=f"scale {iterate.scale} of {iterate.scales}, {max(iterate.width, iterate.height)} px",
                losses=iterate.losses,
                tile=iterate.tile,
                is_light=iterate.is_light,
                picture=iterate.picture,
                deep_picture=iterate.deep_picture,
            )

    @property
    @override
    def scale_times(self) -> list[ScaleTime]:
        return self._clock.scales

    @override
    def similarity(self, picture: Image.Image) -> float | None:
        content = self.subject.content
        return picture_similarity(picture, content) if content else None


class FastPainter(Painter):
    """The fast engine: one forward pass of a trained network (Johnson et al. 2016)."""

    total_steps = 1

    def __init__(
        self,
        content: Picture,
        style_ids: Sequence[str],
        masks: Sequence[Image.Image],
        options: FastOptions,
        models: FastModels,
    ) -> None:
        self.content, self.style_ids, self.masks = content, style_ids, masks
        self.options, self.models = options, models

    @property
    @override
    def missing(self) -> str | None:
        missing = [style_id for style_id in self.style_ids if style_id not in self.models]
        return f"the style {', '.join(missing)}" if missing else None

    @override
    def load(self) -> None:
        models, before = self.models, self.models.misses
        self._styles = [models.get(style_id) for style_id in self.style_ids]
        self.weights_sha256 = models.gallery.digests(self.style_ids)
        if models.misses > before:
            told = (", ".join(self.style_ids), models.bytes / 1e6, models.hits, models.misses)
            logger.info("style %s: loaded; %.1f MB of styles here, %d hits, %d misses so far", *told)

    @override
    def similarity(self, picture: Image.Image) -> float | None:
        return picture_similarity(picture, self.content)

    @override
    def paint(self) -> Iterator[Stage]:
        image = paint_fast_image(self.content, self._styles, self.options, masks=self.masks)
        yield Stage(
            fraction=1.0, step=1, picture=partial(to_picture, image), deep_picture=partial(to_deep_picture, image)
        )
