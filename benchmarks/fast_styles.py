"""Time and memory of one forward pass of the fast engine against Johnson's original architecture, in one run.

    python benchmarks/fast_styles.py --size 512x384 --size 1280x720

The original (Johnson et al. 2016 with instance normalisation: 1.68 million weights, transposed convolutions) is written
here as plain PyTorch, float32.  The networks take turns; the best round of each counts.  Random weights do not change
the speed.

Memory is the peak of a process of its own that does one pass and nothing else, and how much that is above the peak
before the pass: of the resident set on CPU, of PyTorch's allocations on CUDA.  The last line is a large picture painted
strip by strip.
"""

import argparse
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from time import perf_counter

import torch
from torch import Tensor, nn

from nst_core.allocator import keep_freed_memory
from nst_core.device import autocast, choose_device, choose_precision
from nst_core.grain import with_grain
from nst_core.streaming import paint_in_strips
from nst_core.transformer import TransformerNetwork

NETWORKS = ("ours", "original")


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(channels, channels, 3, 1), nn.ReLU(), *_convolution(channels, channels, 3, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)  # type: ignore[no-any-return]


def _convolution(channels: int, width: int, kernel: int, stride: int) -> list[nn.Module]:
    return [
        nn.ReflectionPad2d(kernel // 2),
        nn.Conv2d(channels, width, kernel, stride),
        nn.InstanceNorm2d(width, affine=True),
    ]


def _transposed(channels: int, width: int) -> list[nn.Module]:
    return [
        nn.ConvTranspose2d(channels, width, 3, 2, padding=1, output_padding=1),
        nn.InstanceNorm2d(width, affine=True),
        nn.ReLU(),
    ]


def johnson() -> nn.Module:
    """The architecture of the paper's supplement."""
    return nn.Sequential(
        *_convolution(3, 32, 9, 1), nn.ReLU(),
        *_convolution(32, 64, 3, 2), nn.ReLU(),
        *_convolution(64, 128, 3, 2), nn.ReLU(),
        *[_Residual(128) for _ in range(5)],
        *_transposed(128, 64), *_transposed(64, 32),
        nn.ReflectionPad2d(4), nn.Conv2d(32, 3, 9),
    )  # fmt: skip


def pass_of(name: str, width: int, height: int, device: torch.device, *, strips: bool = False) -> Callable[[], object]:
    """One forward pass of a network over an image of this size."""
    image = torch.rand(1, 3, height, width)
    if name == "original":
        original, placed = johnson().eval().to(device), image.to(device)
        return lambda: original(placed)
    network = TransformerNetwork().eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    style, precision = network.neutral_style().to(device), choose_precision("auto", device)
    placed = image if strips else image.to(device)

    def fast() -> object:
        # With the grain that a style expects on a photograph, which takes its part of the time.
        grainy = with_grain(placed, 0.08)
        with autocast(device, precision):
            return paint_in_strips(network, grainy, style) if strips else network(grainy, style)

    return fast


@torch.inference_mode()
def seconds(run: Callable[[], object], device: torch.device) -> float:
    """Of one call."""
    began = perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return perf_counter() - began


@dataclass(frozen=True)
class Memory:
    """Of one pass: the peak of its process in MB, how much of it came with the pass, and the seconds it took."""

    peak: float
    added: float
    seconds: float

    def __str__(self) -> str:
        return f"{self.peak:.0f} MB ({self.added:+.0f} MB by the pass)"


def _peak(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _memory(name: str, size: tuple[int, int], device_name: str, strips: bool) -> Memory:
    keep_freed_memory()
    device = choose_device(device_name)
    run = pass_of(name, *size, device, strips=strips)
    before = _peak(device)
    taken = seconds(run, device)
    return Memory(_peak(device), _peak(device) - before, taken)


def memory(name: str, size: tuple[int, int], device: str, *, strips: bool = False) -> Memory:
    """Measures in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_memory, name, size, device, strips).result()


def best_seconds(width: int, height: int, rounds: int, device: torch.device) -> dict[str, float]:
    """Of a pass of each network."""
    runs = {name: pass_of(name, width, height, device) for name in NETWORKS}
    best = dict.fromkeys(runs, float("inf"))
    for k in range(rounds + 1):  # the first round warms up
        for name, run in runs.items():
            taken = seconds(run, device)
            best[name] = min(best[name], taken) if k else best[name]
    return best


def _size(text: str) -> tuple[int, int]:
    width, height = map(int, text.split("x"))
    return width, height


def main() -> None:
    """Prints three lines for each size, and one for the strips."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=_size, action="append", help="WIDTHxHEIGHT, repeatable (512x384 and 1280x720)")
    parser.add_argument("--strips", type=_size, default=(4096, 4096), help="of the picture in strips (4096x4096)")
    parser.add_argument("--no-strips", dest="strips", action="store_const", const=None)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    sizes = arguments.size or [(512, 384), (1280, 720)]
    # Memory comes first, while this process is small: the peak that the kernel tells of a new process begins at that of
    # the one which started it.
    needed = {size: {name: memory(name, size, arguments.device) for name in NETWORKS} for size in sizes}
    large: tuple[int, int] | None = arguments.strips
    in_strips = memory("ours", large, arguments.device, strips=True) if large else None
    keep_freed_memory()  # as the worker does
    device = choose_device(arguments.device)
    weights = {"ours": TransformerNetwork(), "original": johnson()}
    told = ", ".join(f"{name} {sum(p.numel() for p in n.parameters()):,} weights" for name, n in weights.items())
    print(f"{choose_precision('auto', device)} on {device}, {torch.get_num_threads()} threads; {told}")
    for width, height in sizes:
        best = best_seconds(width, height, arguments.rounds, device)
        print(f"{width} x {height} px")
        times = ", ".join(f"{name} {taken * 1000:.0f} ms" for name, taken in best.items())
        print(f"  time: {times}; ours takes {best['ours'] / best['original']:.2f} of the original's")
        print("  peak memory: " + ", ".join(f"{name} {peak}" for name, peak in needed[width, height].items()))
    if large and in_strips:
        print(f"{large[0]} x {large[1]} px in strips: ours {in_strips.seconds:.1f} s, peak memory {in_strips}")


if __name__ == "__main__":
    main()
