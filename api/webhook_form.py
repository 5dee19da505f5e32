"""The fields of a webhook, in the form of every job."""

from typing import Any, get_args

from api.forms import FormReader
from api.keys import Caller
from api.links import Fetcher
from jobs.contract import Webhook, WebhookEvent
from jobs.settings import Settings

EVENTS: tuple[WebhookEvent, ...] = get_args(WebhookEvent)

#: What is told when nothing else was asked for: how the job ended.
DEFAULT_EVENTS: tuple[WebhookEvent, ...] = ("succeeded", "failed", "canceled")

#: Letters of its URL, at most.
MAX_URL = 2048

#: The types of its fields.
FIELDS: dict[str, Any] = {"webhook": str, "webhook_events": tuple[str, ...]}

#: As JSON schemas, for the OpenAPI document.
SCHEMA: dict[str, dict[str, Any]] = {
    "webhook": {
        "type": "string",
        "format": "uri",
        "maxLength": MAX_URL,
        "description": "An http or https URL that is told of the job, after the Standard Webhooks specification.",
        "examples": ["https://example.com/painted"],
    },
    "webhook_events": {
        "type": "array",
        "items": {"type": "string", "enum": list(EVENTS)},
        "description": f"What it is told of. Default: {','.join(DEFAULT_EVENTS)}.",
    },
}


def read_webhook(reader: FormReader, settings: Settings) -> Webhook | None:
    """The webhook that a form names; what is wrong with its fields is noted in the reader."""
    url, events = reader.text("webhook"), _events(reader)
    if url is None:
        if "webhook_events" in reader.texts:
            reader.refuse("webhook_events", "goes with a webhook")
        return None
    if len(url) > MAX_URL:
        reader.refuse("webhook", f"must be at most {MAX_URL} letters")
    elif settings.webhook_secret is None:
        reader.refuse("webhook", "cannot be signed: this server has no key (NST_WEBHOOK_SECRET)")
    return Webhook(url=url, events=events)


def _events(reader: FormReader) -> list[WebhookEvent]:
    texts = reader.texts.get("webhook_events")
    if texts is None:
        return list(DEFAULT_EVENTS)
    named = {part.strip() for text in texts for part in text.split(",")}
    if not named <= set(EVENTS):
        reader.refuse("webhook_events", f"must be of {', '.join(EVENTS)}")
    return [event for event in EVENTS if event in named]


async def check_webhook(webhook: Webhook | None, fetcher: Fetcher, caller: Caller) -> None:
    """See that a webhook may be called; this asks for the addresses of its host.

    Raises:
        Problem: 422, it may not, or its host has no address.
    """
    if webhook:
        await fetcher.check("webhook", webhook.url, caller)
