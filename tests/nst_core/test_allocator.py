import subprocess
import sys

import pytest

#: Page faults of one large tensor that is made again and again, in a process of its own: the setting is for good.
PROGRAM = """
import resource, sys, torch
from nst_core.allocator import keep_freed_memory, release_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident():
    return int(open("/proc/self/statm").read().split()[1])

if "keep" in sys.argv and not keep_freed_memory():
    print("unknown")
    sys.exit()
torch.set_num_threads(1)
for _ in range(20):  # aligned blocks take some rounds until they find what was freed before
    torch.zeros(4_000_000)
before = faults()
for _ in range(10):
    torch.zeros(4_000_000)
print(faults() - before)
kept = resident()
release_freed_memory(above=2**40)
print(kept - resident())
release_freed_memory()
print(kept - resident())
"""

PAGES = 4_000_000 * 4 // 4096


def run(*arguments: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_memory_that_tensors_free_is_used_again_and_given_back_when_asked() -> None:
    told = run("keep")
    if told == ["unknown"]:
        pytest.skip("this C library cannot keep memory")
    faults, too_early, released = map(int, told)
    assert faults < PAGES
    assert too_early == 0
    assert released > PAGES / 2
