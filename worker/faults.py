"""Faults on purpose, for tests: what a device does to a job, and cannot be made to do from outside.

A fault is a file in the folder ``NST_FAULTS`` whose name begins with its kind, such as ``cuda`` or ``oom.2``.  Before
each forward pass of an encoder or of a fast style's network, the first of them is taken away, and its fault happens:
each file is one fault, whichever process meets it.  Without that setting nothing is hooked and nothing is looked for.
"""

import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from nst_core.encoders import Encoder
from nst_core.transformer import TransformerNetwork

logger = logging.getLogger(__name__)

#: Longer than any limit of time.
_FOREVER = 10**8


def _out_of_memory() -> NoReturn:
    raise torch.OutOfMemoryError("CUDA out of memory (a fault on purpose).")


def _cuda_error() -> NoReturn:
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        # A real one: from here on whatever this process asks of the device fails.
        torch.ones(1, device="cuda")[torch.tensor([2**30], device="cuda")].cpu()
    raise torch.AcceleratorError("CUDA error: device-side assert triggered (a fault on purpose)")


def _hang() -> None:
    time.sleep(_FOREVER)


def _hang_deaf() -> None:
    """As code of a library that hangs: no signal but SIGKILL ends it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(_FOREVER)


def _exit() -> NoReturn:
    os._exit(1)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


#: What happens, by kind.
KINDS: Mapping[str, Callable[[], None]] = MappingProxyType(
    {"oom": _out_of_memory, "cuda": _cuda_error, "hang": _hang, "deaf": _hang_deaf, "exit": _exit, "kill": _kill}
)


def hook(folder: Path) -> Callable[[], None]:
    """Lets the faults of this folder happen in this process from now on; what is returned ends that."""
    logger.warning("faults happen on purpose (NST_FAULTS): this is for tests only")

    def meet(module: nn.Module, _: Any) -> None:
        if isinstance(module, Encoder | TransformerNetwork) and (kind := _take(folder)):
            logger.warning("a fault on purpose: %s", kind)
            KINDS[kind]()

    return register_module_forward_pre_hook(meet).remove


def _take(folder: Path) -> str | None:
    """The kind of the first fault that this process has taken away before any other could."""
    for path in sorted(folder.iterdir()):
        kind = path.name.partition(".")[0]
        if kind in KINDS:
            try:
                path.unlink()
            except FileNotFoundError:  # another process has it
                continue
            return kind
    return None
