"""Places that callers share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from api.keys import Caller, Limits
from api.places import NoPlace, Places


def caller(name: str, *, has_key: bool = True) -> Caller:
    limits = Limits(requests_per_minute=0, queued_jobs=0, bytes_per_day=0)
    return Caller(name=name, has_key=has_key, limits=limits)


Take = Callable[[Places, Caller, int], None]


@pytest.fixture
def take() -> Iterator[Take]:
    """Takes so many places and keeps them."""
    with ExitStack() as kept:

        def take(places: Places, who: Caller, count: int) -> None:
            for _ in range(count):
                kept.enter_context(places.taken_by(who))

        yield take


def test_a_key_has_a_quarter(take: Take) -> None:
    places = Places(8)
    take(places, caller("ada"), 2)
    with pytest.raises(NoPlace) as refusal:
        take(places, caller("ada"), 1)
    assert (refusal.value.most, refusal.value.whose) == (2, "of one key")
    take(places, caller("bob"), 1)
    with places.taken_by(caller("bob")), pytest.raises(NoPlace):
        take(places, caller("bob"), 1)
    take(places, caller("bob"), 1)


def test_all_keys_together_have_all(take: Take) -> None:
    places = Places(8)
    for name in "abcd":
        take(places, caller(name), 2)
    with pytest.raises(NoPlace) as refusal:
        take(places, caller("e"), 1)
    assert (refusal.value.most, refusal.value.whose) == (8, "of all")


def test_a_key_has_one_at_least(take: Take) -> None:
    take(Places(1), caller("ada"), 1)


def test_without_keys_anybody_may_have_all(take: Take) -> None:
    places = Places(2)
    take(places, caller("@127.0.0.1", has_key=False), 2)
    with pytest.raises(NoPlace):
        take(places, caller("@127.0.0.2", has_key=False), 1)
