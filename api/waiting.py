"""``Prefer: wait=N`` (RFC 7240): the end of a job in the answer, instead of asking again and again."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request, Response

from api.backend import Backend, backend_of, caller_of
from api.errors import invalid_fields
from api.keys import Caller
from api.places import NoPlace
from jobs.contract import Job
from jobs.errors import StoreUnavailable

APPLIED = "Preference-Applied"

#: For the OpenAPI document of an endpoint that waits.
APPLIED_HEADER = {APPLIED: {"description": "The wait that the request preferred.", "schema": {"type": "string"}}}


@dataclass(frozen=True)
class Wait:
    """How long a client prefers to wait for the end of its job.

    Attributes:
        seconds: 0 when it does not.
        caller: who waits.
    """

    seconds: int
    caller: Caller
    backend: Backend

    async def end_of(self, job: Job, response: Response) -> Job:
        """The job when it has ended, or as it is after that time; at once where too many wait already.

        Waiting is a preference: when the store goes away or the server stops meanwhile, the job is answered as it was.

        Raises:
            UnknownJob, ExpiredJob: it was deleted, or its time is over.
        """
        if not self.seconds or job.status.is_final:
            return job
        with suppress(NoPlace), self.backend.waiters.taken_by(self.caller):
            response.headers[APPLIED] = f"wait={self.seconds}"
            with suppress(StoreUnavailable, TimeoutError):
                async with asyncio.timeout(self.seconds), self.backend.watches.of(job.id, self.backend.store) as watch:
                    async for job in watch:
                        if job.status.is_final:
                            break
        return job


async def preferred_wait(
    request: Request,
    prefer: Annotated[
        list[str] | None,
        Header(
            description="`wait=N` answers when the job has ended, or after N seconds; `wait` alone waits as long as "
            "the server lets. Other preferences are ignored.",
            examples=["wait=10"],
        ),
    ] = None,
) -> Wait:
    """The wait that a request prefers.

    Raises:
        Problem: it is not a number, or more than ``NST_MAX_WAIT_SECONDS``.
    """
    backend = backend_of(request)
    most = backend.settings.max_wait_seconds
    asked = next(_waits(prefer or []), "0") or str(most)
    if not (asked.isascii() and asked.isdigit()) or len(asked) > 9 or int(asked) > most:
        reason = f"wait must be a whole number of seconds, at most {most} (NST_MAX_WAIT_SECONDS)"
        raise invalid_fields([("Prefer", reason)], "invalid_header")
    return Wait(int(asked), caller_of(request), backend)


def _waits(headers: list[str]) -> Iterator[str]:
    """The values of every ``wait``, of which RFC 7240 lets the first count."""
    for preference in ",".join(headers).split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            yield value.strip().strip('"')


WaitDep = Annotated[Wait, Depends(preferred_wait)]
