"""Time of a fast picture through the service, over HTTP, against the forward pass alone.

    python benchmarks/fast_over_http.py --jobs 50 --styles-dir runs/style

Starts a Redis, the API and a worker of its own on a free port, and ends them.  Warm jobs go one after the other, each
from the start of ``POST /jobs`` until the bytes of the result are here, and take turns with the forward pass alone
(``paint_fast``) in a process of its own with as many threads.  All clocks are this machine's, so that the parts of a
job add up to the whole.
"""

import argparse
import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, sleep, time
from typing import Any

import httpx
from PIL import Image
from typing_extensions import override

from cli.console import SAMPLES
from cli.up import Stack
from nst_core.gallery import Gallery
from nst_core.picture import decode, encode

#: Seconds within which a job must end; the first one waits for the worker to import PyTorch.
PATIENCE = 300.0


class FastStack(Stack):
    """The service with one worker, for fast jobs only."""

    @override
    def _workers(self) -> list[tuple[str, str, str | None]]:
        return [("fast", "fast", None)]


@dataclass(frozen=True)
class Request:
    """What is painted: an image file in a trained style."""

    photograph: bytes
    style_id: str
    size: int


@cache
def _models(styles_dir: Path | None) -> Any:
    from nst_core.allocator import keep_freed_memory
    from nst_core.device import choose_device
    from nst_core.fast_models import FastModels

    keep_freed_memory()  # as the worker does
    return FastModels(Gallery(styles_dir), choose_device(os.environ.get("NST_DEVICE", "auto")))


def alone(request: Request, styles_dir: Path | None) -> dict[str, float]:
    """Seconds of the engine alone, in this process, and of what surrounds it in any service: image files."""
    from nst_core.fast import paint_fast
    from nst_core.options import FastOptions

    style = _models(styles_dir).get(request.style_id)
    began = perf_counter()
    photograph = decode(request.photograph)
    decoded = perf_counter()
    picture = paint_fast(photograph, [style], FastOptions(size=request.size))
    painted = perf_counter()
    encode(picture, "png")
    return {"decode": decoded - began, "forward": painted - decoded, "encode": perf_counter() - painted}


def over_http(http: httpx.Client, request: Request, poll: float) -> dict[str, float]:
    """Seconds of one job, in all and by parts.

    Raises:
        RuntimeError: the job did not succeed.
    """
    began = time()
    form = {"style_id": request.style_id, "size": str(request.size)}
    headers = {} if poll else {"Prefer": "wait"}
    job = _json(http.post("/jobs", files={"content": request.photograph}, data=form, headers=headers))
    while job["status"] in ("queued", "processing"):
        if time() - began > PATIENCE:
            raise RuntimeError(f"the job does not end: {job}")
        sleep(poll)
        job = _json(http.get(job["urls"]["self"], headers=headers))
    seen = time()
    if job["status"] != "succeeded":
        raise RuntimeError(f"the job failed: {job['error']}")
    http.get(job["urls"]["result"]).raise_for_status().read()
    ended = time()
    created, started, completed = (
        datetime.fromisoformat(job[name]).timestamp() for name in ("created_at", "started_at", "completed_at")
    )
    run = job["metrics"]["run_seconds"]
    return {
        "total": ended - began,
        "upload": created - began,
        "queue": started - created,
        "worker": completed - started - run,
        "run": run,
        "seen": seen - completed,
        "result": ended - seen,
    }


def _json(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        raise RuntimeError(f"{response.status_code}: {response.text}")
    return dict(response.json())


def _line(name: str, values: Sequence[float]) -> str:
    """Median, and the span of all but the fastest and the slowest tenth, in milliseconds."""
    tenths = quantiles(values, n=10, method="inclusive")
    return f"{name:<54}{median(values) * 1000:7.1f}   {tenths[0] * 1000:7.1f} to {tenths[-1] * 1000:.1f}"


def report(jobs: Mapping[str, list[float]], engine: Mapping[str, list[float]]) -> None:
    """Prints a table."""
    forward = median(engine["forward"])
    print(f"{'milliseconds':<54}{'median':>7}   10 to 90 %")
    print(_line("the forward pass alone (paint_fast)", engine["forward"]))
    print(_line("a job, from POST to the result's bytes", jobs["total"]))
    print(_line("overhead: a job less the median forward pass", [total - forward for total in jobs["total"]]))
    print("the parts of a job:")
    print(_line("  POST until the job is made: upload, checks", jobs["upload"]))
    print(_line("  until a worker has it (queue_seconds)", jobs["queue"]))
    print(_line("  in the worker, besides run_seconds", jobs["worker"]))
    print(_line("  forward pass and encoding (run_seconds)", jobs["run"]))
    print(_line("  until the client sees the end", jobs["seen"]))
    print(_line("  fetching the result", jobs["result"]))
    print("for comparison:")
    print(_line("  decoding the photograph, alone", engine["decode"]))
    print(_line("  encoding the result as PNG, alone", engine["encode"]))


def main() -> None:
    """Prints a table of milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=30, help="that are measured")
    parser.add_argument("--warm-up", type=int, default=5, help="jobs before them")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--height", type=int, default=384)
    parser.add_argument("--styles-dir", type=Path, help="folder of a gallery; by default the one that ships")
    parser.add_argument("--style-id", help="by default the gallery's first")
    parser.add_argument(
        "--poll", type=float, default=0.0, help="seconds between two looks at the job; 0: `Prefer: wait`, no looks"
    )
    arguments = parser.parse_args()
    if arguments.jobs < 2:
        parser.error("--jobs must be at least 2")
    styles = Gallery(arguments.styles_dir).styles
    if not styles:
        parser.error("the gallery has no styles; another one: --styles-dir FOLDER")
    size = arguments.width, arguments.height
    sample = decode((SAMPLES / "content_harbour.jpg").read_bytes()).resize(size, Image.Resampling.LANCZOS)
    request = Request(encode(sample, "jpeg"), arguments.style_id or next(iter(styles)), max(size))
    if arguments.styles_dir:
        os.environ["NST_STYLES_DIR"] = str(arguments.styles_dir)
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # for both processes, as the worker sets it
    jobs: dict[str, list[float]] = {}
    engine: dict[str, list[float]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="nst-") as folder,
        FastStack("127.0.0.1", 0, Path(folder), quiet=True, own_redis=True) as stack,
        httpx.Client(base_url=stack.url, timeout=60, trust_env=False) as http,
        # In a session of its own, as the service's processes: the kernel shares time out between sessions.
        ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=os.setsid) as process,
    ):
        for k in range(arguments.warm_up + arguments.jobs):
            stack.check()
            measured = [
                (jobs, over_http(http, request, arguments.poll)),
                (engine, process.submit(alone, request, arguments.styles_dir).result()),
            ]
            for rows, row in measured if k >= arguments.warm_up else ():
                for name, taken in row.items():
                    rows.setdefault(name, []).append(taken)
    print(
        f"{arguments.jobs} warm jobs in the style {request.style_id}, {size[0]} x {size[1]} px, "
        f"{os.environ.get('OMP_NUM_THREADS', 'default')} threads"
    )
    report(jobs, engine)


if __name__ == "__main__":
    main()
