"""Engine time and memory of a picture with the default options, on our own samples.

python benchmarks/default_job.py --size 512
"""

import argparse
import resource
from time import perf_counter

import torch

from cli.console import SAMPLES
from nst_core.allocator import keep_freed_memory
from nst_core.device import choose_device, choose_precision
from nst_core.gatys import Subject, paint
from nst_core.options import GatysOptions
from nst_core.picture import decode
from nst_core.pretrained import load_encoder


def main() -> None:
    """Prints one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, help="long side in pixels")
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    keep_freed_memory()  # as the worker does
    device = choose_device(arguments.device)
    options = GatysOptions(size=arguments.size, precision=arguments.precision)
    content, style = (decode((SAMPLES / name).read_bytes()) for name in ("content_harbour.jpg", "style_flow.jpg"))
    began = perf_counter()
    encoder = load_encoder("compact").to(device)
    loaded = perf_counter()
    for last in paint(Subject(content=content, styles=[style]), options, encoder):  # noqa: B007 - the last one counts
        pass
    done = perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{last.width} x {last.height}, {options.iterations} iterations over {last.scales} scales, "
        f"{choose_precision(options.precision, device)} on {device} ({torch.get_num_threads()} threads): "
        f"{done - loaded:.1f} s, {loaded - began:.1f} s to load, peak memory {peak:.0f} MB"
    )


if __name__ == "__main__":
    main()
