"""Where to compute, and in which precision."""

from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch

from nst_core.errors import DeviceUnavailable


def choose_device(wanted: str = "auto") -> torch.device:
    """The device for ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; automatic is CUDA, then MPS, then CPU.

    Raises:
        DeviceUnavailable: it does not exist on this machine.
    """
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda:0")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise DeviceUnavailable(f"{wanted!r} is not a device; try auto, cpu, cuda, cuda:1 or mps") from None
    here = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not here.get(device.type, False):
        raise DeviceUnavailable(f"there is no device {wanted!r} on this machine")
    return device


@cache
def _cpu_has_matrix_tiles() -> bool:
    """Whether this CPU multiplies bfloat16 matrices in hardware (AMX); others only emulate or gain little."""
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16", False))


def choose_precision(wanted: str, device: torch.device) -> torch.dtype:
    """The type in which an encoder computes: ``auto``, ``float32`` or ``bfloat16``.

    Automatic takes bfloat16 where the hardware gains from it: it has float32's range, so nothing overflows, and
    images, losses and the optimiser stay in float32.  float16 is not offered: VGG's activations exceed its range.
    """
    if wanted != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[wanted]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float32
    if device.type == "cpu" and _cpu_has_matrix_tiles():
        return torch.bfloat16
    return torch.float32


def precision_in_force(wanted: str, device: torch.device) -> str:
    """What :func:`choose_precision` chooses, as an option: ``float32`` or ``bfloat16``."""
    return str(choose_precision(wanted, device)).removeprefix("torch.")


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """A context in which convolutions and matrix products run in ``dtype``."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype)


def is_device_lost(error: Exception) -> bool:
    """Whether an error of CUDA has spoilt the device for this process, so that whatever follows fails as well."""
    if is_out_of_memory(error):
        return False
    told = ("CUDA error", "cuDNN error")
    return isinstance(error, torch.AcceleratorError) or (
        isinstance(error, RuntimeError) and any(text in str(error) for text in told)
    )


def is_out_of_memory(error: Exception) -> bool:
    """Whether the device or the machine has no memory left; PyTorch tells it of the CPU as a RuntimeError."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and ("out of memory" in str(error) or "can't allocate memory" in str(error))
