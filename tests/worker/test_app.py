"""The worker process, as far as it can be seen without a queue; ``tests/integration`` has the rest."""

import subprocess
import sys

import pytest

from worker.app import main
from worker.settings import WorkerSettings


def test_a_queue_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["--queues", "gatys,attic,cellar"])
    assert exit_info.value.code == 2
    assert "there is no queue attic, cellar" in capsys.readouterr().err


def test_the_parent_process_never_loads_pytorch() -> None:
    modules = "worker.app, worker.tasks, worker.reaper, worker.sweeper, worker.deliverer"
    script = f"import sys, {modules}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


def test_every_setting_is_described() -> None:
    assert all(field.description for field in WorkerSettings.model_fields.values())
