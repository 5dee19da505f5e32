"""Files as answers: their room, and clients that do not read them."""

import asyncio
import hashlib
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import sleep

import httpx
import pytest

from api.middleware import UnreadAnswers
from jobs.contract import Job, JobInput, Output, Progress, Snapshot, Status, Urls, new_job_id, now
from jobs.protocol import Store

#: Seconds within which something must come; it takes milliseconds.
PATIENCE = 60.0

#: More than a connection keeps on its way when nobody reads.
LARGE = b"x" * 16_000_000
DIGEST = hashlib.sha256(LARGE).hexdigest()

Serve = Callable[..., tuple[str, int]]


def add_job(store: Store, content: bytes, result: bytes) -> str:
    job_id = new_job_id()
    sha256 = hashlib.sha256(content).hexdigest()
    job_input = JobInput(params={"size": 64}, content_sha256=sha256, style_sha256=[])
    store.create(Job(id=job_id, created_at=now(), input=job_input, urls=Urls.of(job_id)), {"content": content})
    store.start(job_id, "a")
    store.update(job_id, "a", progress=Progress(fraction=0.5), preview=result)
    snapshot = Snapshot(step=1, url="s", width=100, height=80, bytes=len(result))
    store.save_snapshot(job_id, "a", snapshot, result)
    digest = hashlib.sha256(result).hexdigest()
    output = Output(url="r", media_type="image/jpeg", width=100, height=80, bytes=len(result), sha256=digest)
    store.finish(job_id, "a", status=Status.SUCCEEDED, output=output, result=result)
    return job_id


PATHS = [
    "/jobs/{id}/result",
    "/jobs/{id}/thumbnail",
    "/jobs/{id}/preview",
    "/jobs/{id}/inputs/{sha256}",
    "/jobs/{id}/inputs/{sha256}/thumbnail",
    "/jobs/{id}/snapshots/1",
    "/jobs/{id}/snapshots/sheet",
    "/jobs/{id}/snapshots/animation",
    "/styles/waves/thumbnail",
]


@pytest.fixture
def paths(store: Store, picture) -> dict[str, str]:
    """Addresses of a job's files, by what they are of."""
    content, result = picture(), picture(kind="JPEG")
    job_id, sha256 = add_job(store, content, result), hashlib.sha256(content).hexdigest()
    return {path: path.format(id=job_id, sha256=sha256) for path in [*PATHS, "/jobs/{id}"]}


@pytest.mark.parametrize("path", PATHS)
def test_a_file_needs_room(client, paths: dict[str, str], path: str) -> None:
    room = client.app.state.backend.answer_room
    with room.for_one() as take:
        take(room._most)
        response = client.get(paths[path])
        assert (response.status_code, response.json()["code"]) == (503, "answers_full")
        assert "NST_MAX_ANSWERS_BYTES" in response.json()["detail"]
        assert int(response.headers["retry-after"]) > 0
        assert client.get(paths["/jobs/{id}"]).status_code == 200
    assert client.get(paths[path]).status_code == 200
    assert room._taken == 0


@pytest.mark.parametrize(
    ("path", "load"),
    [("/jobs/{id}/result", "result"), ("/jobs/{id}/inputs/{sha256}", "image"), ("/jobs/{id}/snapshots/1", "snapshot")],
)
def test_what_has_no_room_is_not_loaded(
    client, store: Store, paths: dict[str, str], path: str, load: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []
    original = getattr(store, load)
    monkeypatch.setattr(store, load, lambda *args: loaded.append(args) or original(*args))
    room = client.app.state.backend.answer_room
    with room.for_one() as take:
        take(room._most)
        assert client.get(paths[path]).status_code == 503
        assert loaded == []
    assert client.get(paths[path]).status_code == 200
    assert len(loaded) == 1


@pytest.mark.parametrize(
    ("path", "load"), [("/jobs/{id}/thumbnail", "result"), ("/jobs/{id}/inputs/{sha256}/thumbnail", "image")]
)
def test_the_file_of_a_thumbnail_is_loaded_when_it_is_its_turn(
    client, store: Store, paths: dict[str, str], path: str, load: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoders = client.app.state.backend.decoders
    at_work = []
    original = getattr(store, load)
    monkeypatch.setattr(store, load, lambda *args: at_work.append(decoders.borrowed_tokens) or original(*args))
    assert client.get(paths[path]).status_code == 200
    assert at_work == [1]


@contextmanager
def unread(address: tuple[str, int], path: str) -> Iterator[socket.socket]:
    """A connection on which a file has been asked for, of which only the first byte is read."""
    with socket.socket() as connection:
        connection.settimeout(PATIENCE)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(address)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert connection.recv(1)
        yield connection


@contextmanager
def asking(address: tuple[str, int]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url="http://{}:{}".format(*address), trust_env=False, timeout=PATIENCE) as client:
        yield client


def wait_for(client: httpx.Client, path: str) -> bytes:
    while (response := client.get(path)).status_code != 200:
        assert response.json()["code"] == "answers_full"
        sleep(0.05)
    return response.content


def test_the_room_is_kept_until_the_client_has_the_file_or_is_gone(serve: Serve, store: Store) -> None:
    job_id = add_job(store, LARGE, b"small")
    path = f"/jobs/{job_id}/inputs/{DIGEST}"
    address = serve(max_answers_bytes=len(LARGE) + 1000)
    with asking(address) as client:
        with unread(address, path):
            assert client.get(path).json()["code"] == "answers_full"
            assert client.get(f"/jobs/{job_id}/result").content == b"small"
        assert wait_for(client, path) == LARGE


def test_who_reads_nothing_gets_no_more(serve: Serve, store: Store, caplog: pytest.LogCaptureFixture) -> None:
    path = f"/jobs/{add_job(store, LARGE, b'small')}/inputs/{DIGEST}"
    address = serve(max_answers_bytes=len(LARGE), answer_timeout_seconds=0.3)
    with unread(address, path) as connection, asking(address) as client:
        assert wait_for(client, path) == LARGE
        received = 0
        with suppress(ConnectionError):
            while data := connection.recv(1_000_000):
                received += len(data)
    assert received < len(LARGE)
    assert "NST_ANSWER_TIMEOUT_SECONDS" in caplog.text


def test_who_asks_for_another_file_without_reading_gets_none(serve: Serve, store: Store) -> None:
    path = f"/jobs/{add_job(store, LARGE, b'small')}/inputs/{DIGEST}"
    address = serve(max_answers_bytes=len(LARGE), answer_timeout_seconds=0.3)
    with unread(address, path) as connection, asking(address) as client:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert wait_for(client, path) == LARGE


def test_who_reads_slowly_gets_all() -> None:
    received: list[bytes] = []

    async def app(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": LARGE[:2_000_000]})

    async def send(message) -> None:
        await asyncio.sleep(0.1)
        received.append(message.get("body", b""))

    asyncio.run(UnreadAnswers(app, seconds=2.0)({"type": "http"}, lambda: None, send))
    assert b"".join(received) == LARGE[:2_000_000]
    assert len(received) * 0.1 > 2.0
    assert max(map(len, received)) == 65_536


def test_what_is_small_is_sent_as_it_is() -> None:
    messages = [
        {"type": "http.response.start", "status": 200, "headers": []},
        {"type": "http.response.body", "body": b"event", "more_body": True},
        {"type": "http.response.body", "body": b""},
    ]
    sent = []

    async def app(scope, receive, send) -> None:
        for message in messages:
            await send(message)

    async def send(message) -> None:
        sent.append(message)

    asyncio.run(UnreadAnswers(app, seconds=2.0)({"type": "http"}, lambda: None, send))
    assert sent == messages
