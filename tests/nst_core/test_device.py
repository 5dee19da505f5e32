import pytest
import torch

from nst_core.device import autocast, choose_device, choose_precision
from nst_core.errors import DeviceUnavailable


def test_cpu_is_always_there() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in ("cpu", "cuda", "mps")


@pytest.mark.parametrize("wanted", ["cuda:99", "abacus", "meta"])
def test_a_device_that_is_not_there_is_refused(wanted: str) -> None:
    with pytest.raises(DeviceUnavailable, match=wanted):
        choose_device(wanted)


def test_precision() -> None:
    cpu = torch.device("cpu")
    assert choose_precision("float32", cpu) == torch.float32
    assert choose_precision("bfloat16", cpu) == torch.bfloat16
    assert choose_precision("auto", cpu) in (torch.float32, torch.bfloat16)
    with autocast(cpu, torch.bfloat16):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    with autocast(cpu, torch.float32):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
