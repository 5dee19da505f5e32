"""Faults in random order against a real service, and the count of what became of its jobs.

    python -m tests.soak --minutes 10 --seed 7

Starts a Redis, the API, a worker for fast jobs, two for long ones and one for webhooks, sends small jobs of both
engines, and meanwhile kills, stops, ends and starts again whatever there is, cancels and deletes.  In the end every job
that was accepted must have ended once: with the picture that the engine paints when it is called directly, or as asked.
The exit status is 1 when anything is wrong.
"""

import argparse
import io
import json
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import Any

import httpx
import redis
import torch
from PIL import Image

import nst_core
from cli.console import SAMPLES
from cli.up import Stack
from jobs.contract import Job, Urls, new_job_id, now
from jobs.queue import enqueue, make_celery
from jobs.settings import Settings
from jobs.store import RedisStore
from nst_core.fast import paint_fast_image
from nst_core.fast_models import FastModels
from nst_core.gallery import Gallery
from nst_core.gatys import Subject, paint
from nst_core.image import to_picture, to_tensor
from nst_core.options import FastOptions, GatysOptions
from nst_core.picture import decode
from nst_core.pretrained import load_encoder
from nst_core.similarity import structural_similarity
from tests.receiver import SECRET, Receiver
from tests.service import FINAL, System, kill_group, pool_child, wait_for

logger = logging.getLogger(__name__)

#: So alike is the result of a job to what the engine paints undisturbed, at least.
ALIKE = 0.98

#: Seconds within which another worker has a job in hand whose worker died alone, with the settings' own lease.
PROMPT = 15.0

#: Jobs that wait and run at the same time, at most.
OUTSTANDING = 6

#: Those that paint.
PAINTERS = ("gatys", "gatys-2", "fast")


@dataclass(frozen=True)
class Recipe:
    """What a job paints: side and iterations, none for the fast engine."""

    content: str
    style: str
    size: int
    iterations: int

    def file(self, name: str) -> bytes:
        """A sample, small, so that sending it takes no time."""
        picture = Image.open(SAMPLES / f"{name}.jpg")
        picture.thumbnail((160, 160))
        file = io.BytesIO()
        picture.save(file, "PNG")
        return file.getvalue()


RECIPES = [
    Recipe("content_harbour", "style_flow", 64, 30),
    Recipe("content_harbour", "style_mosaic", 64, 120),
    Recipe("content_still_life", "style_flow", 96, 60),
    Recipe("content_still_life", "style_mosaic", 96, 120),
    Recipe("content_harbour", "", 64, 0),
    Recipe("content_still_life", "", 96, 0),
]


#: The loggers that tell of the job in hand.
TELLERS = ("worker.runner", "worker.painters", "worker.faults")

#: What is noted of a worker that is stopped.
STOPPED = "SIGSTOP of a whole worker"

#: Long enough to be disturbed in its midst.
LONG = Recipe("content_harbour", "style_flow", 96, 250)

#: What a worker paints while it is stopped.
HELD = Recipe("content_harbour", "style_mosaic", 96, 90)


@dataclass
class Sent:
    """A job that was accepted."""

    recipe: Recipe
    webhook: bool
    cancel: bool = False
    deleted: bool = False
    ended: bool = False


@dataclass
class Disturbance:
    """A fault that a process met."""

    kind: str
    worker: str
    at: datetime


@dataclass
class Moment:
    """What a worker told of a job."""

    at: datetime
    worker: str
    job_id: str
    text: str

    @property
    def starts(self) -> bool:
        return ": started, attempt " in self.text


@dataclass
class Report:
    """What became of everything."""

    ends: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)
    fenced: int = 0
    wrong: list[str] = field(default_factory=list)
    to_the_pixel: int = 0
    least_alike: float = 1.0
    taken_up: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    taken_up_alone: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    went_on: list[int] = field(default_factory=list)
    measured: int = 0

    def expect(self, condition: bool, complaint: str) -> None:
        """Notes what is wrong."""
        if not condition:
            self.wrong.append(complaint)

    def __str__(self) -> str:
        lines = [
            f"done: {', '.join(f'{number} x {kind}' for kind, number in sorted(self.done.items()))}",
            f"accepted and ended: {self.ends.total()} ({', '.join(f'{n} {kind}' for kind, n in self.ends.items())})",
            f"pictures the same to the pixel: {self.to_the_pixel} of {self.ends['succeeded']}",
            f"the least alike has SSIM {self.least_alike:.4f}",
            f"faults that were met: {', '.join(f'{number} x {kind}' for kind, number in sorted(self.met.items()))}",
            f"had its job taken while it was stopped, and threw it away: {self.fenced} times",
            f"went on from a checkpoint: {len(self.went_on)} times, after iteration {sorted(self.went_on)}",
        ]
        for when, found in (("amid others", self.taken_up), ("alone", self.taken_up_alone)):
            for kind, seconds in sorted(found.items()):
                told = f"median {median(seconds):.1f} s, longest {max(seconds):.1f} s"
                lines.append(f"taken up again after {kind}, {when}: {len(seconds)} times, {told}")
        lines += [f"WRONG: {complaint}" for complaint in self.wrong]
        return "\n".join(lines)


class Soak:
    """A running service that is disturbed."""

    def __init__(self, stack: Stack, settings: Mapping[str, str], receiver: Receiver, seed: int, style_id: str) -> None:
        self.stack, self.receiver, self.style_id = stack, receiver, style_id
        self.chance = random.Random(seed)
        self.lease = float(settings.get("NST_LEASE_SECONDS", 8.0))
        self.faults = Path(settings["NST_FAULTS"])
        self.sent: dict[str, Sent] = {}
        self.disturbances: list[Disturbance] = []
        self.report = Report()
        self._stopped: dict[str, datetime] = {}
        self._calm_since = datetime.max.replace(tzinfo=UTC)
        self.http = httpx.Client(base_url=stack.url, timeout=60, trust_env=False)
        assert stack.redis is not None
        self.redis = stack.redis
        self.styles_dir = Path(settings["NST_STYLES_DIR"])

    # What users do.

    def submit(self, recipe: Recipe | None = None) -> str:
        """The id of a job that was accepted, as soon as it is."""
        recipe = recipe or self.chance.choice(RECIPES)
        webhook = self.chance.random() < 0.3
        files = {"content": recipe.file(recipe.content)}
        fields: dict[str, Any] = {"size": recipe.size, "output_format": "png"}
        if recipe.iterations:
            files["style"] = recipe.file(recipe.style)
            fields |= {"iterations": recipe.iterations}
        else:
            fields |= {"style_id": self.style_id}
        if webhook:
            fields |= {"webhook": self.receiver.url}
        if recipe == HELD:  # somebody waits for it to be begun
            fields |= {"priority": "high"}
        headers = {"Idempotency-Key": str(uuid.UUID(int=self.chance.getrandbits(128)))}
        job_id = str(self.ask("POST", "/jobs", data=fields, files=files, headers=headers).json()["id"])
        self.report.expect(job_id not in self.sent, f"{job_id} was given out twice")
        self.sent[job_id] = Sent(recipe, webhook)
        return job_id

    def ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """An answer that is not that the service is away; anything else than 503 is wrong meanwhile."""

        def answer() -> httpx.Response | None:
            try:
                response = self.http.request(method, path, **arguments)
            except httpx.TransportError:
                return None
            if response.status_code == 503:
                return None
            self.report.expect(response.status_code < 500, f"{method} {path}: {response.status_code} {response.text}")
            return response

        return wait_for(answer, lambda: f"no answer to {method} {path}")  # type: ignore[no-any-return]

    def unfinished(self) -> list[str]:
        """Those jobs that somebody may still cancel."""
        return [job_id for job_id, sent in self.sent.items() if not sent.deleted and not self.has_ended(job_id)]

    def has_ended(self, job_id: str) -> bool:
        """Asked until it has: of a thousand jobs that is much, and in the end each is looked at again."""
        sent = self.sent[job_id]
        sent.ended = sent.ended or self.status(job_id) in FINAL
        return sent.ended

    def status(self, job_id: str) -> str:
        response = self.ask("GET", f"/jobs/{job_id}")
        return str(response.json()["status"]) if response.status_code == 200 else f"lost ({response.status_code})"

    def cancel(self, job_id: str | None = None) -> None:
        job_id = job_id or self.any_unfinished()
        if job_id:
            self.sent[job_id].cancel = True
            response = self.ask("POST", f"/jobs/{job_id}/cancel")
            self.sent[job_id].ended = response.status_code == 200 and response.json()["status"] in FINAL

    def delete(self) -> None:
        if job_id := self.any_unfinished():
            self.sent[job_id].deleted = True
            self.ask("DELETE", f"/jobs/{job_id}")

    def any_unfinished(self) -> str | None:
        """Not one whose worker is stopped, or about to be: that its next worker ends it is to be seen."""
        found = [job_id for job_id in self.unfinished() if self.sent[job_id].recipe != HELD]
        return self.chance.choice(found) if found else None

    # What goes wrong.

    def kill_child(self, name: str | None = None) -> None:
        """Not of a worker that is being started: it has none."""
        name = name or self.any_worker()
        pid = pool_child(self.stack.children[name])
        self.note("SIGKILL of the process that paints", name)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def kill_worker(self, name: str | None = None) -> None:
        name = name or self.any_worker()
        self.note("SIGKILL of a whole worker", name)
        self.restart(name)

    def end_worker(self, name: str | None = None) -> None:
        name = name or self.any_worker()
        self.note("SIGTERM of a worker", name)
        self.restart(name, kill=False)

    def stop_worker(self, name: str | None = None) -> None:
        """Longer than its lease, so that others take its job; then it wakes up.  One at a time."""
        if self._stopped:
            return
        name = name or self.any_painting()
        self.note(STOPPED, name)
        os.killpg(self.stack.children[name].pid, signal.SIGSTOP)
        self._stopped[name] = datetime.now(UTC)

    def wake(self, *, at_once: bool = False) -> bool:
        """Those who have been stopped for long enough go on; whether all have, and let go of what they had in hand."""
        for name, since in list(self._stopped.items()):
            if at_once or datetime.now(UTC) > since + timedelta(seconds=self.lease + 4):
                os.killpg(self.stack.children[name].pid, signal.SIGCONT)
                # Before it has told of its job, which is another's, nothing else may happen to it.
                if any(m.worker == name and m.at > since for m in self.moments()):
                    del self._stopped[name]
        return not self._stopped

    def kill_redis(self, seconds: float | None = None) -> None:
        assert self.redis.process is not None
        self.redis.process.kill()
        self.redis.process.wait()
        until = monotonic() + (self.chance.uniform(0, 3) if seconds is None else seconds)
        while True:
            for path in ("/jobs", "/readyz"):
                status = self.http.get(path).status_code
                self.report.expect(status == 503, f"GET {path} without Redis: {status}")
            if monotonic() > until:
                break
            sleep(0.5)
        self.redis.start()

    def kill_api(self) -> None:
        self.restart("api")

    def fault(self, kind: str) -> None:
        """One of :mod:`worker.faults`; whoever comes next meets it."""
        (self.faults / f"{kind}.{self.chance.getrandbits(32)}").touch()

    def restart(self, name: str, *, kill: bool = True) -> None:
        """Starts a process anew, as it was started before."""
        process = self.stack.children[name]
        environment = dict(
            entry.split("=", 1)
            for entry in Path(f"/proc/{process.pid}/environ").read_bytes().decode().split("\0")
            if "=" in entry
        )
        if kill:
            kill_group(process)
        else:
            process.terminate()  # only now: its environment is gone with it
            process.wait(60)
        with (self.stack.data_dir / "logs" / f"{name}.log").open("ab") as log:
            self.stack.children[name] = subprocess.Popen(
                process.args, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )

    def see_that_all_are_there(self) -> None:
        """Nothing ends that was not ended."""
        for name, process in self.stack.children.items():
            if process.poll() is not None:
                log = (self.stack.data_dir / "logs" / f"{name}.log").read_text()
                raise RuntimeError(f"{name} ended with status {process.returncode}:\n{log[-4000:]}")

    def any_worker(self) -> str:
        return self.chance.choice([name for name in PAINTERS if name not in self._stopped])

    def any_painting(self) -> str:
        """One in the midst of a job that takes a while: to stop one that does nothing shows nothing."""

        def look() -> str | None:
            held = [job_id for job_id in self.unfinished() if self.sent[job_id].recipe == HELD]
            if not held:
                self.submit(HELD)
            return next((self.painter_of(job_id) for job_id in held if self.step(job_id)), None)

        return str(wait_for(look, lambda: "no worker begins a job that it could be stopped in"))

    def painter_of(self, job_id: str) -> str:
        """The worker that has begun this job last."""
        return next(m.worker for m in reversed(self.moments()) if m.job_id == job_id and m.starts)

    def note(self, kind: str, worker: str) -> None:
        self.disturbances.append(Disturbance(kind, worker, datetime.now(UTC)))

    # The whole.

    def round(self, actions: list[str], pause: float = 1.5) -> None:
        """Some jobs, at most this pause, a disturbance."""
        for _ in range(self.chance.randint(1, 3)):
            if len(self.unfinished()) < OUTSTANDING:
                self.submit()
        sleep(self.chance.uniform(0.2, pause))
        self.wake()
        self.see_that_all_are_there()
        name = self.chance.choice(actions)
        self.disturb(name)

    def disturb(self, name: str, worker: str | None = None) -> None:
        """One of the actions, on this worker if it is given; a fault meets whoever paints."""
        logger.info("%s %s", name, worker or "")
        self.report.done[name] += 1
        if name in FAULTS:
            self.fault(name)
        elif worker:
            getattr(self, name)(worker)
        else:
            getattr(self, name)()

    def measure(self, names: Sequence[str]) -> None:
        """Disturbances one at a time, of a worker that paints while another one is free."""
        self.settle_down()
        self._calm_since = datetime.now(UTC)
        for name in names:
            spare, job_id = self.submit(LONG), self.submit(LONG)
            # When both are being painted, both workers are there.
            wait_for(lambda: self.step(spare) and self.step(job_id))  # noqa: B023 - called within this round
            self.cancel(spare)
            wait_for(lambda: self.step(job_id) > 75)  # noqa: B023
            self.disturb(name, self.painter_of(job_id))
            self.report.measured += 1
            wait_for(lambda: self.status(job_id) in FINAL)  # noqa: B023
            wait_for(lambda: self.wake(at_once=True))

    def step(self, job_id: str) -> int:
        """Iterations that a running job has behind it; its first may take a while."""
        job = self.ask("GET", f"/jobs/{job_id}").json()
        return int(job["progress"]["step"]) if job["status"] == "processing" else 0

    def settle_down(self) -> None:
        """Waits until everything has ended, without further faults."""
        logger.info("no more faults, until all jobs have ended")
        for left in self.faults.iterdir():
            left.unlink(missing_ok=True)
        wait_for(self.wake, lambda: f"stopped, and never let go of their jobs: {list(self._stopped)}")
        wait_for(lambda: not self.unfinished(), lambda: f"never ended: {self.unfinished()}")

    def meet_faults(self) -> None:
        """Somebody paints until none is left that nobody has met."""

        def all_are_met() -> bool:
            if not self.unfinished():
                self.submit(RECIPES[1])
            return not any(self.faults.iterdir())

        wait_for(all_are_met, lambda: "a fault is met by nobody")

    def cancel_many(self, number: int) -> float:
        """So many jobs are queued and canceled at once; seconds from the first cancel to the last answer."""
        ids = self.submit_copies(number)
        began = monotonic()
        with ThreadPoolExecutor(50) as clients:
            list(clients.map(self.cancel, ids))
        return monotonic() - began

    def submit_copies(self, number: int) -> list[str]:
        """Ids of so many jobs: some are sent, the others put beside them as the API does it, for that is quicker."""
        ids = [self.submit(RECIPES[0]) for _ in range(min(number, 10))]
        settings = Settings(redis_url=self.redis.url)
        with closing(RedisStore.connect(settings.redis_url, settings)) as store, make_celery(settings) as celery:
            originals = [store.get(job_id) for job_id in ids]
            images = {name: store.image(ids[0], name) for name in originals[0].input.files.values()}
            for original in islice(cycle(originals), number - len(ids)):
                job_id = new_job_id()
                job = Job(
                    id=job_id, created_at=now(), input=original.input, webhook=original.webhook, urls=Urls.of(job_id)
                )
                self.sent[job_id] = Sent(RECIPES[0], original.webhook is not None)
                store.create(job, images)
                enqueue(celery, job)
                ids.append(job_id)
        return ids

    def part_from_redis(self, seconds: float) -> None:
        """Redis is away for this long, while jobs of both engines run and wait; everybody is told so."""
        self.settle_down()
        running = self.submit(LONG)
        wait_for(lambda: self.step(running) > 20)
        for recipe in RECIPES:
            self.submit(recipe)
        self.kill_redis(seconds)

    def settle(self) -> Report:
        """Waits until everything has ended, and counts."""
        self.settle_down()
        moments = self.moments()
        with (
            redis.Redis.from_url(self.redis.url) as client,
            closing(RedisStore.connect(self.redis.url, Settings())) as store,
        ):
            self._count_jobs(store, client)
            self._count_all(store, client)
        self._read_logs(moments)
        self._read_webhooks()
        return self.report

    def _count_jobs(self, store: RedisStore, client: redis.Redis) -> None:
        expect, pictures = self.report.expect, Pictures(self.styles_dir)
        for job_id, sent in self.sent.items():
            if sent.deleted:
                self.report.ends["deleted"] += 1
                left = [key.decode() for key in client.scan_iter(f"*{job_id}*")]
                expect(not left, f"{job_id} was deleted and left {left}")
                continue
            job = store.get(job_id)
            self.report.ends[job.status] += 1
            if job.status == "succeeded":
                result = decode(self.ask("GET", f"/jobs/{job_id}/result").content)
                right = pictures.of(sent.recipe, job)
                alike = structural_similarity(to_tensor(result), to_tensor(right))
                self.report.least_alike = min(self.report.least_alike, alike)
                self.report.to_the_pixel += result.tobytes() == right.tobytes()
                expect(alike >= ALIKE, f"{job_id} {sent.recipe} has SSIM {alike:.4f} after {job.attempt} attempts")
            elif job.status == "canceled":
                expect(sent.cancel, f"{job_id} was canceled by nobody")
            else:
                code = job.error.code if job.error else None
                self.report.done[f"job that failed: {code}"] += 1
                right_code = code == "out_of_memory" or (code == "worker_lost" and job.attempt == 3)
                expect(right_code, f"{job_id} failed: {job.error}, attempt {job.attempt}")

    def _count_all(self, store: RedisStore, client: redis.Redis) -> None:
        expect = self.report.expect
        waiting = {key.decode() for key in client.scan_iter("nst:jobs:queued*")}
        waiting |= {key.decode() for key in client.scan_iter("nst:jobs:processing*")}
        expect(not waiting, f"something is still in {waiting}")
        held = [key.decode() for part in ("lease", "holder", "checkpoint") for key in client.scan_iter(f"*:{part}")]
        expect(not held, f"still held: {held}")
        metrics = self.ask("GET", "/metrics").text.splitlines()
        for name in ("nst_jobs_accepted_total", "nst_jobs_total"):
            number = sum(float(line.split()[-1]) for line in metrics if line.startswith(name + "{"))
            expect(number == len(self.sent), f"{name} is {number}, and {len(self.sent)} were sent")

    def moments(self) -> list[Moment]:
        """What the workers have told of their jobs, in the order in which it happened."""
        found = []
        for name in PAINTERS:
            for line in (self.stack.data_dir / "logs" / f"{name}.log").read_text().splitlines():
                with suppress(ValueError, TypeError, KeyError):
                    told = json.loads(line)
                    if told["job_id"] and told["logger"] in TELLERS:
                        at = datetime.fromisoformat(told["time"])
                        found.append(Moment(at, name, told["job_id"], told["message"]))
        return sorted(found, key=lambda moment: moment.at)

    def _read_logs(self, moments: list[Moment]) -> None:
        for name in PAINTERS:
            for line in (self.stack.data_dir / "logs" / f"{name}.log").read_text().splitlines():
                try:
                    told = json.loads(line)
                except ValueError:
                    to_a_terminal = not line or line.startswith("worker: ")
                    self.report.expect(to_a_terminal, f"the log of {name} has a line that is no JSON: {line}")
                    continue
                about_nobody = told["message"].startswith("Task handler") and not told["job_id"]
                self.report.expect(not about_nobody, f"the log of {name} does not tell whose end it is: {line}")
        for job_id, number in Counter(m.job_id for m in moments if m.text.endswith(": succeeded")).items():
            self.report.expect(number == 1, f"{job_id} succeeded {number} times")
        self.report.went_on = [int(m.text.split()[-1]) for m in moments if "goes on after iteration" in m.text]
        met = [Disturbance(m.text.split(": ")[1], m.worker, m.at) for m in moments if m.text.startswith("a fault on")]
        self.report.met.update(disturbance.kind for disturbance in met)
        for disturbance in self.disturbances + met:
            before = [m for m in moments if m.worker == disturbance.worker and m.at <= disturbance.at]
            if not before or not self._runs(before):
                continue
            job_id = before[-1].job_id
            after = [m for m in moments if m.at > disturbance.at and m.job_id == job_id]
            again = [m for m in after if m.starts]
            if again:
                thrown_away = [m for m in after if m.worker == disturbance.worker and "is thrown away" in m.text]
                self.report.fenced += disturbance.kind == STOPPED and bool(thrown_away)
                alone = disturbance.at > self._calm_since
                taken_up = self.report.taken_up_alone if alone else self.report.taken_up
                taken_up[disturbance.kind].append((again[0].at - disturbance.at).total_seconds())
        self._judge_deaths()

    def _judge_deaths(self) -> None:
        """Those that were measured alone."""
        report = self.report
        found = sum(len(seconds) for seconds in report.taken_up_alone.values())
        report.expect(found == report.measured, f"of {report.measured} deaths alone, {found} left a job to be taken up")
        for kind, seconds in report.taken_up_alone.items():
            slowest = max(seconds)
            report.expect(slowest <= PROMPT, f"a job was taken up {slowest:.1f} s after {kind}, alone")
        report.expect(bool(report.went_on) or not report.measured, "no job went on from a checkpoint")

    @staticmethod
    def _runs(before: list[Moment]) -> bool:
        """Whether a worker has the job that it told of last in hand."""
        ends = (": succeeded", ": failed", ": canceled", ": given back", "is thrown away")
        return not before[-1].text.endswith(ends)

    def _read_webhooks(self) -> None:
        told: dict[str, set[str]] = defaultdict(set)

        def all_told() -> bool:
            for event_id, message in zip(self.receiver.ids(), self.receiver.messages(), strict=False):
                if message["data"]["status"] in FINAL:
                    told[message["data"]["id"]].add(event_id)
            return all(job_id in told for job_id, sent in self.sent.items() if sent.webhook and not sent.deleted)

        wait_for(all_told, lambda: "a webhook was not told")
        for job_id, events in told.items():
            self.report.expect(len(events) == 1, f"{job_id}: {len(events)} ends were told")


class Pictures:
    """What the engines paint when nobody disturbs them."""

    def __init__(self, styles_dir: Path) -> None:
        self._models = FastModels(Gallery(styles_dir), torch.device("cpu"), 10**9)
        self._encoder = load_encoder("compact")
        self._made: dict[Recipe, Image.Image] = {}

    def of(self, recipe: Recipe, job: Job) -> Image.Image:
        """The picture of a job."""
        if recipe not in self._made:
            self._made[recipe] = self._paint(recipe, job)
        return self._made[recipe]

    def _paint(self, recipe: Recipe, job: Job) -> Image.Image:
        # As many as the workers have: sums in another order make another picture after a hundred iterations.
        threads = torch.get_num_threads()
        torch.set_num_threads(int(System.THREADS))
        try:
            return self._paint_alone(recipe, job)
        finally:
            torch.set_num_threads(threads)

    def _paint_alone(self, recipe: Recipe, job: Job) -> Image.Image:
        options, content = job.options, decode(recipe.file(recipe.content))
        if isinstance(options, FastOptions):
            return to_picture(paint_fast_image(content, [self._models.get(job.input.params["style_id"])], options))
        assert isinstance(options, GatysOptions)
        subject = Subject(content=content, styles=[decode(recipe.file(recipe.style))])
        *_, last = paint(subject, options, self._encoder)
        return last.picture()


#: Those of :mod:`worker.faults` that end soon.
FAULTS = ("oom", "cuda", "exit", "kill")

#: What takes a job out of a worker's hands.
DEATHS = ("kill_child", "kill_worker", "end_worker", "stop_worker", "cuda", "kill")

#: What may happen in a round, the more often the more often it stands here.
ACTIONS = [
    *("kill_child", "kill_child", "kill_worker", "kill_worker", "end_worker", "stop_worker", "kill_redis", "kill_api"),
    *("cancel", "delete", "cuda", *FAULTS),
]


@contextmanager
def soaking(system: System, name: str, seed: int, style_id: str, **settings: str) -> Iterator[Soak]:
    """A service with two workers for long jobs, and somebody who is going to disturb it."""
    faults = system.folder / f"{name}-faults"
    faults.mkdir()
    with Receiver() as receiver:
        settings = {
            "NST_LOG_FORMAT": "json",
            "NST_CHECKPOINT_SECONDS": "0.2",
            "NST_WEBHOOK_SECRET": SECRET,
            "NST_WEBHOOK_RETRY_SECONDS": "0.5",
            "NST_URL_ALLOWED_HOSTS": receiver.host,
            "NST_WORKER_SHUTDOWN_SECONDS": "1",
            "NST_FAULTS": str(faults),
            "NST_STYLES_DIR": system.environment["NST_STYLES_DIR"],
            "NST_MAX_QUEUED_JOBS": "0",
            **settings,
        }
        with system.stack(name, **settings) as stack:
            second = system.start_worker(stack, "gatys-2", NST_WARM_STYLES="false", **settings)
            stack.children["gatys-2"] = second
            soak = Soak(stack, settings, receiver, seed, style_id)
            yield soak
            soak.http.close()


def main() -> None:
    """Prints what happened."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="of disturbances (default: 10)")
    parser.add_argument("--seed", type=int, default=1, help="of what happens when (default: 1)")
    parser.add_argument(
        "--pause", type=float, default=8.0, help="longest between two disturbances, seconds (default: 8)"
    )
    parser.add_argument(
        "--cancel", type=int, default=1000, help="jobs that are queued and canceled at once (default: 1000)"
    )
    parser.add_argument("--away", type=float, default=60.0, help="seconds that Redis is away once (default: 60)")
    parser.add_argument("--alone", type=int, default=3, help="times that each kind of death is measured (default: 3)")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(message)s")
    logger.setLevel(logging.INFO)
    torch.set_num_threads(1)
    styles = Path(nst_core.__path__[0]) / "styles"
    with tempfile.TemporaryDirectory(prefix="nst-") as folder:
        system = System(Path(folder), styles)
        with soaking(system, "soak", arguments.seed, next(iter(Gallery(styles).styles))) as soak:
            for recipe in RECIPES:
                soak.submit(recipe)
            wait_for(lambda: not soak.unfinished())
            end = monotonic() + 60 * arguments.minutes
            while monotonic() < end:
                soak.round(ACTIONS, arguments.pause)
            if arguments.cancel:
                logger.info("%d jobs canceled in %.1f s", arguments.cancel, soak.cancel_many(arguments.cancel))
            if arguments.away:
                logger.info("Redis is away for %g s", arguments.away)
                soak.part_from_redis(arguments.away)
            soak.measure(DEATHS * arguments.alone)
            report = soak.settle()
        system.stop_workers()
    print(report)
    sys.exit(bool(report.wrong))


if __name__ == "__main__":
    main()
