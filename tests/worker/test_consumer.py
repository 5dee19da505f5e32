"""A worker whose connection to Redis is lost, at the worst moment."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from cli.redis_server import RedisServer, find_executable
from jobs.queue import QUEUE_GATYS, TASK_PAINT, make_celery
from worker.app import make_worker
from worker.consumer import Consumer
from worker.settings import WorkerSettings


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis that may be killed."""
    with tempfile.TemporaryDirectory(prefix="nst-") as folder:
        server = RedisServer(find_executable(), Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def app(server: RedisServer) -> Iterator[Celery]:
    """What a worker runs."""
    with make_worker(WorkerSettings(redis_url=server.url), {QUEUE_GATYS}) as app:
        yield app


def test_a_consumer_goes_on_when_redis_is_killed_while_it_holds_a_message(app: Celery, server: RedisServer) -> None:
    with make_celery(WorkerSettings(redis_url=server.url)) as client:
        client.send_task(TASK_PAINT, args=["a job"], queue=QUEUE_GATYS)
    consumer = app.WorkController(pool_cls="solo", hostname="worker@here").consumer
    assert type(consumer) is Consumer
    connection = consumer.connection = app.connection_for_read()
    messages: list[object] = []
    taker = connection.Consumer(app.amqp.queues[QUEUE_GATYS], accept=["json"], on_message=messages.append)
    taker.consume()
    connection.drain_events(timeout=10)
    assert len(messages) == 1

    # It waits for the next message, and listens to what is said to all workers.
    connection.default_channel._brpop_start()
    app.control.mailbox.Node("worker@here").listen(channel=connection.channel())
    assert server.process is not None
    server.process.kill()
    server.process.wait()
    consumer.on_connection_error_after_connected(ConnectionError("Redis was killed"))
    assert consumer.connection is None
