"""No more jobs than the service can take: refused before their bodies are read, rather than lost later."""

from api.backend import Backend
from api.errors import Problem
from jobs.contract import Status

#: Seconds after which there may be room again.
QUEUE_RETRY_AFTER = "10"

#: Seconds between two looks at Redis's memory, which it takes longer to tell than most.
LOOK_SECONDS = 0.5


def see_that_there_is_room(backend: Backend) -> None:
    """See that a further job can wait.  Requests that are under way at the same time may go a little beyond.

    Raises:
        Problem: 503 as many jobs wait as may, or Redis is nearly full.
        StoreUnavailable: Redis cannot be reached.
    """
    settings = backend.settings
    used, most = backend.redis_memory.read(max_age=LOOK_SECONDS)
    if most and used >= most * settings.max_redis_percent / 100:
        percent = f"{100 * used / most:.0f} % of Redis's memory is taken"
        raise _full("store_full", f"{percent}; the limit is {settings.max_redis_percent} % (NST_MAX_REDIS_PERCENT).")
    if settings.max_queued_jobs:
        waiting = sum(count for (status, _), count in backend.store.unfinished().items() if status is Status.QUEUED)
        if waiting >= settings.max_queued_jobs:
            limit = (
                f"{waiting} jobs wait; the limit of this server is {settings.max_queued_jobs} (NST_MAX_QUEUED_JOBS)."
            )
            raise _full("queue_full", limit)


def _full(code: str, detail: str) -> Problem:
    return Problem(503, code, f"{detail} Try again later.", headers={"Retry-After": QUEUE_RETRY_AFTER})
