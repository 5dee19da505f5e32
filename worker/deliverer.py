"""Sending what webhooks are to be told, after the Standard Webhooks specification."""

import logging
import random
from datetime import timedelta
from email.utils import parsedate_to_datetime
from time import time

import httpx
from pydantic import SecretStr
from standardwebhooks import Webhook

from jobs.contract import now
from jobs.errors import ForbiddenURL, UnknownJob
from jobs.outbound import Resolve, outbound_client, system_resolve
from jobs.protocol import Store
from jobs.settings import signing_keys
from jobs.webhooks import Event
from worker.receivers import Receivers
from worker.settings import WorkerSettings

logger = logging.getLogger(__name__)

#: Seconds that sending an event may take besides the time that the receiver gets: to ask for its address, mostly.
_MARGIN = 5.0

#: Each wait for another attempt is so many times as long as the one before, and not longer than a day.
_FACTOR = 4.0
_LONGEST_WAIT = 86_400.0

#: Of the threads of a worker, one of so many calls the same receiver, or those of the same owner's jobs.
_SHARES = 4

#: By how much a wait is longer or shorter, so that what failed together is not tried again together.
_JITTER = 0.2


class Deliverer:
    """Sends the events of jobs to their webhooks.

    An event is forgotten when its receiver has answered 2xx, when it has answered 410, and after the last attempt.
    """

    def __init__(
        self, store: Store, settings: WorkerSettings, secret: SecretStr, resolve: Resolve = system_resolve
    ) -> None:
        self.store, self.settings = store, settings
        self._resolve = resolve
        # A receiver has its own time to answer.
        self._outbound = settings.model_copy(update={"url_timeout_seconds": settings.webhook_timeout_seconds})
        self._signers = [Webhook(key) for key in signing_keys(secret)]
        self._receivers = Receivers(max(1, settings.webhook_concurrency // _SHARES))
        self._jitter = random.Random()  # noqa: S311 - no secret

    def deliver(self, job_id: str) -> None:
        """Sends what is due for this job; what fails waits for its next attempt.

        Raises:
            StoreUnavailable: Redis cannot be reached.  What was sent meanwhile is sent again.
        """
        for event in self.store.take_webhooks(job_id, self.settings.webhook_timeout_seconds + _MARGIN):
            most = self.settings.webhook_attempts
            told = (job_id, event.type, event.id, event.attempts, most)
            if event.attempts > most:  # each of them ended without an answer to us: this process died, or has a fault
                logger.warning("job %s: webhook %s given up (%s, attempt %d of %d)", *told)
                self.store.settle_webhook(job_id, event)
                continue
            try:
                with self._receivers.turn(_receiver(event.url), self._owner(job_id)) as wait:
                    if wait:  # one that does not answer soon would keep all threads waiting
                        self.store.settle_webhook(job_id, event.put_back, retry_at=time() + self._wait(wait))
                        continue
                    status, asked = self._send(event)
            except (ForbiddenURL, httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
                # Its text may name the address.
                status, asked, answer = 0, 0.0, type(error).__name__
            else:
                answer = f"status {status}"
            if httpx.codes.is_success(status):
                logger.info("job %s: webhook %s delivered (%s, attempt %d of %d)", *told)
                self.store.settle_webhook(job_id, event)
            elif status == httpx.codes.GONE or event.attempts >= most:
                logger.warning("job %s: webhook %s given up (%s, attempt %d of %d): %s", *told, answer)
                self.store.settle_webhook(job_id, event)
            else:
                logger.warning("job %s: webhook %s not delivered (%s, attempt %d of %d): %s", *told, answer)
                self.store.settle_webhook(job_id, event, retry_at=time() + max(asked, self.wait_after(event.attempts)))

    def wait_after(self, attempts: int) -> float:
        """Seconds from a failed attempt, the first or a later one, to the next."""
        return self._wait(min(self.settings.webhook_retry_seconds * _FACTOR ** (attempts - 1), _LONGEST_WAIT))

    def _wait(self, seconds: float) -> float:
        return seconds * self._jitter.uniform(1 - _JITTER, 1 + _JITTER)

    def _owner(self, job_id: str) -> str:
        try:
            return self.store.owner(job_id)
        except UnknownJob:  # deleted meanwhile
            return ""

    def _send(self, event: Event) -> tuple[int, float]:
        """The status that the receiver answers with, and the seconds that it asks for; its body is not read."""
        at = now()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": event.id,
            "webhook-timestamp": str(int(at.timestamp())),
            # A receiver that knows one of the keys is content.
            "webhook-signature": " ".join(signer.sign(event.id, at, event.body) for signer in self._signers),
        }
        with outbound_client(self._outbound, self._resolve) as client:
            request = client.stream("POST", event.url, content=event.body.encode(), headers=headers)
            with request as response:
                return response.status_code, _seconds_asked_for(response)


def _seconds_asked_for(response: httpx.Response) -> float:
    """For how long a receiver wants to be left alone, a day at most (RFC 9110, section 10.2.3); 0: it does not say."""
    after = response.headers.get("Retry-After", "").strip()
    try:
        seconds = float(after) if after.isascii() and after.isdigit() else _until(after)
    except (TypeError, ValueError, OverflowError):  # neither a number nor a date
        return 0.0
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def _until(date: str) -> float:
    """Seconds until a date of HTTP.

    Raises:
        TypeError, ValueError, OverflowError: it is none.
    """
    return (parsedate_to_datetime(date) - now()) / timedelta(seconds=1)


def _receiver(url: str) -> str:
    """What is called, however its name is written.

    Raises:
        httpx.InvalidURL, UnicodeError: it is no URL.
    """
    parsed = httpx.URL(url)
    return f"{parsed.host.rstrip('.')}:{parsed.port or ''}"
