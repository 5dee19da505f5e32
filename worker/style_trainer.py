"""The training of a style as the runner sees it: a painter whose picture is a sample in the new style."""

import io
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from PIL import Image
from typing_extensions import override

from nst_core.dataset import find_images
from nst_core.errors import CorruptCheckpoint, TrainingFailed
from nst_core.fast_models import FastModels
from nst_core.options import StyleTrainingOptions
from nst_core.picture import decode, encode
from nst_core.pretrained import EncoderCache
from nst_core.style_training import Painting, StyleTraining, thumbnail
from worker.painters import Painter, Stage

logger = logging.getLogger(__name__)

#: Photographs of the server's folder that a training of one style reads, at most: they are read before each one.
MOST_PHOTOGRAPHS = 500


@dataclass(frozen=True, kw_only=True)
class NewStyle:
    """What a training job is about.

    Attributes:
        id: of the style that it makes.
        title, artist, year, licence: of the painting, as the gallery will tell.
        painting: with whether its colours stay with it.
        photographs: gives the user's own, one after the other; None to train on the server's.
    """

    id: str
    title: str
    artist: str
    year: str
    licence: str
    painting: Painting
    photographs: Callable[[], Iterable[Image.Image]] | None


class StyleTrainer(Painter):
    """Trains a network of its own for a new style; the picture is the gallery's sample in that style.

    Args:
        images: folder of photographs, for a style that brings none.
        checkpoint: of an earlier trainer of the same job.
        keep: keeps the finished style, with its weights and its thumbnail.
    """

    preview_seconds = 5.0
    encoder = "compact"

    def __init__(
        self,
        new: NewStyle,
        options: StyleTrainingOptions,
        encoders: EncoderCache,
        models: FastModels,
        *,
        images: Path | None,
        checkpoint: bytes | None,
        keep: Callable[..., None],
    ) -> None:
        self.new, self.options, self.encoders, self.models = new, options, encoders, models
        self.images, self.last_checkpoint, self.keep = images, checkpoint, keep
        self.total_steps = options.steps

    @property
    @override
    def missing(self) -> str | None:
        return "the photographs"

    @override
    def load(self) -> None:
        self._sample = decode(self.models.gallery.sample())
        self._training = self._begin()
        if self.last_checkpoint:
            try:
                self._training.resume(io.BytesIO(self.last_checkpoint))
            except (CorruptCheckpoint, TrainingFailed) as error:
                logger.warning("style %s: %s; it begins anew", self.new.id, error)
                self._training = self._begin()
        self.done = self._training.fraction

    def _begin(self) -> StyleTraining:
        """A training at its first step.

        Raises:
            TrainingFailed: there are no photographs.
        """
        photographs = self.new.photographs() if self.new.photographs else self._files()
        encoder = self.encoders.get(self.encoder)
        paintings = {self.new.id: self.new.painting}
        training = StyleTraining(encoder, photographs, paintings, self.options, self.models.device)
        training.initialize(self.models.gallery)
        return training

    def _files(self) -> list[Path]:
        # Without the path, which is nobody's business but the server's.
        if self.images is None:
            raise TrainingFailed("the worker has no folder of photographs (NST_TRAINING_IMAGES)")
        try:
            return find_images(self.images, MOST_PHOTOGRAPHS)
        except TrainingFailed:
            raise TrainingFailed("the worker's folder of photographs (NST_TRAINING_IMAGES) holds none") from None

    @override
    def paint(self) -> Iterator[Stage]:
        for step in self._training.run():
            yield Stage(
                fraction=step.fraction,
                step=step.step,
                message=f"step {step.step}",
                losses=step.losses,
                picture=self._painted_sample,
            )

    def _painted_sample(self) -> Image.Image:
        return self._training.painted(self._sample, self.new.id)

    @override
    def checkpoint(self, most: int) -> bytes | None:
        file = io.BytesIO()
        self._training.save_checkpoint(file)
        return file.getvalue() if file.tell() <= most else None

    @override
    def conclude(self) -> Callable[[], None]:
        style, weights, painted = self._training.trained(self.new.id, self._sample)
        new = self.new
        style = replace(style, title=new.title, artist=new.artist, year=new.year, licence=new.licence)
        small = encode(thumbnail(painted), "jpeg", quality=85)
        return partial(self.keep, style, weights=weights, thumbnail=small)
