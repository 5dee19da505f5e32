"""What the tests of the whole service share besides it."""

import socket

import pytest


@pytest.fixture
def unused_port() -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
