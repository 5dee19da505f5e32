"""The connection to Redis that jobs and styles share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import wraps
from threading import Lock, get_ident
from time import monotonic
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar, cast

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.client import Pipeline
from redis.exceptions import ConnectionError, ReadOnlyError, ResponseError, TimeoutError
from redis.retry import Retry
from typing_extensions import override

from jobs.errors import StoreFull, StoreUnavailable

#: Connections of one process, at most: Redis itself takes 10 000 of all by default.
MOST_CONNECTIONS = 5000

#: Seconds in which Redis must answer; where somebody waits for it, the second.
PATIENCE, SHORT_PATIENCE = 10.0, 3.0

#: Seconds for which nobody asks a Redis that did not answer.
PAUSE = 1.0

#: How Redis refuses writes as long as it cannot write them to its disk, or its memory is full.
_FULL = ("MISCONF ", "command not allowed when used memory")

#: How it refuses everything, or writes, while a replica or its master is away, or a script of somebody else runs for
#: seconds.
_AWAY = ("NOREPLICAS ", "Link with MASTER is down", "BUSY ")

P = ParamSpec("P")
R = TypeVar("R")


class Fuse:
    """Refuses at once, for a moment after Redis did not answer in time, what would only wait for it.

    Then one thread tries, and the others are refused until it has an answer: they are not all taken by a Redis that
    hangs.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._lock = Lock()
        self._blown_until: float | None = None
        self._trying: int | None = None

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Around what asks Redis; may be nested.

        Raises:
            TimeoutError: Redis did not answer a moment ago.
        """
        with self._lock:
            if self._blown_until is not None and self._trying != get_ident():
                if monotonic() < self._blown_until:
                    raise TimeoutError("Redis did not answer a moment ago")
                self._blown_until, self._trying = monotonic() + self._patience + PAUSE, get_ident()
        try:
            yield
        except TimeoutError:
            self._tried(monotonic() + PAUSE)
            raise
        except StoreUnavailable:  # from a nested call, which has said so
            raise
        except BaseException:
            self._tried()
            raise
        self._tried()

    def _tried(self, blown_until: float | None = None) -> None:
        with self._lock:
            self._blown_until, self._trying = blown_until, None


class _Pipeline(Pipeline):
    @override
    def reset(self) -> None:  # type: ignore[override]  # of two bases that differ, the library's own
        # What a lost connection watched went with it; the library would connect anew to say so.
        if self.connection and not self.connection.is_connected:
            self.watching = False
        super().reset()


class _Client(Redis):
    fuse: Fuse | None = None

    @override
    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return _Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


def connect(url: str, *, hurried: bool = False) -> Redis:
    """A client of ``redis://``, ``rediss://`` or ``unix://``; connections are made when they are needed.

    Args:
        hurried: somebody waits for the answers, so that it is soon told when there are none.
    """
    patience = SHORT_PATIENCE if hurried else PATIENCE
    # What was not answered in time may have been done, and is not sent again; nor would it be answered sooner.
    retry = Retry(ExponentialBackoff(cap=0.5, base=0.05), 2, supported_errors=(ConnectionError,))
    options: dict[str, Any] = {"socket_timeout": patience, "health_check_interval": 25, "retry": retry}
    # Each thread that asks has one; beyond the client's own bound, of 100, they would hear that Redis is away.
    options["max_connections"] = MOST_CONNECTIONS
    if not url.startswith("unix://"):
        options |= {"socket_connect_timeout": 2.0, "socket_keepalive": True}
    client = cast(_Client, _Client.from_url(url, **options))
    client.fuse = Fuse(patience) if hurried else None
    return client


def transaction(redis: Redis, change: Callable[[Pipeline], R], *keys: str) -> R:
    """What ``change`` returns, as soon as nobody else has touched these keys between its reads and its writes."""
    run = cast(Any, redis.transaction)  # its type leaves out that the function may return a value
    return cast(R, run(change, *keys, value_from_callable=True))


def tells_full(error: Exception) -> bool:
    """Whether Redis refused to write, by its own words, which a script or the queue's library may have passed on."""
    return any(words in str(error) for words in _FULL)


@contextmanager
def redis_within_reach() -> Iterator[None]:
    """Turns what says that Redis cannot serve at the moment into StoreUnavailable."""
    try:
        yield
    except (ConnectionError, TimeoutError) as error:
        raise StoreUnavailable from error
    except ReadOnlyError as error:
        raise StoreUnavailable("The job store takes nothing at the moment.") from error
    except ResponseError as error:
        if tells_full(error):
            raise StoreFull from error
        if any(words in str(error) for words in _AWAY):
            raise StoreUnavailable from error
        raise


class InRedis:
    """Something that all processes find in Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    @classmethod
    def connect(cls, url: str) -> Self:
        """At ``redis://``, ``rediss://`` or ``unix://``; connections are made when they are needed."""
        return cls(connect(url))

    def close(self) -> None:
        """Let go of connections."""
        self._redis.close()


class _HasRedis(Protocol):
    _redis: Redis


S = TypeVar("S", bound=_HasRedis)


def reaching_redis(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """A method with :func:`redis_within_reach` around it, and the client's fuse."""

    @wraps(method)
    def wrapper(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        fuse: Fuse | None = getattr(self._redis, "fuse", None)
        with redis_within_reach(), fuse.closed() if fuse else nullcontext():
            return method(self, *args, **kwargs)

    return wrapper


class RedisMemory(InRedis):
    """How full Redis is."""

    _read: tuple[float, tuple[int, int | None]] | None = None

    def read(self, max_age: float = 0.0) -> tuple[int, int | None]:
        """Bytes that the data take, and that they may take at most; None where there is no bound.

        Args:
            max_age: seconds ago that this may have been so.

        Raises:
            StoreUnavailable: Redis cannot be reached.
        """
        read = self._read
        if read is None or monotonic() - read[0] >= max_age:
            self._read = read = (monotonic(), self._told())
        return read[1]

    @reaching_redis
    def _told(self) -> tuple[int, int | None]:
        told = cast(dict[str, int], self._redis.info("memory"))
        return told["used_memory"], told["maxmemory"] or None
