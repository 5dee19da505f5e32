"""Each test of a store runs against Redis and against its twin in memory."""

from collections.abc import Callable, Iterator

import pytest

from jobs.memory import MemoryStore
from jobs.protocol import Store
from jobs.settings import Settings
from jobs.store import RedisStore

StoreFactory = Callable[[Settings], Store]


@pytest.fixture(params=["redis", "memory"])
def make_store(request: pytest.FixtureRequest) -> Iterator[StoreFactory]:
    """Makes stores with given settings."""
    made: list[Store] = []

    def make(settings: Settings) -> Store:
        if request.param == "memory":
            made.append(MemoryStore(settings))
        else:
            made.append(RedisStore.connect(request.getfixturevalue("redis_url"), settings))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def store(make_store: StoreFactory) -> Store:
    """A store with the default settings."""
    return make_store(Settings())
