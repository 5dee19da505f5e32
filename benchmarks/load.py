"""The service under load: how fast it answers, how many jobs it paints, what memory it takes, what it adds to a job.

    python benchmarks/load.py --clients 200 --seconds 30 --jobs 1000

Three measurements, each with a Redis, an API and at most one worker of its own on a free port, which end with it:

1. Answers, without a worker: each of the clients sends jobs at its own even pace, all together ``--rate`` a second (an
   answer counts from when its job was due, also when the one before was late), asks for its last one every ``--poll``
   seconds meanwhile, and listens to the events of its first one all the time.
2. Jobs from end to end: each client sends a job, learns of its end (one half of them by ``Prefer: wait``, the other by
   events), fetches the result and deletes the job, as fast as it goes, until ``--jobs`` are done.
3. Overhead: jobs one after the other, against the engine called directly on the same image.

A job is an image of 220 kB that is painted at 64 pixels in a trained style.  Clients, API, Redis and worker share this
machine.  ``WEB_CONCURRENCY=2`` gives the API two processes.  The exit status is 1 when anything went wrong: an answer
that is not the one expected, a process that ended.
"""

import argparse
import asyncio
import json
import os
import ssl
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter, time
from typing import Any

import httpx
import psutil
from fast_over_http import FastStack, Request, alone, over_http

from cli.console import SAMPLES
from cli.up import Stack
from nst_core.gallery import Gallery

#: Seconds between two looks at the memory of the processes.
LOOK_EVERY = 2.0

#: Seconds that an answer may take, and the end of a job.
PATIENCE = 120.0


class FrontStack(Stack):
    """The service without workers."""

    def _workers(self) -> list[tuple[str, str, str | None]]:
        return []


@dataclass
class Record:
    """What happened.

    Attributes:
        seconds: what each kind of request took.
        errors: what was not expected, and how often.
        memory: resident bytes of each process, again and again.
        work: seconds that each process has computed, likewise.
    """

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    memory: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    work: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def begin(self) -> None:
        """Forgets what was before."""
        self.seconds.clear()
        self.memory.clear()
        self.work.clear()

    async def ask(
        self, kind: str, status: int, answer: Coroutine[Any, Any, httpx.Response], late: float = 0.0
    ) -> httpx.Response | None:
        """The answer to a request, if it has this status.

        Args:
            late: seconds that it is sent after it was due; they count as if the answer had taken them.
        """
        began = perf_counter() - late
        try:
            response = await answer
        except httpx.HTTPError as error:
            self.errors[f"{kind}: {type(error).__name__}"] += 1
            return None
        self.seconds[kind].append(perf_counter() - began)
        if response.status_code != status:
            self.errors[f"{kind}: {response.status_code} {response.text[:200]}"] += 1
            return None
        return response

    async def watch(self, stack: Stack) -> None:
        """Looks at the memory of the processes, and at whether they are there, until it is canceled."""
        while True:
            stack.check()
            for name, pid in processes(stack):
                process = psutil.Process(pid)
                self.memory[name].append(process.memory_info().rss)
                times = process.cpu_times()
                self.work[name].append(times.user + times.system)
            await asyncio.sleep(LOOK_EVERY)


def processes(stack: Stack) -> Iterator[tuple[str, int]]:
    """Name and number of each process of the service, and of this one."""
    yield "load", os.getpid()
    if stack.redis and stack.redis.process:
        yield "redis", stack.redis.process.pid
    for name, child in stack.children.items():
        yield name, child.pid
        for k, grandchild in enumerate(psutil.Process(child.pid).children(), 1):
            yield f"{name}, child {k}", grandchild.pid


class Client:
    """One of many; each has connections of its own, as if it were another machine's."""

    def __init__(self, url: str, style_id: str, record: Record, context: ssl.SSLContext) -> None:
        self.http = httpx.AsyncClient(base_url=url, timeout=PATIENCE, trust_env=False, verify=context)
        self.record = record
        form = {"style_id": style_id, "size": "64"}
        file = (SAMPLES / "content_harbour.jpg").read_bytes()
        request = self.http.build_request("POST", "/jobs", data=form, files={"content": ("a.jpg", file, "image/jpeg")})
        self.body, self.type = request.read(), request.headers["Content-Type"]

    async def submit(self, late: float = 0.0) -> str | None:
        """Sends a job, so many seconds after it was due; its id if it was accepted."""
        sent = self.http.post("/jobs", content=self.body, headers={"Content-Type": self.type})
        response = await self.record.ask("POST /jobs", 202, sent, late)
        return response and response.json()["id"]

    async def look(self, job_id: str, status: str) -> None:
        """Asks for a job, which must have this status."""
        response = await self.record.ask("GET /jobs/{id}", 200, self.http.get(f"/jobs/{job_id}"))
        if response and response.json()["status"] != status:
            self.record.errors[f"a job that is {response.json()['status']}, not {status}"] += 1

    async def events(self, job_id: str) -> AsyncIterator[tuple[str, Any]]:
        """Names and data of a job's events; records how long the first one took."""
        began = perf_counter()
        try:
            async with self.http.stream("GET", f"/jobs/{job_id}/events") as response:
                name = ""
                async for line in response.aiter_lines():
                    if line.startswith("event: "):
                        name = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        if began:
                            self.record.seconds["GET /jobs/{id}/events, the first"].append(perf_counter() - began)
                            began = 0
                        yield name, json.loads(line.removeprefix("data: "))
        except httpx.HTTPError as error:
            self.record.errors[f"events: {type(error).__name__}"] += 1

    async def listen(self, job_id: str) -> None:
        """Follows a job that does not end, until it is canceled."""
        async for name, _ in self.events(job_id):
            if name in ("done", "gone"):
                self.record.errors[f"events of a job that waits: {name}"] += 1

    async def told(self, job_id: str) -> dict[str, Any] | None:
        """The job when its events say that it has ended; records how late they did."""
        async for name, data in self.events(job_id):
            if name == "done":
                ended = datetime.fromisoformat(data["completed_at"]).timestamp()
                self.record.seconds["the end of a job, by its events"].append(time() - ended)
                return dict(data)
        self.record.errors["events without an end"] += 1
        return None

    async def waited(self, job_id: str) -> dict[str, Any] | None:
        """The job when it has ended, by requests that wait for it."""
        began = perf_counter()
        while perf_counter() - began < PATIENCE:
            waited = self.http.get(f"/jobs/{job_id}", headers={"Prefer": "wait=30"})
            response = await self.record.ask("GET /jobs/{id}, waiting", 200, waited)
            if response is None:
                return None
            job: dict[str, Any] = response.json()
            if job["status"] not in ("queued", "processing"):
                return job
            if "Preference-Applied" not in response.headers:  # too many wait already
                await asyncio.sleep(0.5)
        self.record.errors["a job that does not end"] += 1
        return None

    async def paint(self, *, by_events: bool) -> None:
        """One job from its submission to its result, which is deleted afterwards."""
        began = perf_counter()
        job_id = await self.submit()
        if job_id is None:
            return
        job = await (self.told(job_id) if by_events else self.waited(job_id))
        if job is None:
            return
        if job["status"] != "succeeded":
            self.record.errors[f"a job that {job['status']}: {job['error']}"] += 1
            return
        await self.record.ask("GET /jobs/{id}/result", 200, self.http.get(f"/jobs/{job_id}/result"))
        self.record.seconds["a job, end to end"].append(perf_counter() - began)
        await self.record.ask("DELETE /jobs/{id}", 204, self.http.delete(f"/jobs/{job_id}"))


@contextmanager
def running(kind: type[Stack]) -> Iterator[Stack]:
    """A service of its own, whose data go with it."""
    with (
        tempfile.TemporaryDirectory(prefix="nst-") as folder,
        kind("127.0.0.1", 0, Path(folder), quiet=True, own_redis=True) as stack,
    ):
        yield stack


@asynccontextmanager
async def clients(stack: Stack, number: int, style_id: str, record: Record) -> Any:
    """So many clients, and somebody who watches the memory."""
    context = ssl.create_default_context()  # made once: it takes longer than a request
    made = [Client(stack.url, style_id, record, context) for _ in range(number)]
    watcher = asyncio.create_task(record.watch(stack))
    try:
        yield made
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
        for client in made:
            await client.http.aclose()
        if not watcher.cancelled() and (error := watcher.exception()):
            raise error


async def answers(stack: Stack, style_id: str, number: int, rate: float, poll: float, seconds: float) -> Record:
    """The first measurement."""
    record = Record()
    interval = number / rate
    loop = asyncio.get_running_loop()
    listening: dict[Client, asyncio.Task[None]] = {}

    async def client_of(client: Client, first: float) -> None:
        due, job_id = first, None
        while due < end:
            await asyncio.sleep(due - loop.time())
            # A slow answer makes the next jobs late, which is the service's fault: counted from when they were due.
            job_id = await client.submit(late=loop.time() - due) or job_id
            if job_id and client not in listening:
                listening[client] = asyncio.create_task(client.listen(job_id))
            due += interval
            while job_id and loop.time() + poll < min(due, end):
                await asyncio.sleep(poll)
                await client.look(job_id, "queued")

    async with clients(stack, number, style_id, record) as made:
        await asyncio.gather(*(client.submit() for client in made[:8]))  # the first ones pay for what is made once
        record.begin()
        began = loop.time()
        end = began + seconds
        await asyncio.gather(*(client_of(client, began + k / rate) for k, client in enumerate(made)))
        record.seconds["all"].append(loop.time() - began)
        for task in listening.values():
            task.cancel()
        await asyncio.gather(*listening.values(), return_exceptions=True)
    return record


async def end_to_end(stack: Stack, style_id: str, number: int, jobs: int) -> Record:
    """The second measurement."""
    record = Record()

    async def client_of(client: Client, left: Iterator[int], *, by_events: bool) -> None:
        while next(left) < jobs:
            await client.paint(by_events=by_events)

    async with clients(stack, number, style_id, record) as made:
        await made[0].paint(by_events=False)  # waits for the worker to be there
        record.begin()
        began, left = perf_counter(), count()
        await asyncio.gather(*(client_of(client, left, by_events=k % 2 > 0) for k, client in enumerate(made)))
        record.seconds["all"].append(perf_counter() - began)
    return record


def overhead(stack: Stack, style_id: str, jobs: int, poll: float = 0.0) -> tuple[list[float], list[float]]:
    """The third: seconds of jobs, and of the engine alone from file to file."""
    request = Request((SAMPLES / "content_harbour.jpg").read_bytes(), style_id, 64)
    through: list[float] = []
    directly: list[float] = []
    with (
        httpx.Client(base_url=stack.url, timeout=PATIENCE, trust_env=False) as http,
        ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=os.setsid) as process,
    ):
        for k in range(5 + jobs):
            total = over_http(http, request, poll)["total"]
            engine = sum(process.submit(alone, request, None).result().values())
            if k >= 5:
                through.append(total)
                directly.append(engine)
    return through, directly


def percentile(values: list[float], share: float) -> float:
    """The smallest value that so large a share does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def print_requests(record: Record) -> None:
    """A table of what requests took."""
    print("| request | number | p50, ms | p99, ms | longest, ms |\n| --- | --- | --- | --- | --- |")
    for kind, values in record.seconds.items():
        if kind != "all":
            figures = " | ".join(
                f"{1000 * value:.1f}" for value in (median(values), percentile(values, 0.99), max(values))
            )
            print(f"| {kind} | {len(values)} | {figures} |")


def print_memory(record: Record) -> None:
    """A table of what the processes took."""
    print("\n| process | memory at first, MB | after half | at the end | most | computed, s |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, values in record.memory.items():
        told = " | ".join(
            f"{value / 1e6:.0f}" for value in (values[0], values[len(values) // 2], values[-1], max(values))
        )
        print(f"| {name} | {told} | {record.work[name][-1] - record.work[name][0]:.1f} |")


def print_errors(record: Record) -> None:
    """What went wrong."""
    print(f"\nunexpected: {sum(record.errors.values())}")
    for text, number in record.errors.most_common(20):
        print(f"  {number} x {text}")


def main() -> None:
    """Prints tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=200, help="at the same time (default: 200)")
    parser.add_argument("--rate", type=float, default=50.0, help="jobs sent a second, all together (default: 50)")
    parser.add_argument("--poll", type=float, default=1.0, help="seconds between two looks of a client (default: 1)")
    parser.add_argument("--seconds", type=float, default=30.0, help="of the first measurement; 0: leave it out")
    parser.add_argument("--jobs", type=int, default=1000, help="of the second measurement; 0: leave it out")
    parser.add_argument("--alone", type=int, default=50, help="jobs of the third measurement; 0: leave it out")
    parser.add_argument("--style-id", help="by default the gallery's first")
    arguments = parser.parse_args()
    if min(arguments.clients, arguments.rate, arguments.poll) <= 0:
        parser.error("--clients, --rate and --poll must be more than 0")
    style_id = arguments.style_id or next(iter(Gallery().styles))
    number: int = arguments.clients
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # for all processes, as the worker sets it
    os.environ.setdefault("NST_MAX_WAITING", str(number))  # who may not wait asks again and again
    os.environ.setdefault("NST_MAX_QUEUED_JOBS", "0")  # the first measurement's jobs all wait
    wrong = 0

    def run(kind: type[Stack], measure: Callable[[Stack], Coroutine[Any, Any, Record]], title: str) -> None:
        nonlocal wrong
        with running(kind) as stack:
            record = asyncio.run(measure(stack))
        wrong += sum(record.errors.values())
        (seconds,) = record.seconds.pop("all")
        for kind_of_request in ("POST /jobs", "a job, end to end"):
            number_of = len(record.seconds.get(kind_of_request, ()))
            title += f"; {number_of / seconds:.1f}/s of {kind_of_request!r}" if number_of else ""
        print(f"\n{title}, in {seconds:.1f} s\n")
        print_requests(record)
        print_memory(record)
        print_errors(record)

    if arguments.seconds > 0:
        run(
            FrontStack,
            lambda stack: answers(stack, style_id, number, arguments.rate, arguments.poll, arguments.seconds),
            f"Answers: {number} clients, {arguments.rate:g} jobs/s, no worker",
        )
    if arguments.jobs > 0:
        run(
            FastStack,
            lambda stack: end_to_end(stack, style_id, number, arguments.jobs),
            f"End to end: {number} clients, one worker",
        )
    if arguments.alone > 0:
        with running(FastStack) as stack:
            through, directly = overhead(stack, style_id, arguments.alone)
        added = [1000 * (job - engine) for job, engine in zip(through, directly, strict=True)]
        print(f"\nOverhead: {len(added)} jobs, one after the other\n")
        print(f"a job {1000 * median(through):.1f} ms, the engine alone {1000 * median(directly):.1f} ms")
        print(f"the service adds {median(added):.1f} ms (median), {percentile(added, 0.9):.1f} ms (p90)")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
