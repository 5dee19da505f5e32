"""The client with the real application over HTTP; its jobs are finished by the store, as a worker would."""

import base64
import hashlib
import io
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from client import NSTClient, RequestRefused
from jobs.contract import Output, Progress, Snapshot, Status
from jobs.protocol import Store

KEY = "0123456789abcdef"

Serve = Callable[..., tuple[str, int]]

#: How a picture is given to the client.
WAYS = ("path", "bytes", "url", "data")


class Files:
    """Two pictures in a folder, and a server of it."""

    def __init__(self, folder: Path, host: str) -> None:
        self.folder = folder
        self.host = host

    def argument(self, way: str, name: str) -> Path | bytes | str:
        """A picture as the client may be given it."""
        path = self.folder / name
        if way == "data":
            return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
        return {"path": path, "bytes": path.read_bytes(), "url": f"http://{self.host}/{name}"}[way]

    def sha256(self, name: str) -> str:
        return hashlib.sha256((self.folder / name).read_bytes()).hexdigest()


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def files(tmp_path: Path, picture: Callable[..., bytes]) -> Iterator[Files]:
    (tmp_path / "photo.png").write_bytes(picture(100, 80))
    (tmp_path / "painting.png").write_bytes(picture(90, 90))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Files(tmp_path, f"127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def nst(serve: Serve, files: Files) -> Iterator[NSTClient]:
    host, port = serve(url_allowed_hosts=files.host, api_keys=f"ada:{KEY}")
    with NSTClient(f"http://{host}:{port}/", KEY) as nst:
        yield nst


def jpeg(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "JPEG")
    return file.getvalue()


def size(data: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(data)).size


def succeed(store: Store, job_id: str, result: bytes) -> None:
    width, height = size(result)
    output = Output(
        url=f"jobs/{job_id}/result",
        media_type="image/jpeg",
        width=width,
        height=height,
        bytes=len(result),
        sha256=hashlib.sha256(result).hexdigest(),
    )
    store.finish(job_id, "a", status=Status.SUCCEEDED, output=output, result=result)


@pytest.mark.parametrize("style", WAYS)
@pytest.mark.parametrize("content", WAYS)
def test_pictures_are_sent_in_every_way(nst: NSTClient, files: Files, content: str, style: str) -> None:
    job = nst.submit(files.argument(content, "photo.png"), files.argument(style, "painting.png"), size=64)
    assert job["method"] == "gatys"
    assert job["input"]["content_sha256"] == files.sha256("photo.png")
    assert job["input"]["style_sha256"] == [files.sha256("painting.png")]


@pytest.mark.parametrize("content", WAYS)
def test_a_style_of_the_gallery_needs_the_content_alone(nst: NSTClient, files: Files, content: str) -> None:
    job = nst.submit(files.argument(content, "photo.png"), style_id="waves", size=64)
    assert (job["method"], job["input"]["params"]["style_id"]) == ("fast", "waves")
    assert job["input"]["content_sha256"] == files.sha256("photo.png")


def test_text_that_is_no_url_is_refused_as_one(nst: NSTClient) -> None:
    with pytest.raises(RequestRefused) as refused:
        nst.submit("photo.png", "painting.png")
    assert refused.value.status == 422
    assert {error["pointer"] for error in refused.value.problem["errors"]} == {"#/content_url", "#/style_url"}


def test_fields_of_every_type_are_sent(nst: NSTClient, files: Files) -> None:
    options: dict[str, Any] = {
        "iterations": 7,
        "style_weight": 2.5,
        "normalize_weights": True,
        "style_layers": ["relu1_1", "relu2_1"],
        "style_layer_weights": (1, 0.5),
    }
    photo, painting = files.folder / "photo.png", files.folder / "painting.png"
    sent = [("content", photo), ("style", painting), ("style", photo.read_bytes())]
    job = nst.submit_files(sent, {**options, "size": 64, "preset": None, "metadata": {"order": [17, "é"]}})
    params = job["input"]["params"]
    assert {name: params[name] for name in options} == {**options, "style_layer_weights": [1, 0.5]}
    assert len(job["input"]["style_sha256"]) == 2
    assert job["metadata"] == {"order": [17, "é"]}


def test_a_key_of_ones_own_gives_the_job_again(nst: NSTClient, files: Files) -> None:
    ids = {nst.submit(files.argument(way, "photo.png"), style_id="waves", idempotency_key="mine")["id"] for way in WAYS}
    assert len(ids) == 1


def test_the_way_of_a_job(nst: NSTClient, files: Files, store: Store) -> None:
    job_id = nst.submit(files.folder / "photo.png", files.argument("url", "painting.png"), size=64)["id"]
    assert nst.get(job_id)["status"] == "queued"
    events = nst.events(job_id, timeout=60)
    assert next(events).data["status"] == "queued"
    store.start(job_id, "a")
    assert next(event for event in events if event.name == "status").data["status"] == "processing"
    store.update(job_id, "a", progress=Progress(fraction=0.5, step=10, total_steps=20), preview=jpeg(32, 24))
    snapshot = Snapshot(step=10, url=f"jobs/{job_id}/snapshots/10", width=64, height=48, bytes=len(jpeg(64, 48)))
    store.save_snapshot(job_id, "a", snapshot, jpeg(64, 48))
    assert nst.preview(job_id) == jpeg(32, 24)
    succeed(store, job_id, jpeg(640, 480))
    last = list(events)[-1]
    assert (last.name, last.data["status"]) == ("done", "succeeded")

    job = nst.wait(job_id, timeout=60)
    assert job == last.data == nst.get(job_id)
    assert list(nst.poll(job_id)) == [job]
    assert nst.result(job_id) == jpeg(640, 480)
    assert (size(nst.thumbnail(job_id)), size(nst.thumbnail(job_id, side=64))) == ((320, 240), (64, 48))
    assert nst.snapshots(job_id) == [10]
    assert nst.snapshot(job_id, 10) == jpeg(64, 48)
    for name, kind in (("sheet", "JPEG"), ("animation", "WEBP")):
        assert Image.open(io.BytesIO(nst.snapshot(job_id, name))).format == kind
    for digest, name in (
        (job["input"]["content_sha256"], "photo.png"),
        (job["input"]["style_sha256"][0], "painting.png"),
    ):
        data = (files.folder / name).read_bytes()
        assert nst.input(job_id, digest) == data
        assert size(nst.input_thumbnail(job_id, digest)) == size(data)
        assert max(size(nst.input_thumbnail(job_id, digest, side=32))) == 32

    nst.delete(job_id)
    with pytest.raises(RequestRefused) as refused:
        nst.get(job_id)
    assert (refused.value.status, refused.value.code) == (404, "job_not_found")
    with pytest.raises(RequestRefused):
        nst.delete(job_id)


def test_jobs_are_listed_and_canceled(nst: NSTClient, files: Files) -> None:
    photo = files.folder / "photo.png"
    fast, gatys = nst.submit(photo, style_id="waves"), nst.submit(photo, photo, size=64)
    assert nst.cancel(fast["id"])["status"] == "canceled"
    assert nst.wait(fast["id"], timeout=60)["status"] == "canceled"
    with pytest.raises(RequestRefused) as refused:
        nst.result(fast["id"])
    assert (refused.value.status, refused.value.code) == (409, "job_canceled")

    def ids(**filters: Any) -> list[str]:
        return [job["id"] for job in nst.list_jobs(**filters)]

    assert ids() == ids(limit=1) == [gatys["id"], fast["id"]]
    assert ids(status="canceled") == ids(method="fast") == [fast["id"]]
    assert ids(status="failed") == []


def test_a_job_that_nobody_takes_is_waited_for_no_longer_than_said(serve: Serve, files: Files) -> None:
    """Also when the server says again and again that it is there."""
    host, port = serve(events_keepalive_seconds=0.1)
    with NSTClient(f"http://{host}:{port}") as nst:
        job_id = nst.submit(files.folder / "photo.png", style_id="waves")["id"]
        with pytest.raises(TimeoutError, match=r"has not ended within 0\.3 s"):
            nst.wait(job_id, timeout=0.3)
