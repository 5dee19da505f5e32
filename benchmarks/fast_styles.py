"""Time of one forward pass of the fast engine against Johnson's original architecture, in one run.

    python benchmarks/fast_styles.py --width 512 --height 384

The original (Johnson et al. 2016 with instance normalisation: 1.68 million weights, transposed convolutions) is written
here as plain PyTorch, float32.  The networks take turns; the best round of each counts.  Random weights do not change
the speed.
"""

import argparse
import resource
from collections.abc import Callable
from time import perf_counter

import torch
from torch import Tensor, nn

from nst_core.allocator import keep_freed_memory
from nst_core.device import autocast, choose_device, choose_precision
from nst_core.transformer import TransformerNetwork


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


def seconds(run: Callable[[], object], device: torch.device) -> float:
    """Of one call."""
    began = perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return perf_counter() - began


@torch.inference_mode()
def main() -> None:
    """Prints one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--height", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    keep_freed_memory()  # as the worker does
    device = choose_device(arguments.device)
    image = torch.rand(1, 3, arguments.height, arguments.width, device=device)
    original = johnson().eval().to(device)
    network = TransformerNetwork().eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    style = network.neutral_style().to(device)
    precision = choose_precision("auto", device)

    def fast() -> object:
        with autocast(device, precision):
            return network(image, style)

    runs: dict[str, Callable[[], object]] = {"ours": fast, "original": lambda: original(image)}
    best = dict.fromkeys(runs, float("inf"))
    for k in range(arguments.rounds + 1):  # the first round warms up
        for name, run in runs.items():
            taken = seconds(run, device)
            best[name] = min(best[name], taken) if k else best[name]
    sizes = {name: sum(p.numel() for p in n.parameters()) for name, n in (("ours", network), ("original", original))}
    told = ", ".join(f"{name} ({sizes[name]:,} weights) {taken * 1000:.0f} ms" for name, taken in best.items())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{arguments.width} x {arguments.height} px, {precision} on {device}, {torch.get_num_threads()} threads: {told}"
    )
    share = best["ours"] / best["original"]
    print(f"ours takes {share:.2f} of the original's time; peak memory of both {peak:.0f} MB")


if __name__ == "__main__":
    main()
