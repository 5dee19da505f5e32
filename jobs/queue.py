"""The way from the front end to the workers: names of tasks and queues, and the Celery client that both share.

The job store is the truth: a message carries a job's id and nothing else, and Celery's results are not used.
"""

import json
from base64 import b64decode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from celery import Celery
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from jobs.connection import tells_full
from jobs.contract import Job, Method, Priority
from jobs.errors import StoreFull, StoreUnavailable
from jobs.settings import Settings

#: One queue per kind of work, so that a sub-second job never waits behind minutes of optimisation.
QUEUE_FAST = "fast"
QUEUE_GATYS = "gatys"
QUEUE_TRAIN = "train"
QUEUE_WEBHOOK = "webhook"
QUEUES = (QUEUE_FAST, QUEUE_GATYS, QUEUE_TRAIN, QUEUE_WEBHOOK)

#: Paints one job; its one argument is the job's id.
TASK_PAINT = "nst.paint"

#: Sends the events of one job to its webhook; its one argument is the job's id.
TASK_DELIVER = "nst.deliver"

#: Steps of priority on Redis, where 0 is served first: one list each, in strict order.
PRIORITIES: dict[Priority, int] = {"high": 0, "normal": 5, "low": 9}

#: Prefix of every key that the queue keeps in Redis.
KEY_PREFIX = "nst:"

#: Seconds for a connection to be made.
_CONNECT_TIMEOUT = 2.0

#: Seconds in which Redis must answer where somebody waits: the client that kombu makes asks it four times.
_SHORT_PATIENCE = 0.75

#: The queue of each method.
METHOD_QUEUES: dict[Method, str] = {"gatys": QUEUE_GATYS, "fast": QUEUE_FAST, "train": QUEUE_TRAIN}

#: A dead Redis is told within a couple of seconds instead of retried for ever, which is kombu's default.
_RETRY_POLICY = {"max_retries": 2, "interval_start": 0.1, "interval_step": 0.2, "interval_max": 0.5}


def make_celery(settings: Settings, *, hurried: bool = False) -> Celery:
    """The Celery application, without tasks, as the front end sends with it and the worker adds its tasks to it.

    Args:
        hurried: somebody waits, so that it is soon told when Redis does not answer.
    """
    # Redis gives a message to a second worker when it is not acknowledged in this time, so it must outlast every job.
    visibility_timeout = settings.time_limit_seconds + 300
    app = Celery("nst", set_as_current=False)
    app.conf.update(
        broker_url=broker_url(settings.redis_url),
        broker_connection_timeout=_CONNECT_TIMEOUT,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": visibility_timeout,
            "queue_order_strategy": "priority",
            "priority_steps": list(PRIORITIES.values()),
            "health_check_interval": 25,
            "socket_keepalive": True,
            "socket_connect_timeout": _CONNECT_TIMEOUT,
            "global_keyprefix": KEY_PREFIX,
            **({"socket_timeout": _SHORT_PATIENCE} if hurried else {}),
            **_RETRY_POLICY,
        },
        result_backend_transport_options={"visibility_timeout": visibility_timeout},
        visibility_timeout=visibility_timeout,
        # The job store is the truth.
        result_backend=None,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_queues=[Queue(name, Exchange(name), routing_key=name) for name in QUEUES],
        task_default_queue=QUEUE_GATYS,
        task_create_missing_queues=False,
        task_default_priority=PRIORITIES["normal"],
        task_publish_retry_policy=_RETRY_POLICY,
        # A message is acknowledged when its job has ended, and a worker takes one at a time.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_enable_prefetch_count_reduction=False,
        task_time_limit=settings.time_limit_seconds,
        task_soft_time_limit=settings.soft_time_limit_seconds,
        # One process per device, spawned: CUDA does not survive a fork; and importing torch takes longer than 4 s.
        worker_pool="prefork",
        worker_concurrency=1,
        worker_pool_start_method="spawn",
        worker_proc_alive_timeout=120,
        worker_soft_shutdown_timeout=30,
    )
    return app


def broker_url(redis_url: str) -> str:
    """A Redis URL as kombu spells it.

    It names a unix socket otherwise, and with TLS would look at no certificate unless it is told to.
    """
    parts = urlsplit(redis_url)
    query = dict(parse_qsl(parts.query))
    if parts.scheme == "rediss":
        return parts._replace(query=urlencode({"ssl_cert_reqs": "required"} | query)).geturl()
    if parts.scheme != "unix":
        return redis_url
    query["virtual_host"] = query.pop("db", "0")
    login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return f"redis+socket://{login}{parts.path}?{urlencode(query)}"


def enqueue(celery: Celery, job: Job) -> None:
    """Send a job to the workers of its method; one that was begun before does not wait behind those that were not.

    Raises:
        StoreUnavailable: Redis cannot be reached, or is full; the job was not sent.
    """
    _send(celery, TASK_PAINT, job.id, METHOD_QUEUES[job.method], "high" if job.attempt else job.priority)


def enqueue_delivery(celery: Celery, job_id: str) -> None:
    """Have the events of a job sent to its webhook.

    Raises:
        StoreUnavailable: Redis cannot be reached; nothing was sent.
    """
    _send(celery, TASK_DELIVER, job_id, QUEUE_WEBHOOK, "normal")


def count_messages(celery: Celery, queues: Iterable[str]) -> int:
    """How many messages of these queues wait to be taken by a worker.

    Raises:
        StoreUnavailable: Redis cannot be reached.
    """
    with _within_reach(), celery.connection_for_read() as connection:
        channel: Any = connection.default_channel
        return sum(channel.queue_declare(name).message_count for name in queues)


def jobs_in_queue(celery: Celery, queue: str) -> set[str]:
    """The ids of the jobs that a message in this queue is for, which waits to be taken by a worker.

    Raises:
        StoreUnavailable: Redis cannot be reached.
    """
    with _within_reach(), celery.connection_for_read() as connection:
        channel: Any = connection.default_channel
        # kombu has no name for looking at messages, and its client does not know the prefix for this command.
        lists = [KEY_PREFIX + channel._q_for_pri(queue, step) for step in PRIORITIES.values()]
        messages = [message for name in lists for message in channel.client.lrange(name, 0, -1)]
    arguments = (json.loads(b64decode(json.loads(message)["body"]))[0] for message in messages)
    return {job_id for job_id, *_ in filter(None, arguments) if isinstance(job_id, str)}


@contextmanager
def _within_reach() -> Iterator[None]:
    try:
        yield
    except (OperationalError, RedisError) as error:
        if tells_full(error):
            raise StoreFull from error
        raise StoreUnavailable("the queue cannot be reached at the moment") from error


def _send(celery: Celery, task: str, job_id: str, queue: str, priority: Priority) -> None:
    with _within_reach():
        celery.send_task(
            task,
            args=[job_id],
            queue=queue,
            priority=PRIORITIES[priority],
            ignore_result=True,
            retry=True,
            retry_policy=_RETRY_POLICY,
        )
