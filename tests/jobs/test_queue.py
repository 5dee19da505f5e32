"""Messages on their way to the workers."""

import base64
import json
import socket
from collections.abc import Iterator
from typing import get_args

import pytest
import redis
from celery import Celery

from jobs.contract import Job, JobInput, Method, Urls, new_job_id, now
from jobs.errors import StoreFull, StoreUnavailable
from jobs.queue import QUEUES, broker_url, enqueue, make_celery
from jobs.settings import Settings


@pytest.fixture
def celery(redis_url: str) -> Iterator[Celery]:
    app = make_celery(Settings(redis_url=redis_url))
    yield app
    app.close()


def a_job(method: Method = "gatys") -> Job:
    job_id = new_job_id()
    job_input = JobInput(params={}, content_sha256="", style_sha256=[""])
    return Job(id=job_id, method=method, created_at=now(), input=job_input, urls=Urls.of(job_id))


@pytest.mark.parametrize("method", get_args(Method))
def test_a_message_carries_the_id_to_the_queue_of_the_method(redis_url: str, celery: Celery, method: Method) -> None:
    job = a_job(method)
    enqueue(celery, job)
    with redis.Redis.from_url(redis_url) as client:
        assert all(key.startswith(b"nst:") for key in client.scan_iter())
        # The list of the queue at the middle one of three priorities.
        (raw,) = client.lrange(f"nst:{method}\x06\x165", 0, -1)
    message = json.loads(raw)
    assert message["headers"]["task"] == "nst.paint"
    assert message["headers"]["ignore_result"] is True
    args, kwargs, _ = json.loads(base64.b64decode(message["body"]))
    assert (args, kwargs) == ([job.id], {})


def test_a_dead_redis_is_told(celery: Celery) -> None:
    app = make_celery(Settings(redis_url="redis://127.0.0.1:1/0"))
    with pytest.raises(StoreUnavailable):
        enqueue(app, a_job())
    app.close()


def test_a_redis_that_does_not_answer_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        with make_celery(Settings(redis_url=url), hurried=True) as celery, pytest.raises(StoreUnavailable):
            enqueue(celery, a_job())


def test_a_full_redis_is_told(redis_url: str, celery: Celery) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory", 1)
        try:
            with pytest.raises(StoreFull):
                enqueue(celery, a_job())
        finally:
            client.config_set("maxmemory", 0)


def test_a_message_outlasts_every_job() -> None:
    conf = make_celery(Settings(time_limit_seconds=100)).conf
    options = (conf.broker_transport_options, conf.result_backend_transport_options)
    assert all(transport["visibility_timeout"] == 400 for transport in options)
    assert conf.visibility_timeout == 400
    assert (conf.task_soft_time_limit, conf.task_time_limit) == (70, 100)


def test_only_json_is_read() -> None:
    conf = make_celery(Settings()).conf
    assert (conf.task_serializer, conf.accept_content) == ("json", ["json"])
    assert [queue.name for queue in conf.task_queues] == list(QUEUES)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://:secret@host:1234/2", "redis://:secret@host:1234/2"),
        ("rediss://host/0?ssl_cert_reqs=none", "rediss://host/0?ssl_cert_reqs=none"),
        ("rediss://:s%2Fx@host:1234/2", "rediss://:s%2Fx@host:1234/2?ssl_cert_reqs=required"),
        (
            "rediss://host/0?ssl_ca_certs=%2Fetc%2Fca.pem",
            "rediss://host/0?ssl_cert_reqs=required&ssl_ca_certs=%2Fetc%2Fca.pem",
        ),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
        ("unix:///run/redis.sock?db=3", "redis+socket:///run/redis.sock?virtual_host=3"),
        ("unix://user:secret@/run/redis.sock", "redis+socket://user:secret@/run/redis.sock?virtual_host=0"),
    ],
)
def test_the_broker_has_the_url_in_its_own_spelling(url: str, expected: str) -> None:
    assert broker_url(url) == expected
