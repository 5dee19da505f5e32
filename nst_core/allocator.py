"""The C library's memory allocator, set for large tensors on CPU."""

import ctypes
import resource
import sys
from pathlib import Path

# From glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Lets this process keep memory that tensors free, for the next tensors, instead of handing it back at once.

    By default glibc maps every large block anew and the kernel clears it page by page, which takes a fifth of an
    iteration's time on CPU.  The peak grows by about a hundredth.  :func:`release_freed_memory` hands it back.

    Returns:
        Whether the C library knows how; others (musl, macOS) stay as they are.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(mallopt(name, value) for name, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _LARGEST), (_TOP_PAD, 2**26)))


def release_freed_memory(*, above: int = 0) -> None:
    """Hands memory that no tensor holds back to the system, for instance after a job.

    Args:
        above: bytes; a process whose resident memory is no larger keeps what it has, because to get it back costs
            more than a small picture.
    """
    if sys.platform.startswith("linux") and _resident() > above:
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
