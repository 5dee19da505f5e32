"""Celery's consumer of messages, which outlives a lost connection."""

import logging

from celery.worker import consumer

logger = logging.getLogger(__name__)


class Consumer(consumer.Consumer):
    """The part of a worker that takes messages out of Redis and connects again when Redis was away."""

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Lets go of a lost connection.

        kombu (seen with 5.7) closes a lost connection in two attempts.  When the first one breaks off while a BRPOP
        still waits for its answer, the second wants to give unacknowledged messages back and finds no transport.
        Celery expects no AttributeError there: the worker would end, with the job that it has in hand.
        """
        try:
            super().on_connection_error_after_connected(exc)
        except AttributeError as error:
            # Nothing is lost: such a message is still in Redis, and its job has a lease.
            logger.debug("the lost connection was not closed in order: %s", error)
