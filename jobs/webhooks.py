"""What the receiver of a webhook is told of a job: events that wait in the store until it has them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from ulid import ULID

from jobs.contract import Job, WebhookEvent, now


class WebhookMessage(BaseModel):
    """What the receiver of a job's webhook is sent."""

    type: Literal["job.processing", "job.progress", "job.succeeded", "job.failed", "job.canceled"]
    timestamp: datetime = Field(description="When it happened.")
    data: Job = Field(description="The job at that time, as `GET /jobs/{id}` shows it.")


class Event(BaseModel):
    """One message to the receiver of a job's webhook.

    Attributes:
        id: the same each time it is sent; ids sort by time.
        url: where it goes.
        body: what is sent, JSON.
        attempts: how often it was taken to be sent.
        due: the Unix time from which it may be taken; 0 is at once, whatever the clock says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    type: WebhookEvent
    url: str
    body: str
    attempts: int = 0
    due: float = 0.0

    @property
    def slot(self) -> str:
        """What it replaces among the events that wait: of progress only the latest is worth telling."""
        return "progress" if self.type == "progress" else self.id

    @property
    def put_back(self) -> "Event":
        """As it was before it was taken."""
        return self.model_copy(update={"attempts": self.attempts - 1})


def event_of(old: Job, new: Job) -> Event | None:
    """What there is to tell of a change, if the job's client wants to know.

    Each start by a worker is told, also one that takes the job over from another.  That a job is queued again is not.
    """
    if (new.status, new.attempt) != (old.status, old.attempt):
        kind = new.status.value
    elif new.progress != old.progress:
        kind = "progress"
    else:
        return None
    webhook = new.webhook
    if webhook is None or kind not in webhook.events:
        return None
    message = WebhookMessage(type=f"job.{kind}", timestamp=now(), data=new)
    return Event(id=f"msg_{ULID()}", type=kind, url=webhook.url, body=message.model_dump_json())


def take(events: Iterable[Event], at: float, seconds: float) -> list[Event]:
    """Those of the events that are due, the oldest first, as they shall wait while somebody sends them one by one.

    Args:
        seconds: what one of them may take, until it is taken to be lost and due again.
    """
    due = sorted((event for event in events if event.due <= at), key=lambda event: event.id)
    until = at + seconds * len(due)
    return [event.model_copy(update={"attempts": event.attempts + 1, "due": until}) for event in due]
