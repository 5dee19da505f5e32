"""The application over a real Redis, and images to send to it."""

import io
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import uvicorn
from celery import Celery
from PIL import Image

from api.app import create_app
from api.settings import ApiSettings
from jobs.outbound import system_resolve
from jobs.protocol import Store
from jobs.queue import make_celery
from jobs.store import RedisStore

with warnings.catch_warnings():
    # It asks for httpx2, which is not what the rest of the project uses.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

MakeClient = Callable[..., TestClient]
MakePicture = Callable[..., bytes]
Serve = Callable[..., tuple[str, int]]


@pytest.fixture
def store(redis_url: str) -> Iterator[Store]:
    store = RedisStore.connect(redis_url, ApiSettings(redis_url=redis_url))
    yield store
    store.close()


@pytest.fixture
def celery(redis_url: str) -> Iterator[Celery]:
    celery = make_celery(ApiSettings(redis_url=redis_url))
    yield celery
    celery.close()


@pytest.fixture
def make_client(redis_url: str, store: Store, celery: Celery, styles_dir: Path) -> Iterator[MakeClient]:
    """Makes clients of applications with given settings and resolver, by default with the tests' gallery."""
    made: list[TestClient] = []

    def make(**settings: Any) -> TestClient:
        resolve = settings.pop("resolve", system_resolve)
        settings = {"redis_url": redis_url, "styles_dir": styles_dir, **settings}
        app = create_app(ApiSettings(**settings), store, celery, resolve)
        made.append(TestClient(app, base_url="http://server"))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: MakeClient) -> TestClient:
    """A client of the application with its default settings; what the application raises unexpectedly is raised."""
    return make_client()


@pytest.fixture
def serve(make_client) -> Iterator[Serve]:
    """Serves applications with given settings; gives their addresses."""
    with ExitStack() as running:

        def start(**settings: Any) -> tuple[str, int]:
            listener = socket.create_server(("127.0.0.1", 0))
            server = uvicorn.Server(uvicorn.Config(make_client(**settings).app, http="h11", log_level="warning"))
            thread = Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            running.callback(thread.join)
            running.callback(setattr, server, "should_exit", True)
            return listener.getsockname()

        yield start


@pytest.fixture(scope="session")
def picture() -> MakePicture:
    """Makes image files."""

    def make(width: int = 100, height: int = 80, *, mode: str = "RGB", kind: str = "PNG", **options: Any) -> bytes:
        file = io.BytesIO()
        Image.new(mode, (width, height)).save(file, kind, **options)
        return file.getvalue()

    return make


@pytest.fixture(scope="session")
def png(picture: MakePicture) -> bytes:
    """A small image file, 100 x 80 pixels."""
    return picture()
