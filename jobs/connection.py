"""The connection to Redis that jobs and styles share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.client import Pipeline
from redis.exceptions import ConnectionError, OutOfMemoryError, ReadOnlyError, ResponseError, TimeoutError
from redis.retry import Retry

from jobs.errors import StoreUnavailable

#: Connections of one process, at most: Redis itself takes 10 000 of all by default.
MOST_CONNECTIONS = 5000

#: How Redis refuses writes as long as it cannot write them to its disk.
_DISK_FULL = "MISCONF "

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")


def connect(url: str) -> Redis:
    """A client of ``redis://``, ``rediss://`` or ``unix://``; connections are made when they are needed."""
    retry = Retry(ExponentialBackoff(cap=0.5, base=0.05), 2)
    options: dict[str, Any] = {"socket_timeout": 10.0, "health_check_interval": 25, "retry": retry}
    # Each thread that asks has one; beyond the client's own bound, of 100, they would hear that Redis is away.
    options["max_connections"] = MOST_CONNECTIONS
    if not url.startswith("unix://"):
        options |= {"socket_connect_timeout": 2.0, "socket_keepalive": True}
    return Redis.from_url(url, **options)


def transaction(redis: Redis, change: Callable[[Pipeline], R], *keys: str) -> R:
    """What ``change`` returns, as soon as nobody else has touched these keys between its reads and its writes."""
    run = cast(Any, redis.transaction)  # its type leaves out that the function may return a value
    return cast(R, run(change, *keys, value_from_callable=True))


@contextmanager
def redis_within_reach() -> Iterator[None]:
    """Turns what says that Redis cannot serve at the moment into StoreUnavailable."""
    try:
        yield
    except (ConnectionError, TimeoutError) as error:
        raise StoreUnavailable from error
    except (OutOfMemoryError, ReadOnlyError) as error:
        raise StoreUnavailable("The job store takes nothing more at the moment.") from error
    except ResponseError as error:
        if _DISK_FULL not in str(error):
            raise
        raise StoreUnavailable("The job store takes nothing more at the moment.") from error


def reaching_redis(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """A method with :func:`redis_within_reach` around it."""

    @wraps(method)
    def wrapper(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with redis_within_reach():
            return method(self, *args, **kwargs)

    return wrapper


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


class RedisMemory(InRedis):
    """How full Redis is."""

    @reaching_redis
    def read(self) -> tuple[int, int | None]:
        """Bytes that the data take, and that they may take at most; None where there is no bound.

        Raises:
            StoreUnavailable: Redis cannot be reached.
        """
        told = cast(dict[str, int], self._redis.info("memory"))
        return told["used_memory"], told["maxmemory"] or None
