"""Webhooks are sent to real receivers on this machine, signed, and sent again when they do not arrive."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from email.utils import format_datetime
from itertools import pairwise
from threading import Event, Thread
from typing import Any

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook as SignedWebhook
from standardwebhooks import WebhookVerificationError

from jobs import logs
from jobs.contract import Job, Webhook, now
from jobs.memory import MemoryStore
from jobs.store import RedisStore
from tests.receiver import SECRET, Receiver
from worker import tasks
from worker.deliverer import Deliverer, _receiver
from worker.settings import WorkerSettings

AddJob = Callable[..., Job]

RETRY = {"webhook_retry_seconds": 0.000001, "webhook_attempts": 3}


class Desk:
    """A job that was canceled, whose receiver is to be told so, and one who tells it."""

    def __init__(self, url: str, host: str, secret: str = SECRET, **settings: Any) -> None:
        self.settings = WorkerSettings(**{"url_allowed_hosts": host, **RETRY, **settings})
        self.store = MemoryStore(self.settings)
        self.deliverer = Deliverer(self.store, self.settings, SecretStr(secret))
        self.url = url

    def cancel(self, job: Job, owner: str = "") -> str:
        webhook = Webhook(url=self.url, events=["canceled"])
        self.store.create(job.model_copy(update={"webhook": webhook}), {}, owner=owner)
        self.store.request_cancel(job.id)
        return job.id

    def deliver(self, job_id: str, times: int = 1) -> list[str]:
        """Tries so many times; the jobs that wait for another attempt."""
        for _ in range(times):
            self.deliverer.deliver(job_id)
        return [name for name, entry in self.store._entries.items() if entry.events]


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("the condition never came true")


@pytest.fixture
def job(add_job: AddJob) -> Job:
    return add_job()


def test_a_receiver_gets_the_job_signed(job: Job) -> None:
    with Receiver() as receiver:
        desk = Desk(receiver.url, receiver.host)
        assert desk.deliver(desk.cancel(job), times=2) == []
        (message,) = receiver.messages()
        assert (message["type"], message["data"]["status"]) == ("job.canceled", "canceled")
        assert message["data"] == desk.store.get(job.id).model_dump(mode="json")
        ((path, headers, _),) = receiver.requests
        assert path == "/painted?key=hunter2"
        assert headers["content-type"] == "application/json"
        assert headers["webhook-id"].startswith("msg_")


def test_a_receiver_may_know_any_of_several_keys(job: Job) -> None:
    new = "whsec_" + "bmV3a2V5" * 4
    with Receiver() as receiver:
        desk = Desk(receiver.url, receiver.host, secret=f"{new}, {SECRET}")
        assert desk.deliver(desk.cancel(job)) == []
        ((_, headers, body),) = receiver.requests
        for key in (new, SECRET):
            assert SignedWebhook(key).verify(body, headers) == receiver.messages()[0]
        with pytest.raises(WebhookVerificationError):
            SignedWebhook("whsec_" + "b3RoZXIx" * 4).verify(body, headers)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_any_success_is_enough(job: Job, status: int) -> None:
    with Receiver([status]) as receiver:
        desk = Desk(receiver.url, receiver.host)
        assert desk.deliver(desk.cancel(job), times=2) == []
        assert len(receiver.requests) == 1


def test_what_did_not_arrive_is_sent_again_under_the_same_id(job: Job) -> None:
    with Receiver([500, 429, 200]) as receiver:
        desk = Desk(receiver.url, receiver.host)
        assert desk.deliver(desk.cancel(job), times=2) == [job.id]
        assert desk.deliver(job.id) == []
        assert len(receiver.messages()) == 3
        assert len(set(receiver.ids())) == 1


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        ("3600", 3600),
        ("0", 0),
        ("9" * 400, 86_400),
        ("in ten minutes", 600),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("soon", 0),
        ("-5", 0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 21 Oct 2015 07:28:00", 0),
    ],
)
def test_a_receiver_that_asks_to_be_left_alone_is_left_alone(job: Job, after: str, seconds: float) -> None:
    if after == "in ten minutes":
        after = format_datetime(now() + timedelta(minutes=10), usegmt=True)
    with Receiver([429], {"Retry-After": after}) as receiver:
        desk = Desk(receiver.url, receiver.host)
        before = time.time()
        desk.deliver(desk.cancel(job))
        (event,) = desk.store._entries[job.id].events.values()
        assert seconds - 2 < event.due - before < seconds + 30


def test_it_is_given_up_after_the_last_attempt(job: Job, caplog: pytest.LogCaptureFixture) -> None:
    with Receiver([503]) as receiver:
        desk = Desk(receiver.url, receiver.host)
        assert desk.deliver(desk.cancel(job), times=5) == []
        assert len(receiver.requests) == 3
    assert "given up" in caplog.messages[-1]


def test_a_receiver_that_is_gone_is_left_alone(job: Job) -> None:
    with Receiver([410]) as receiver:
        desk = Desk(receiver.url, receiver.host)
        assert desk.deliver(desk.cancel(job), times=3) == []
        assert len(receiver.requests) == 1


def test_redirects_are_not_followed(job: Job) -> None:
    with Receiver() as other, Receiver([307], {"Location": other.url}) as receiver:
        desk = Desk(receiver.url, f"{receiver.host},{other.host}")
        assert desk.deliver(desk.cancel(job)) == [job.id]
        assert (len(receiver.requests), other.requests) == (1, [])


def test_a_redirect_to_nowhere_is_a_failure_like_any_other(job: Job) -> None:
    with Receiver([302, 200], {"Location": "http://[/"}) as receiver:
        desk = Desk(receiver.url, receiver.host)
        assert desk.deliver(desk.cancel(job)) == [job.id]
        assert desk.deliver(job.id) == []


def test_what_ends_the_deliverer_each_time_is_given_up(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk("http://127.0.0.1:1/", "127.0.0.1:1")
    monkeypatch.setattr("worker.deliverer._MARGIN", -desk.settings.webhook_timeout_seconds)  # due again at once
    desk.cancel(job)
    monkeypatch.setattr("worker.deliverer.outbound_client", None)
    for _ in range(3):
        with pytest.raises(TypeError):
            desk.deliver(job.id)
    assert desk.deliver(job.id) == []


def test_a_receiver_that_does_not_answer_is_tried_again(job: Job, caplog: pytest.LogCaptureFixture) -> None:
    with Receiver([None, 200]) as receiver:
        desk = Desk(receiver.url, receiver.host, webhook_timeout_seconds=0.2)
        assert desk.deliver(desk.cancel(job)) == [job.id]
        assert "ReadTimeout" in caplog.messages[-1]
        assert desk.deliver(job.id) == []


@pytest.fixture
def endless() -> Iterator[Callable[[bytes, bytes], str]]:
    """Starts a server that answers with a beginning, and then with the same bytes for ever; its host and port."""
    server, stop = socket.create_server(("127.0.0.1", 0)), Event()

    def start(beginning: bytes, again: bytes) -> str:
        def answer() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.sendall(beginning)
                while not stop.wait(0.01):
                    connection.sendall(again)

        threads.append(Thread(target=answer))
        threads[-1].start()
        return f"127.0.0.1:{server.getsockname()[1]}"

    threads: list[Thread] = []
    yield start
    stop.set()
    for thread in threads:
        thread.join()
    server.close()


def test_a_receiver_that_answers_byte_by_byte_is_not_waited_for(
    job: Job, endless: Callable[[bytes, bytes], str], caplog: pytest.LogCaptureFixture
) -> None:
    host = endless(b"HTTP/1.1 200 OK\r\nX: ", b"y")
    desk = Desk(f"http://{host}/", host, webhook_timeout_seconds=0.3)
    assert desk.deliver(desk.cancel(job)) == [job.id]
    assert "Timeout" in caplog.messages[-1]


def test_what_a_receiver_says_besides_the_status_is_not_read(job: Job, endless: Callable[[bytes, bytes], str]) -> None:
    host = endless(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n", b"y" * 65_536)
    desk = Desk(f"http://{host}/", host)
    assert desk.deliver(desk.cancel(job)) == []


def test_a_receiver_that_does_not_answer_is_called_by_one_thread_only(add_job: AddJob) -> None:
    with Receiver([None, None, 200]) as receiver, Receiver() as other, ThreadPoolExecutor(3) as pool:
        desk = Desk(receiver.url, f"{receiver.host},{other.host}", webhook_timeout_seconds=0.3)
        first, second = desk.cancel(add_job()), desk.cancel(add_job())
        desk.url = other.url
        elsewhere = desk.cancel(add_job())
        assert desk.deliver(first) == [first, second, elsewhere]
        # It has as much time as the rest of the test takes.
        desk.deliverer._outbound = desk.settings.model_copy(update={"url_timeout_seconds": 60})
        calling = pool.submit(desk.deliverer.deliver, first)
        wait_until(lambda: len(receiver.requests) == 2)
        # Meanwhile others wait, which is no attempt, and those of another receiver do not.
        desk.deliver(second)
        assert desk.deliver(elsewhere) == [first, second]
        (event,) = desk.store._entries[second].events.values()
        assert (event.attempts, len(receiver.requests)) == (0, 2)
        receiver.hang_up()
        calling.result()
        desk.store.settle_webhook(second, event, retry_at=0.0)
        assert desk.deliver(second) == [first]


@pytest.mark.parametrize("owner", ["", "somebody"])
def test_only_a_share_of_the_threads_waits_for_one_receiver_or_owner(add_job: AddJob, owner: str) -> None:
    """The receivers of an owner's jobs may have any number of names."""
    with Receiver([None]) as slow, Receiver([None]) as another, Receiver() as other, ThreadPoolExecutor(2) as pool:
        desk = Desk(slow.url, f"{slow.host},{another.host},{other.host}", webhook_concurrency=8)
        waiting = [desk.cancel(add_job(), owner) for _ in range(3)]
        if owner:
            desk.url = another.url
            waiting[1:] = [desk.cancel(add_job(), owner) for _ in range(2)]
        desk.url = other.url
        elsewhere = desk.cancel(add_job(), "somebody else")
        calling = [pool.submit(desk.deliverer.deliver, job_id) for job_id in waiting[:2]]
        wait_until(lambda: len(slow.requests + another.requests) == 2)
        desk.deliver(waiting[2])
        desk.deliver(elsewhere)
        (event,) = desk.store._entries[waiting[2]].events.values()
        assert (event.attempts, len(slow.requests + another.requests), len(other.requests)) == (0, 2, 1)
        assert 0 < event.due - time.time() < 2
        for receiver in (slow, another):
            receiver.hang_up()
        for call in calling:
            call.result()


def test_a_receiver_is_the_same_however_its_name_is_written() -> None:
    names = ("https://Example.com/a", "http://example.com", "https://example.com:443/?b", "https://example.com.")
    assert {_receiver(url) for url in names} == {"example.com:"}
    assert _receiver("https://example.com:8443") == "example.com:8443"


def test_nobody_there_is_tried_again(job: Job, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
    desk = Desk(f"http://{host}/", host)
    assert desk.deliver(desk.cancel(job)) == [job.id]
    assert "ConnectError" in caplog.messages[-1]


def test_an_address_that_may_not_be_called_any_more_is_not(job: Job, caplog: pytest.LogCaptureFixture) -> None:
    with Receiver() as receiver:
        desk = Desk(receiver.url, host="")
        assert desk.deliver(desk.cancel(job)) == [job.id]
        assert receiver.requests == []
    assert "ForbiddenURL" in caplog.messages[-1]


def test_each_wait_is_longer_than_the_one_before() -> None:
    desk = Desk("", "", webhook_retry_seconds=5)
    waits = [desk.deliverer.wait_after(attempts) for attempts in range(1, 8)]
    assert 4 <= waits[0] <= 6
    assert all(2 < later / sooner < 7 for sooner, later in pairwise(waits))
    # In all, some hours.
    assert 5 * 3600 < sum(waits) < 10 * 3600
    assert desk.deliverer.wait_after(50) < 2 * 86_400


@pytest.mark.parametrize("answers", [[200], [500], [410]])
def test_the_log_tells_neither_the_address_nor_the_key(
    job: Job, answers: list[int], logging_as_before: None, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up(WorkerSettings(log_level="DEBUG"))
    with Receiver(answers) as receiver:
        desk = Desk(receiver.url, receiver.host)
        desk.deliver(desk.cancel(job), times=3)
    told = capsys.readouterr().err
    assert job.id in told
    assert receiver.host not in told
    assert "hunter2" not in told
    assert SECRET not in told + repr(desk.settings)


def test_a_letter_that_is_not_ascii_is_signed_as_it_is_sent(job: Job) -> None:
    with Receiver() as receiver:
        desk = Desk(receiver.url, receiver.host)
        desk.deliver(desk.cancel(job.model_copy(update={"metadata": {"name": "Gemälde \U0001f5bc"}})))
        assert receiver.messages()[0]["data"]["metadata"] == {"name": "Gemälde \U0001f5bc"}


def test_a_store_that_is_away_and_a_missing_key_leave_it_to_the_sweeper(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = WorkerSettings(redis_url="redis://127.0.0.1:1/0")
    store = RedisStore.connect(settings.redis_url, settings)
    monkeypatch.setattr(tasks, "_deliverer", lambda: Deliverer(store, settings, SecretStr(SECRET)))
    tasks.deliver.apply(args=["an id"], throw=True)
    assert "cannot be reached" in caplog.messages[-1]
    monkeypatch.setattr(tasks, "_deliverer", lambda: None)
    tasks.deliver.apply(args=["an id"], throw=True)
    assert "NST_WEBHOOK_SECRET" in caplog.messages[-1]
    store.close()
