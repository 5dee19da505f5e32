from pathlib import Path

import pytest
import torch

from nst_core.errors import CorruptCheckpoint
from nst_core.files import load_checkpoint, replaced, save_checkpoint

CPU = torch.device("cpu")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    with replaced(path) as partial:
        partial.write_text("first")
        assert not path.exists()

    def cut_short() -> None:
        with replaced(path) as partial:
            partial.write_text("sec")
            raise ValueError("cut short")

    with pytest.raises(ValueError, match="cut short"):
        cut_short()
    assert path.read_text() == "first"


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    save_checkpoint({"step": 3, "weights": torch.arange(4.0)}, tmp_path / "c.pt")
    state = load_checkpoint(tmp_path / "c.pt", CPU)
    assert state["step"] == 3
    assert torch.equal(state["weights"], torch.arange(4.0))


def test_a_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    (tmp_path / "c.pt").write_bytes(b"nothing")
    with pytest.raises(CorruptCheckpoint, match=r"the checkpoint c\.pt cannot be read"):
        load_checkpoint(tmp_path / "c.pt", CPU)
