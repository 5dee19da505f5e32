"""``nst up`` makes a key for webhooks once, keeps it to itself, and ``nst webhook-secret`` shows it."""

import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import Result

from cli.webhook_secret import webhook_secret
from jobs.settings import Settings

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NST_WEBHOOK_SECRET", raising=False)


def test_it_is_made_once_and_for_its_owner_only(tmp_path: Path, nst: Run) -> None:
    folder = tmp_path / "data"
    secret = webhook_secret(folder)
    assert Settings(webhook_secret=secret).webhook_secret is not None
    assert webhook_secret(folder) == secret
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    result = nst("webhook-secret", "--data-dir", folder)
    assert (result.exit_code, result.output) == (0, f"{secret}\n")


def test_two_that_make_it_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(webhook_secret, [tmp_path] * 8))) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_the_variable_comes_first(tmp_path: Path) -> None:
    assert webhook_secret(tmp_path, {"NST_WEBHOOK_SECRET": "whsec_own"}) == "whsec_own"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path, nst: Run) -> None:
    (tmp_path / "file").write_text("")
    result = nst("webhook-secret", "--data-dir", tmp_path / "file" / "data")
    assert result.exit_code == 1
    assert "Not a directory" in result.output
