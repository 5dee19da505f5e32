"""What a webhook is to be told waits in the store until it has been told, in Redis and in its twin in memory."""

import json
import time
from collections.abc import Callable

import pytest
import redis

from jobs.contract import (
    Job,
    JobError,
    JobInput,
    Output,
    Progress,
    Status,
    Urls,
    Webhook,
    WebhookEvent,
    new_job_id,
    now,
)
from jobs.protocol import Store
from jobs.settings import Settings

ALL: list[WebhookEvent] = ["processing", "progress", "succeeded", "failed", "canceled"]

URL = "https://receiver.example/hook?key=1"

MakeStore = Callable[[Settings], Store]


def add_job(store: Store, events: list[WebhookEvent] | None = None) -> str:
    job_id = new_job_id()
    job = Job(
        id=job_id,
        created_at=now(),
        input=JobInput(params={}, style_sha256=[]),
        webhook=Webhook(url=URL, events=ALL if events is None else events),
        urls=Urls.of(job_id),
    )
    store.create(job, {"content": b"content"})
    return job_id


def start(store: Store, job_id: str, token: str = "a") -> None:
    assert store.start(job_id, token)


def succeed(store: Store, job_id: str) -> Job:
    output = Output(url="r", media_type="image/png", width=64, height=48, bytes=6, sha256="0" * 64)
    return store.finish(job_id, "a", status=Status.SUCCEEDED, output=output, result=b"result")


def progress(store: Store, job_id: str, step: int) -> None:
    store.update(job_id, "a", progress=Progress(step=step, total_steps=9))


def taken(store: Store, job_id: str, seconds: float = 60) -> list[str]:
    return [event.type for event in store.take_webhooks(job_id, seconds)]


def test_each_change_of_status_is_told_with_the_job_as_it_is_then(store: Store) -> None:
    job_id = add_job(store)
    assert store.due_webhooks(10) == []
    start(store, job_id)
    begun = store.get(job_id)
    ended = succeed(store, job_id)
    assert store.due_webhooks(10) == [job_id]
    first, second = store.take_webhooks(job_id, 60)
    assert (first.type, second.type) == ("processing", "succeeded")
    assert first.url == URL
    assert first.id.startswith("msg_")
    for event, job in ((first, begun), (second, ended)):
        body = json.loads(event.body)
        assert body["type"] == f"job.{event.type}"
        assert body["timestamp"].endswith("Z")
        assert body["data"] == job.model_dump(mode="json")


def test_only_what_the_client_asked_for_is_told(store: Store) -> None:
    job_id = add_job(store, ["failed"])
    start(store, job_id)
    progress(store, job_id, 1)
    assert store.due_webhooks(10) == []
    store.finish(job_id, "a", status=Status.FAILED, error=JobError(code="timeout", message="late"))
    assert taken(store, job_id) == ["failed"]


def test_a_job_without_a_webhook_has_nothing_to_tell(store: Store) -> None:
    job_id = add_job(store, [])
    start(store, job_id)
    succeed(store, job_id)
    assert store.due_webhooks(10) == []
    assert taken(store, job_id) == []
    assert store.take_webhooks(new_job_id(), 60) == []


def test_every_way_to_an_end_is_told(make_store: MakeStore) -> None:
    store = make_store(Settings(lease_seconds=0.1, max_attempts=1))
    ends: list[WebhookEvent] = ["failed", "canceled"]
    queued, running, lost, last = (add_job(store, ends) for _ in range(4))
    store.request_cancel(queued)
    start(store, running)
    store.request_cancel(running)
    store.requeue(running, "a")
    start(store, lost)
    start(store, last)
    time.sleep(0.15)
    store.request_cancel(lost)
    store.recover()
    assert set(store.due_webhooks(10)) == {queued, running, lost, last}
    assert [taken(store, job_id) for job_id in (queued, running, lost, last)] == [["canceled"]] * 3 + [["failed"]]


def test_each_start_is_told_but_not_the_way_back_into_the_queue(make_store: MakeStore) -> None:
    store = make_store(Settings(lease_seconds=0.1))
    job_id = add_job(store)
    start(store, job_id)
    store.requeue(job_id, "a")
    assert taken(store, job_id) == ["processing"]
    start(store, job_id)
    time.sleep(0.15)
    start(store, job_id, "b")  # takes it over
    assert taken(store, job_id) == ["processing", "processing"]


def test_a_write_that_is_refused_tells_nothing(make_store: MakeStore) -> None:
    store = make_store(Settings())
    job_id = add_job(store)
    start(store, job_id)
    taken(store, job_id)
    store.requeue(job_id, "a")
    with pytest.raises(Exception, match="another worker"):
        progress(store, job_id, 1)
    assert store.due_webhooks(10) == []


def test_progress_is_told_now_and_then_and_only_the_latest_waits(make_store: MakeStore) -> None:
    store = make_store(Settings(webhook_progress_seconds=0.1))
    job_id = add_job(store, ["progress"])
    start(store, job_id)
    assert store.due_webhooks(10) == []
    for step in (1, 2, 3):
        progress(store, job_id, step)
    (first,) = store.take_webhooks(job_id, 0.0)
    assert json.loads(first.body)["data"]["progress"]["step"] == 1
    time.sleep(0.12)
    progress(store, job_id, 4)
    (latest,) = store.take_webhooks(job_id, 60)
    assert json.loads(latest.body)["data"]["progress"]["step"] == 4
    assert latest.id != first.id
    # The answer to the first one comes late: it must not take away the one that came in its place.
    store.settle_webhook(job_id, first)
    store.settle_webhook(job_id, latest, retry_at=0.0)
    (again,) = store.take_webhooks(job_id, 60)
    assert again.id == latest.id


def test_what_was_taken_is_nobody_elses_until_its_time_is_over(store: Store) -> None:
    job_id = add_job(store)
    start(store, job_id)
    assert taken(store, job_id, 0.1) == ["processing"]
    assert (taken(store, job_id), store.due_webhooks(10)) == ([], [])
    time.sleep(0.12)
    assert store.due_webhooks(10) == [job_id]
    (event,) = store.take_webhooks(job_id, 60)
    assert event.attempts == 2


def test_an_event_that_comes_while_others_are_sent_is_due_at_once(store: Store) -> None:
    job_id = add_job(store)
    start(store, job_id)
    (first,) = store.take_webhooks(job_id, 60)
    succeed(store, job_id)
    assert store.due_webhooks(10) == [job_id]
    store.settle_webhook(job_id, first, retry_at=time.time() + 60)
    assert store.due_webhooks(10) == [job_id]
    assert taken(store, job_id) == ["succeeded"]
    assert store.due_webhooks(10) == []


def test_an_event_is_settled_or_waits_for_another_attempt(store: Store) -> None:
    job_id = add_job(store, ["succeeded"])
    start(store, job_id)
    succeed(store, job_id)
    (event,) = store.take_webhooks(job_id, 60)
    store.settle_webhook(job_id, event, retry_at=time.time() + 0.1)
    assert store.due_webhooks(10) == []
    time.sleep(0.12)
    assert store.due_webhooks(10) == [job_id]
    (again,) = store.take_webhooks(job_id, 60)
    assert (again.id, again.body, again.attempts) == (event.id, event.body, 2)
    store.settle_webhook(job_id, again)
    store.settle_webhook(job_id, again)
    store.settle_webhook(job_id, again, retry_at=0.0)
    assert store.due_webhooks(10) == []


def test_those_that_wait_longest_come_first_and_no_more_than_asked_for(store: Store) -> None:
    late, early = add_job(store), add_job(store)
    for job_id, due in ((late, 20.0), (early, 10.0)):
        start(store, job_id)
        (event,) = store.take_webhooks(job_id, 60)
        store.settle_webhook(job_id, event, retry_at=due)
    assert store.due_webhooks(10) == [early, late]
    assert store.due_webhooks(1) == [early]


def test_a_job_that_is_deleted_takes_its_events_along(store: Store) -> None:
    job_id = add_job(store)
    start(store, job_id)
    (event,) = store.take_webhooks(job_id, 0.0)
    store.delete(job_id)
    assert store.due_webhooks(10) == []
    store.settle_webhook(job_id, event, retry_at=0.0)
    assert (store.due_webhooks(10), store.take_webhooks(job_id, 60)) == ([], [])


def test_events_are_forgotten_with_their_job(make_store: MakeStore) -> None:
    store = make_store(Settings(result_ttl_seconds=1))
    job_id = add_job(store)
    store.request_cancel(job_id)
    assert store.due_webhooks(10) == [job_id]
    time.sleep(1.1)
    assert store.take_webhooks(job_id, 60) == []
    assert store.due_webhooks(10) == []


def test_nothing_of_it_is_left_in_redis(redis_url: str) -> None:
    from jobs.store import RedisStore

    store = RedisStore.connect(redis_url, Settings())
    with redis.Redis.from_url(redis_url) as client:
        before = set(client.keys())
        delivered, deleted = add_job(store), add_job(store)
        for job_id in (delivered, deleted):
            start(store, job_id)
            progress(store, job_id, 1)
            succeed(store, job_id)
        for key in client.scan_iter("nst:job:*"):
            assert client.ttl(key) >= 0, key
        for event in store.take_webhooks(delivered, 60):
            store.settle_webhook(delivered, event)
        assert client.zrange("nst:webhooks", 0, -1) == [deleted.encode()]
        assert not client.exists(f"nst:job:{delivered}:webhooks")
        store.delete(deleted)
        store.delete(delivered)
        assert set(client.keys()) - {b"nst:tally"} == before
    store.close()


def test_an_event_of_another_version_is_left_out(redis_url: str) -> None:
    from jobs.store import RedisStore

    store = RedisStore.connect(redis_url, Settings())
    job_id = add_job(store)
    start(store, job_id)
    with redis.Redis.from_url(redis_url) as client:
        client.hset(f"nst:job:{job_id}:webhooks", "msg_0", "{}")
    assert taken(store, job_id) == ["processing"]
    store.close()
