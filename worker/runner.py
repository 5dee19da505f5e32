"""Running one job, from its images in the store to its result there."""

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cached_property, partial
from hashlib import sha256
from math import inf
from time import monotonic, sleep
from typing import Any

import torch
from billiard.exceptions import SoftTimeLimitExceeded
from PIL import Image

from jobs.contract import Job, JobError, Metrics, Output, Progress, ScaleSeconds, Status
from jobs.errors import ExpiredJob, JobsError, LeaseLost, StoreUnavailable, StyleExists, TooManyStyles, UnknownJob
from jobs.gallery import ServiceGallery
from jobs.protocol import Store
from jobs.styles import StyleStore
from nst_core.deep import eight_bits
from nst_core.device import choose_device, is_device_lost, is_out_of_memory, precision_in_force
from nst_core.errors import NSTError
from nst_core.fast_models import FastModels
from nst_core.file_options import FileOptions
from nst_core.gatys import Subject
from nst_core.options import DEFAULT_QUALITY, MEDIA_TYPES, FastOptions, StyleTrainingOptions
from nst_core.picture import PictureLimits, decode, decode_mask, decode_photograph, encode, with_alpha
from nst_core.pretrained import EncoderCache
from nst_core.record import KEY, Record
from nst_core.segmentation import auto_mask
from nst_core.style_training import Painting
from worker.heartbeat import Heartbeat
from worker.painters import FastPainter, GatysPainter, Painter, Stage
from worker.settings import WorkerSettings
from worker.snapshots import Snapshots
from worker.style_trainer import NewStyle, StyleTrainer

logger = logging.getLogger(__name__)


#: Seconds by which Celery's clock of a job may be ahead of the runner's.
_LIMIT_SLACK = 0.5

#: After so many times the seconds between two checkpoints, one no longer waits for an iteration where it is light.
_OVERDUE = 2.0


class Canceled(Exception):
    """The client asked for the end of the job."""


class DeviceLost(Exception):
    """This process can compute nothing more on its device; another one can."""


class Runner:
    """Paints jobs on one device; networks stay loaded from job to job."""

    def __init__(self, store: Store, settings: WorkerSettings) -> None:
        self.store, self.settings = store, settings

    @cached_property
    def device(self) -> torch.device:
        """Where to paint.

        Raises:
            DeviceUnavailable: the device of the settings does not exist; every job says so.
        """
        return choose_device(self.settings.device)

    @cached_property
    def encoders(self) -> EncoderCache:
        """The encoders on this worker's device."""
        return EncoderCache(self.device, self.settings.weights_dir, download=self.settings.allow_download)

    @cached_property
    def styles(self) -> StyleStore:
        """The styles that users added."""
        return StyleStore.connect(self.settings.redis_url)

    @cached_property
    def models(self) -> FastModels:
        """The fast styles on this worker's device.

        Raises:
            CorruptWeights: the gallery cannot be read; every fast job says so.
        """
        return FastModels(
            ServiceGallery(self.settings.styles_dir, self.styles), self.device, self.settings.model_cache_mb * 10**6
        )

    def warm_up(self) -> None:
        """Loads what the settings name; what cannot be had is told and left to its jobs."""
        try:
            logger.info("painting on %s", self.device)
        except NSTError as error:
            logger.warning("nothing can be painted: %s", error)
        for name in filter(None, map(str.strip, self.settings.warm_encoders.split(","))):
            try:
                self.encoders.get(name)
            except NSTError as error:
                logger.warning("the encoder %s is not loaded: %s", name, error)
        try:
            for style_id in self.models.gallery.styles if self.settings.warm_styles else ():
                self.models.get(style_id)
                if self.models.full:
                    break
        except NSTError as error:
            logger.warning("the fast styles are not loaded: %s", error)

    def run(self, job_id: str) -> bool:
        """Takes the job and brings it to its end, whatever that is.

        Returns:
            False when another worker holds the job, so that it should be looked at again later.

        Raises:
            DeviceLost: the job was given up; this process should end, so that another one takes it up.
            StoreUnavailable: Redis cannot be reached; the job is looked at again later.
        """
        token = uuid.uuid4().hex
        job = self.store.start(job_id, token)
        if job is None:
            return not self._held_elsewhere(job_id)
        logger.info("job %s: started, attempt %d", job_id, job.attempt)
        began = monotonic()
        try:
            with Heartbeat(self.store, job_id, token) as heartbeat:
                snapshots = Snapshots(self.store, job, token)
                ending = self._ending(job, token, heartbeat, snapshots)
                # With the heartbeat still going: when the store was away, it takes the lease up again before others do.
                self._finish(job_id, token, ending, heartbeat, snapshots)
        except (LeaseLost, UnknownJob, ExpiredJob):
            logger.warning("job %s: deleted or taken over; its picture is thrown away", job_id)
        except (SystemExit, KeyboardInterrupt):
            # The worker shuts down and Celery gives the message back: so do we with the job.  Or the hard limit is
            # reached: given back, the job would reach it again and again.
            if monotonic() - began > self.settings.soft_time_limit_seconds - _LIMIT_SLACK:
                self._end_late(job_id, token)
            else:
                self._give_back(job_id, token)
            raise
        except DeviceLost:
            self._abandon(job_id, token)
            raise
        else:
            logger.info("job %s: %s", job_id, ending["status"])
        return True

    def _held_elsewhere(self, job_id: str) -> bool:
        try:
            return self.store.get(job_id).status is Status.PROCESSING
        except StoreUnavailable:
            raise
        except JobsError:  # deleted or expired
            return False

    def _give_back(self, job_id: str, token: str) -> None:
        try:
            self.store.requeue(job_id, token)
            logger.info("job %s: given back", job_id)
        except JobsError as error:
            logger.warning("job %s: cannot be given back: %s", job_id, error)

    def _end_late(self, job_id: str, token: str) -> None:
        try:
            self.store.finish(job_id, token, **self._timeout())
            logger.warning("job %s: ended at the hard limit", job_id)
        except JobsError as error:  # its lease runs out
            logger.warning("job %s: cannot be ended: %s", job_id, error)

    def _timeout(self) -> dict[str, Any]:
        limit = self.settings.soft_time_limit_seconds
        return _failure("timeout", f"the job took longer than {limit} s (NST_TIME_LIMIT_SECONDS less the grace)")

    def _abandon(self, job_id: str, token: str) -> None:
        try:
            logger.warning("job %s: given up: %s", job_id, self.store.abandon(job_id, token).status)
        except JobsError as error:  # its lease runs out
            logger.warning("job %s: cannot be given up: %s", job_id, error)

    def _ending(self, job: Job, token: str, heartbeat: Heartbeat, snapshots: Snapshots) -> dict[str, Any]:
        """How the job ends, as arguments of the store's ``finish``."""
        try:
            return self._paint(job, token, heartbeat, snapshots)
        except Canceled:
            return {"status": Status.CANCELED}
        except NSTError as error:
            return _failure(error.code, str(error))
        except SoftTimeLimitExceeded:
            return self._timeout()
        except JobsError:  # the job is not ours any more, or the store is away and the reaper will bring it back
            raise
        except Exception as error:
            if is_out_of_memory(error):
                torch.cuda.empty_cache()
                return _failure("out_of_memory", "it does not fit into the memory of the device; ask for less")
            if is_device_lost(error):
                logger.exception("job %s: the device is lost to this process", job.id)
                raise DeviceLost from error
            logger.exception("job %s: unexpected error", job.id)
            return _failure("internal", "the job failed for a reason that the worker's log tells")

    def _paint(self, job: Job, token: str, heartbeat: Heartbeat, snapshots: Snapshots) -> dict[str, Any]:
        began = monotonic()
        file = FileOptions.from_params(job.input.params)
        painter = self._painter(job, token)
        missing = painter.missing
        if missing:
            waiting = Progress(total_steps=painter.total_steps, message=f"loading {missing}")
            self.store.update(job.id, token, progress=waiting)
        painter.load()
        doing = "training" if job.method == "train" else "painting"
        self.store.update(job.id, token, progress=Progress(total_steps=painter.total_steps, message=doing))
        loaded = monotonic()
        last: Stage | None = None
        report, preview, checkpoint = (
            _Clock(seconds)
            for seconds in (self.settings.report_seconds, painter.preview_seconds, self.settings.checkpoint_seconds)
        )
        checkpoint.strikes()  # there is nothing to keep yet
        _check(heartbeat)
        for last in painter.paint():
            _check(heartbeat)
            snapshots.take(last)
            # The end of the job tells of the last stage.
            if last.fraction < 1 and report.strikes():
                snapshots.try_to_save()
                self._report(job.id, token, painter, last, monotonic() - loaded, with_preview=preview.strikes())
            due = checkpoint.is_due if last.is_light else checkpoint.is_overdue
            if last.fraction < 1 and due and self._save_checkpoint(job.id, token, painter):
                checkpoint.strikes()
        assert last is not None  # there is at least one stage
        if last.step != painter.total_steps:  # a training that its minutes ended
            painter.total_steps = last.step
            self._report(job.id, token, painter, last, 0.0, with_preview=False)
        keep = painter.conclude()
        _check(heartbeat)
        picture = last.picture()
        similarity = painter.similarity(picture)
        deep = last.deep_picture if file.bit_depth == 16 else None
        result = encode(
            with_alpha(deep() if deep else picture, painter.alpha),
            file.output_format,
            quality=file.quality or DEFAULT_QUALITY,
            text=self._text(job, painter, last, similarity),
            exif=painter.exif if file.keep_metadata else None,
        )
        return {
            "status": Status.SUCCEEDED,
            "output": Output(
                url=job.urls.result,
                media_type=MEDIA_TYPES[file.output_format],
                width=picture.width,
                height=picture.height,
                bytes=len(result),
                sha256=sha256(result).hexdigest(),
                losses=last.losses,
                similarity=similarity,
            ),
            "metrics": Metrics(
                load_seconds=round(loaded - began, 3) if missing else 0.0,
                run_seconds=round(monotonic() - loaded, 3),
                stages=[ScaleSeconds(**asdict(scale)) for scale in painter.scale_times],
                device=str(self.device),
                encoder=painter.encoder,
            ),
            "result": result,
            "preview": self._preview(picture),
            "keep": keep,
        }

    def _text(self, job: Job, painter: Painter, last: Stage, similarity: float | None) -> dict[str, str] | None:
        """How the picture was painted, for its file: without times, so that the same job gives the same file."""
        options, made_of = job.options, job.input
        if isinstance(options, StyleTrainingOptions):
            return None
        in_force: dict[str, Any] = {"precision": precision_in_force(options.precision, self.device)}
        if last.tile:  # asked for, or all that the memory allowed
            in_force["tile"] = last.tile
        if painter.style_ids:  # named, or found to come closest
            in_force["style_id"] = ",".join(painter.style_ids)
        record = Record(
            method=job.method,
            params=made_of.params | in_force,
            content_sha256=made_of.content_sha256,
            style_sha256=made_of.style_sha256,
            mask_sha256=made_of.mask_sha256,
            init_sha256=made_of.init_sha256,
            weights_sha256=painter.weights_sha256,
            losses=last.losses,
            similarity=similarity,
            device=str(self.device),
        )
        return {KEY: record.to_json()}

    def _painter(self, job: Job, token: str) -> Painter:
        options, params = job.options, job.input.params
        if isinstance(options, StyleTrainingOptions):
            return self._trainer(job, token, options)
        photograph, content = None, None
        if job.input.content_sha256:
            photograph = decode_photograph(self.store.image(job.id, "content"), self._limits)
            content = photograph.picture
        files = (self.store.image(job.id, f"mask.{k}") for k in range(len(job.input.mask_sha256)))
        masks = [decode_mask(file, self._limits) for file in files]
        if content and params.get("auto_mask"):
            masks = [auto_mask(eight_bits(content), params["auto_mask"])]
        painter: Painter
        if isinstance(options, FastOptions):
            assert content is not None  # the API sees to it
            painter = FastPainter(content, _style_ids(params), masks, options, self.models)
        else:
            subject = Subject(
                content=content,
                styles=[self._image(job, f"style.{k}") for k in range(len(job.input.style_sha256))],
                masks=masks,
                initial=self._image(job, "init") if options.init == "image" else None,
            )
            models = self.models if options.init == "fast" else None
            checkpoint = self.store.checkpoint(job.id)
            painter = GatysPainter(subject, options, self.encoders, models, _style_ids(params), checkpoint)
        if photograph:
            painter.alpha, painter.exif = photograph.alpha, photograph.exif
        return painter

    def _trainer(self, job: Job, token: str, options: StyleTrainingOptions) -> StyleTrainer:
        params, sent = job.input.params, len(job.input.photograph_sha256)
        new = NewStyle(
            id=params["style_id"],
            **{name: params[name] for name in ("title", "artist", "year", "licence")},
            painting=Painting(picture=self._image(job, "style.0"), keep_color=params["keep_color"]),
            # One after the other: each is reduced before the next is decoded.
            photographs=(lambda: (self._image(job, f"photograph.{k}") for k in range(sent))) if sent else None,
        )
        return StyleTrainer(
            new,
            options,
            self.encoders,
            self.models,
            images=self.settings.training_images,
            checkpoint=self.store.checkpoint(job.id),
            keep=partial(
                self.styles.add,
                job_id=job.id,
                token=token,
                owner=self.store.owner(job.id),
                most=self.settings.max_styles,
            ),
        )

    def _image(self, job: Job, name: str) -> Image.Image:
        return decode(self.store.image(job.id, name), self._limits)

    @property
    def _limits(self) -> PictureLimits:
        return PictureLimits(max_pixels=self.settings.max_image_pixels, max_side=self.settings.max_image_side)

    def _report(
        self, job_id: str, token: str, painter: Painter, stage: Stage, elapsed: float, *, with_preview: bool
    ) -> None:
        progress = Progress(
            fraction=stage.fraction,
            step=stage.step,
            total_steps=painter.total_steps,
            message=stage.message,
            loss=stage.losses.get("total"),
            eta_seconds=round(elapsed / (stage.fraction - painter.done) * (1 - stage.fraction), 1),
        )
        try:
            preview = self._preview(stage.picture()) if with_preview else None
            self.store.update(job_id, token, progress=progress, preview=preview)
        except StoreUnavailable:
            logger.warning("job %s: progress cannot be reported; painting goes on", job_id)

    def _save_checkpoint(self, job_id: str, token: str, painter: Painter) -> bool:
        """Whether there was something to keep."""
        checkpoint = painter.checkpoint(self.settings.max_checkpoint_bytes)
        if checkpoint is None:
            return False
        try:
            self.store.save_checkpoint(job_id, token, checkpoint)
        except StoreUnavailable:
            logger.warning("job %s: its checkpoint cannot be kept; painting goes on", job_id)
        return True

    def _preview(self, picture: Image.Image) -> bytes:
        side = self.settings.preview_side
        small = picture.copy()
        small.thumbnail((side, side), Image.Resampling.BILINEAR)
        return encode(small, "jpeg", quality=80)

    def _finish(
        self, job_id: str, token: str, ending: dict[str, Any], heartbeat: Heartbeat, snapshots: Snapshots
    ) -> None:
        """Writes the end of the job, waiting for a store that is away: the picture took minutes to paint."""
        deadline = monotonic() + self.settings.finish_patience_seconds
        keep: Callable[[], None] | None = ending.pop("keep", None)
        while True:
            try:
                if heartbeat.lost:
                    raise LeaseLost
                snapshots.save()
                if keep:
                    keep()
                self.store.finish(job_id, token, **ending)
                return
            except (StyleExists, TooManyStyles) as error:
                ending, keep = _failure(error.code, str(error)), None
            except LeaseLost:
                if not self._has_ended(job_id, ending):
                    raise
                return
            except StoreUnavailable:
                if monotonic() > deadline:
                    raise
                sleep(1)

    def _has_ended(self, job_id: str, ending: Mapping[str, Any]) -> bool:
        """Whether the job has ended so, written by a try whose answer was lost."""
        job = self.store.get(job_id)
        return (job.status, job.output, job.error) == (ending["status"], ending.get("output"), ending.get("error"))


class _Clock:
    """Strikes every so many seconds, and at once when it is first asked."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._last = seconds, -inf

    @property
    def is_due(self) -> bool:
        """Whether it is time."""
        return monotonic() - self._last >= self._seconds

    @property
    def is_overdue(self) -> bool:
        """Whether it has been time for long."""
        return monotonic() - self._last >= _OVERDUE * self._seconds

    def strikes(self) -> bool:
        """Whether it is time; if so, the next time is ``seconds`` from now."""
        due = self.is_due
        if due:
            self._last = monotonic()
        return due


def _check(heartbeat: Heartbeat) -> None:
    """Raises what ends a job early."""
    if heartbeat.lost:
        raise LeaseLost
    if heartbeat.canceled:
        raise Canceled


def _failure(code: str, message: str) -> dict[str, Any]:
    return {"status": Status.FAILED, "error": JobError(code=code, message=message)}


def _style_ids(params: Mapping[str, Any]) -> list[str]:
    """The trained styles of a job."""
    joined = params.get("style_id")
    return joined.split(",") if joined else []
