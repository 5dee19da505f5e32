"""Places that callers share."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from threading import Event

import pytest

from api.keys import Caller, Limits
from api.places import NoPlace, Places, Turns


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


#: Seconds within which something must come; it takes milliseconds.
PATIENCE = 60.0


class Calls:
    """Calls by name, each of which ends when it is told to; those that have begun."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.begun: list[str] = []
        self.ends: dict[str, Event] = {}

    def begin(self, who: Caller, name: str) -> "asyncio.Task[str]":
        self.ends[name] = Event()

        def do() -> str:
            self.begun.append(name)
            assert self.ends[name].wait(PATIENCE)
            return name

        return asyncio.create_task(self.turns.call(who, do))

    async def have_begun(self, *names: str) -> None:
        """These and no others, as far as can be seen."""
        async with asyncio.timeout(PATIENCE):
            while len(self.begun) < len(names):
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        assert sorted(self.begun) == sorted(names)  # threads begin in any order

    async def results(self, *tasks: "asyncio.Task[str]") -> list[str]:
        """Of these, when all calls have been told to end."""
        for end in self.ends.values():
            end.set()
        return await asyncio.gather(*tasks)


def test_a_key_has_a_quarter_of_the_turns_and_waits_for_more() -> None:
    async def check() -> None:
        calls = Calls(Turns(8))
        ada = [calls.begin(caller("ada"), f"ada {k}") for k in range(4)]
        await calls.have_begun("ada 0", "ada 1")
        bob = calls.begin(caller("bob"), "bob")
        await calls.have_begun("ada 0", "ada 1", "bob")
        calls.ends["bob"].set()
        assert await bob == "bob"
        calls.ends["ada 1"].set()
        await calls.have_begun("ada 0", "ada 1", "bob", "ada 2")
        assert await calls.results(*ada) == ["ada 0", "ada 1", "ada 2", "ada 3"]
        assert not calls.turns._shares

    asyncio.run(check())


def test_all_keys_together_have_all_turns() -> None:
    async def check() -> None:
        calls = Calls(Turns(2))
        tasks = [calls.begin(caller(name), name) for name in "abc"]
        await calls.have_begun("a", "b")
        calls.ends["a"].set()
        await calls.have_begun("a", "b", "c")
        assert await calls.results(*tasks) == ["a", "b", "c"]

    asyncio.run(check())


def test_without_keys_anybody_may_have_all_turns() -> None:
    async def check() -> None:
        calls = Calls(Turns(2))
        who = caller("@127.0.0.1", has_key=False)
        tasks = [calls.begin(who, name) for name in "abc"]
        await calls.have_begun("a", "b")
        assert await calls.results(*tasks) == ["a", "b", "c"]

    asyncio.run(check())


def test_a_call_that_fails_gives_its_turn_back() -> None:
    async def check() -> None:
        turns = Turns(1)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await turns.call(caller("ada"), lambda: 1 // 0)

    asyncio.run(check())
