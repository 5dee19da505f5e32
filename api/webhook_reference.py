"""What webhooks send, for the OpenAPI document."""

from typing import Annotated

from fastapi import FastAPI, Header

from jobs.webhooks import WebhookMessage


def add_webhooks(app: FastAPI) -> None:
    """Describe the one request that this service sends to others."""

    @app.webhooks.post(
        "job",
        status_code=204,
        tags=["webhooks"],
        summary="Be told of a job",
        responses={204: {"description": "It has arrived, as with any status of 2xx."}, 410: {"description": "Enough."}},
    )
    def told_of_a_job(
        message: WebhookMessage,
        webhook_id: Annotated[str, Header(description="Of the event; the same whenever it is sent again.")],
        webhook_timestamp: Annotated[int, Header(description="Seconds since 1970 at which it was sent.")],
        webhook_signature: Annotated[str, Header(description="`v1,` and the signature of both and of the body.")],
    ) -> None:
        """Sent to the `webhook` of a job when something happens to it that is among its `webhook_events`, after the
        Standard Webhooks specification: again and again until it is answered by a status of 2xx.
        """
