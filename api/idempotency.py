"""``Idempotency-Key``: a request that is sent again, because its answer was lost, makes no second job."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request
from starlette.concurrency import run_in_threadpool

from api.backend import Backend, backend_of, caller_of
from api.errors import Problem, invalid_fields
from jobs.contract import Job, now
from jobs.errors import StoreUnavailable, UnknownJob
from jobs.idempotency import fingerprint

#: Letters of a key, at most.
MAX_KEY = 255

#: Of an answer that tells a job which an earlier request has made.
REPLAYED = "Idempotency-Replayed"

#: For the OpenAPI document of an endpoint that accepts jobs.
REPLAYED_HEADER = {REPLAYED: {"description": "`true` for the job of an earlier request.", "schema": {"type": "string"}}}

#: Seconds in which a request that has named its key puts its job into the store, or never will.
_BEING_ACCEPTED = 10.0


@dataclass(frozen=True)
class Idempotency:
    """What a request says of being sent again.

    Attributes:
        key: None when it says nothing.
        caller: whose key it is, others may use the same; empty: everybody's.
        seconds: for how long it is known.
        known: whether it was, when the request came.
    """

    key: str | None
    caller: str
    seconds: int
    known: bool
    backend: Backend

    def earlier(self, job: Job) -> Job | None:
        """The job of an earlier request with the same key; None when this is the first one, which now has the key.

        Raises:
            Problem: 409 the earlier request is still being accepted, 422 it was another request.
            ExpiredJob: its job is forgotten already.
        """
        if self.key is None:
            return None
        claim = self.backend.claims.claim(self.caller, self.key, job, self.seconds)
        if claim.job_id == job.id:
            return None
        if claim.fingerprint != fingerprint(job):
            reason = "was sent before, with another request"
            raise invalid_fields([("Idempotency-Key", reason)], "idempotency_key_reused")
        try:
            return self.backend.store.get(claim.job_id)
        except UnknownJob:  # deleted; or not stored yet, or never, because the server was killed
            being_accepted = not claim.stored and now().timestamp() - claim.at < _BEING_ACCEPTED
            if being_accepted or not self.backend.claims.renew(self.caller, self.key, job, claim, self.seconds):
                raise Problem(
                    409,
                    "idempotency_key_in_use",
                    "A request with this key is being accepted; ask again.",
                    headers={"Retry-After": "1"},
                ) from None
            return None

    def confirm(self, job: Job) -> None:
        """Note that the job is stored, so that the key is free as soon as it is deleted."""
        if self.key is not None:
            with suppress(StoreUnavailable):  # the job is accepted all the same
                self.backend.claims.confirm(self.caller, self.key, job)

    def release(self, job: Job) -> None:
        """Forget the key of a request whose job was refused after all."""
        if self.key is not None:
            self.backend.claims.release(self.caller, self.key, job.id)


async def idempotency(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            description=f"A text of at most {MAX_KEY} printable letters that names this request, such as a UUID: sent "
            "again with the same key, it gives the same job.",
            examples=["8e03978e-40d5-43e8-bc93-6894a57f9324"],
        ),
    ] = None,
) -> Idempotency:
    """The key of a request.

    Raises:
        Problem: 422 it is not a key.
        StoreUnavailable: whether it is known cannot be read at the moment.
    """
    if idempotency_key is not None and not (0 < len(idempotency_key) <= MAX_KEY and idempotency_key.isprintable()):
        reason = f"must be 1 to {MAX_KEY} printable letters"
        raise invalid_fields([("Idempotency-Key", reason)], "invalid_header")
    backend, sees = backend_of(request), caller_of(request).sees
    known = idempotency_key is not None and await run_in_threadpool(backend.claims.is_known, sees, idempotency_key)
    seconds = backend.settings.idempotency_seconds
    return Idempotency(idempotency_key, sees, seconds, known, backend)


IdempotencyDep = Annotated[Idempotency, Depends(idempotency)]
