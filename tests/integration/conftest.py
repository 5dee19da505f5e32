"""A real service, started once for all tests that leave it as it was."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.up import Stack
from tests.service import Service, System


@pytest.fixture
def unused_port() -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
