"""The log of a worker's processes; tests/soak.py reads that of workers that die."""

import json
import logging

import pytest
from billiard import util

from worker import logs


def test_the_end_of_a_process_is_told_as_everything_else(
    logging_as_before: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NST_LOG_FORMAT", "json")
    util.get_logger().addHandler(logging.StreamHandler())
    logs._set_up()
    util.get_logger().error("Process %r exited with %r", "SpawnPoolWorker-1", "signal 9 (SIGKILL)")
    util.info("child process calling self.run()")
    (line,) = capsys.readouterr().err.splitlines()
    assert "exited with 'signal 9 (SIGKILL)'" in json.loads(line)["message"]
