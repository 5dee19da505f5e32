"""Time per iteration of the iterative engine with the compact encoder and with VGG-19, in one run.

    python benchmarks/iterations.py --size 512 --rounds 5

The encoders take turns, so that noise of the machine meets both; the best round of each counts.  VGG-19 gets random
weights: they do not change the speed, and nothing has to be downloaded.
"""

import argparse
from collections.abc import Iterator
from time import perf_counter

import torch

from nst_core.allocator import keep_freed_memory
from nst_core.device import choose_device, choose_precision
from nst_core.encoders import VGG, Encoder
from nst_core.gatys import minimize
from nst_core.normalization import calibration_images
from nst_core.objective import Objective, Targets
from nst_core.options import GatysOptions
from nst_core.pretrained import load_encoder


def iterations(encoder: Encoder, size: int, precision: str, device: torch.device) -> Iterator[object]:
    """An endless optimisation at one scale, as the engine does it."""
    options = GatysOptions(size=size, scales=1)
    content, style = calibration_images(2, size).to(device).split(1)
    targets = Targets(content=content, styles=[style])
    objective = Objective(encoder, targets, options, choose_precision(precision, device))
    return minimize(objective, content.clone(), 1_000_000, options)


def seconds(run: Iterator[object], count: int, device: torch.device) -> float:
    """Seconds per iteration over ``count`` of them."""
    began = perf_counter()
    for _ in range(count):
        next(run)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (perf_counter() - began) / count


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, help="side of the square image in pixels")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=3, help="per round")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    keep_freed_memory()  # as the worker does
    device = choose_device(arguments.device)
    encoders = {
        "compact": load_encoder("compact").to(device),
        "vgg19": VGG("vgg19").eval().requires_grad_(False).to(device),
    }
    where = f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    print(f"{arguments.size} x {arguments.size} px, {where}")
    kinds = ["float32"]
    if choose_precision("auto", device) == torch.bfloat16:  # elsewhere it is emulated and takes minutes
        kinds.append("bfloat16")
    for precision in kinds:
        runs = {name: iterations(encoder, arguments.size, precision, device) for name, encoder in encoders.items()}
        best = dict.fromkeys(runs, float("inf"))
        for k in range(arguments.rounds + 1):  # the first round warms up
            for name, run in runs.items():
                taken = seconds(run, arguments.iterations, device)
                best[name] = min(best[name], taken) if k else best[name]
        ratio = best["vgg19"] / best["compact"]
        times = ", ".join(f"{name} {value * 1000:.0f} ms" for name, value in best.items())
        print(f"{precision}: {times} per iteration; compact is {ratio:.1f} times as fast")


if __name__ == "__main__":
    main()
