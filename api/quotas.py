"""What callers have used of their limits, counted in Redis for all processes.

Two neighbouring windows make one that slides: of the window before counts what part of it still lies in the span that
ends now.  Keys are ``nst:limits:...`` and expire.
"""

from dataclasses import dataclass
from math import ceil

from limits import RateLimitItem
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from jobs.connection import connect, reaching_redis


@dataclass(frozen=True)
class Standing:
    """How a caller stands after it asked for something.

    Attributes:
        allowed: whether it got it; else nothing was counted.
        remaining: what is left.
        reset: seconds until the current window ends.
        retry_after: seconds after which the same may be asked for again; 0 when it was allowed.
    """

    allowed: bool
    remaining: int
    reset: int
    retry_after: int


class Quotas:
    """The counters."""

    def __init__(self, redis_url: str) -> None:
        self._redis = connect(redis_url, hurried=True)
        # The address says no more than which library it is; the pool knows where.
        self._storage = RedisStorage("redis://", self._redis.connection_pool, key_prefix="nst:limits")
        self._counter = SlidingWindowCounterRateLimiter(self._storage)

    def close(self) -> None:
        """Let go of connections."""
        self._redis.close()

    @reaching_redis
    def take(self, item: RateLimitItem, caller: str, cost: int = 1) -> Standing:
        """Count what a caller asks for, if its limit allows.

        Raises:
            StoreUnavailable: Redis cannot be reached.
        """
        allowed = self._counter.hit(item, caller, cost=cost)
        span = item.get_expiry()
        before, before_ends, now, now_ends = self._storage.get_sliding_window(item.key_for(caller), span)
        used = int(before * before_ends / span) + now
        to_end = max(0.0, now_ends - span) if now_ends else before_ends
        wait = 0.0
        if not allowed:
            room = item.amount - cost + 1  # which what counts must stay below
            if cost > item.amount:  # never
                wait = span
            elif now < room:  # as soon as enough of the window before has slid out, if it has not meanwhile
                wait = before_ends - (room - now) * span / before if before else 0.0
            else:  # as soon as this window is the one before, and enough of it has slid out
                wait = to_end + span * (1 - room / now)
        return Standing(
            allowed=allowed,
            remaining=max(0, item.amount - used),
            reset=ceil(to_end),
            retry_after=0 if allowed else max(1, ceil(wait)),
        )
