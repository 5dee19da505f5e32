"""The pictures of some iterations, on their way into the store."""

import logging
from collections import deque
from functools import cached_property

from jobs.contract import Job, Options, Snapshot
from jobs.errors import StoreUnavailable
from jobs.protocol import Store
from nst_core.evolution import SNAPSHOT_QUALITY
from nst_core.options import GatysOptions
from nst_core.picture import encode
from worker.painters import Stage

logger = logging.getLogger(__name__)


class Snapshots:
    """Takes the snapshots that a job asks for, and holds them until the store has them."""

    def __init__(self, store: Store, job: Job, token: str) -> None:
        self.store, self.job, self.token = store, job, token
        self._waiting: deque[tuple[Snapshot, bytes]] = deque()

    @cached_property
    def _options(self) -> Options:
        return self.job.options

    def take(self, stage: Stage) -> None:
        """Take the picture of this stage if the job asks for it; it is not in the store yet."""
        if not (isinstance(self._options, GatysOptions) and self._options.has_snapshot(stage.step)):
            return
        picture = stage.picture()
        data = encode(picture, "jpeg", quality=SNAPSHOT_QUALITY)
        about = Snapshot(
            step=stage.step,
            url=f"{self.job.urls.snapshots}/{stage.step}",
            width=picture.width,
            height=picture.height,
            bytes=len(data),
        )
        self._waiting.append((about, data))

    def save(self) -> None:
        """Put into the store what is not there yet.

        Raises:
            StoreUnavailable: some of it cannot be now; call again later.
            LeaseLost: the job is another worker's, or gone.
        """
        while self._waiting:
            self.store.save_snapshot(self.job.id, self.token, *self._waiting[0])
            self._waiting.popleft()

    def try_to_save(self) -> None:
        """As :meth:`save`, but what the store cannot take now waits for the next call.

        Raises:
            LeaseLost: the job is another worker's, or gone.
        """
        try:
            self.save()
        except StoreUnavailable:
            logger.warning("job %s: %d snapshots cannot be kept now; painting goes on", self.job.id, len(self._waiting))
