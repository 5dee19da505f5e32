"""Figures for Prometheus: the service's from Redis, which each process tells alike, and this process's requests."""

from collections.abc import Iterable, Iterator
from os import getpid
from socket import gethostname
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from jobs.connection import RedisMemory
from jobs.contract import OPTIONS_OF, Status
from jobs.errors import StoreUnavailable
from jobs.protocol import Store
from jobs.queue import METHOD_QUEUES, QUEUES
from jobs.roster import Roster, Worker
from jobs.tally import BOUNDS, Span, Tally

#: How jobs end, as the tally counts it.
_ENDS: tuple[Status | Literal["deleted"], ...] = (Status.SUCCEEDED, Status.FAILED, Status.CANCELED, "deleted")

#: What clients may call a method; others are counted together.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """All figures of one application.

    Args:
        store, roster, redis: what is asked whenever somebody reads the figures.
    """

    def __init__(self, store: Store, roster: Roster, redis: RedisMemory) -> None:
        self._registry = CollectorRegistry()
        # Of several processes at one address each answers in its turn: their counts must not look like one that falls.
        self._process = f"{gethostname()}:{getpid()}"
        self._registry.register(_Service(store, roster, redis))
        self._requests = Counter(
            "nst_http_requests",
            "Requests that a process of the API has answered.",
            ["process", "method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "nst_http_request_seconds",
            "From a request's first byte to the first byte of its answer, in a process of the API.",
            ["process", "method", "route"],
            registry=self._registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; ``route`` is the path with names in the place of what differs."""
        method = method if method in _METHODS else "other"
        self._requests.labels(self._process, method, route, str(status)).inc()
        self._seconds.labels(self._process, method, route).observe(seconds)

    def text(self) -> bytes:
        """All figures in Prometheus's text format."""
        return generate_latest(self._registry)


class _Service(Collector):
    """What Redis knows, read anew each time."""

    def __init__(self, store: Store, roster: Roster, redis: RedisMemory) -> None:
        self._store, self._roster, self._redis = store, roster, redis

    def describe(self) -> Iterable[Metric]:
        """Nothing: else the registry would ask Redis when the application is made."""
        return []

    @override
    def collect(self) -> Iterable[Metric]:
        try:
            # All at once, so that half of it is never told.
            metrics = [*self._jobs(), *self._workers(self._roster.workers()), *self._memory()]
        except StoreUnavailable:
            return [_gauge("nst_redis_up", "Whether Redis answers.", 0)]
        return [_gauge("nst_redis_up", "Whether Redis answers.", 1), *metrics]

    def _jobs(self) -> Iterator[Metric]:
        tally, unfinished = self._store.tally(), self._store.unfinished()
        accepted = CounterMetricFamily("nst_jobs_accepted", "Jobs that were accepted.", labels=["method"])
        ended = CounterMetricFamily("nst_jobs", "Jobs that have ended.", labels=["status", "method"])
        for method in OPTIONS_OF:
            accepted.add_metric([method], tally.accepted(method))
            for status in _ENDS:
                ended.add_metric([status, method], tally.ended(status, method))
        yield accepted
        yield ended
        yield _histogram(
            "nst_job_duration_seconds", "Of jobs that ended, from their last start to the end.", tally, "run"
        )
        yield _histogram("nst_queue_wait_seconds", "From the acceptance of jobs to their first start.", tally, "wait")
        depth = GaugeMetricFamily(
            "nst_queue_depth", "Jobs that wait or are worked on, the load of a queue's workers.", labels=["queue"]
        )
        for method, queue in METHOD_QUEUES.items():
            depth.add_metric([queue], sum(unfinished[status, method] for status in (Status.QUEUED, Status.PROCESSING)))
        yield depth
        processing = GaugeMetricFamily("nst_jobs_processing", "Jobs that are worked on.", labels=["method"])
        for method in OPTIONS_OF:
            processing.add_metric([method], unfinished[Status.PROCESSING, method])
        yield processing

    def _workers(self, workers: list[Worker]) -> Iterator[Metric]:
        serving = GaugeMetricFamily("nst_workers", "Workers that serve a queue.", labels=["queue"])
        for queue in QUEUES:
            serving.add_metric([queue], sum(queue in worker.queues for worker in workers))
        yield serving
        hits = CounterMetricFamily(
            "nst_model_cache_hits", "How often a worker had a fast style loaded already.", labels=["worker"]
        )
        misses = CounterMetricFamily(
            "nst_model_cache_misses", "How often a worker had to load a fast style.", labels=["worker"]
        )
        resident = GaugeMetricFamily(
            "nst_worker_resident_bytes", "Memory of the process that paints, on the machine.", labels=["worker"]
        )
        device = GaugeMetricFamily(
            "nst_gpu_memory_bytes", "Memory of a worker's CUDA device.", labels=["worker", "device", "state"]
        )
        for worker in workers:
            engine = worker.engine
            if engine is None:
                continue
            hits.add_metric([worker.name], engine.cache_hits)
            misses.add_metric([worker.name], engine.cache_misses)
            resident.add_metric([worker.name], engine.resident_bytes)
            if engine.memory and engine.device and engine.device.startswith("cuda"):
                free, total = engine.memory.free_bytes, engine.memory.total_bytes
                device.add_metric([worker.name, engine.device, "free"], free)
                device.add_metric([worker.name, engine.device, "used"], total - free)
        yield from (hits, misses, resident, device)

    def _memory(self) -> Iterator[Metric]:
        used, most = self._redis.read()
        yield _gauge("nst_redis_memory_bytes", "Memory of Redis's data.", used)
        yield _gauge("nst_redis_memory_max_bytes", "Most memory of Redis's data; 0 for no bound.", most or 0)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _histogram(name: str, text: str, tally: Tally, span: Span) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=["method"])
    bounds = [*map(str, BOUNDS), "+Inf"]
    for method in OPTIONS_OF:
        figures = tally.histogram(span, method)
        family.add_metric([method], list(zip(bounds, figures.counts, strict=True)), figures.total)
    return family
