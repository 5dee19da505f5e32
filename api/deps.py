"""What the endpoints are given.

These are few, and depend on no others: FastAPI goes through all of them, and theirs, for each request.  They are
coroutines, though most wait for nothing: FastAPI gives each plain function a thread, which takes longer.
"""

import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Path, Request
from starlette.concurrency import run_in_threadpool

from api.backend import Backend, backend_of, caller_of
from api.keys import Caller
from api.room import Take
from jobs.errors import UnknownJob

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


async def get_backend(request: Request) -> Backend:
    """What all endpoints work with."""
    return backend_of(request)


async def get_caller(request: Request) -> Caller:
    """Who sent the request."""
    return caller_of(request)


async def checked_id(request: Request, job_id: Annotated[str, Path(description="The job's id.")]) -> str:
    """A job's id from the path; one that cannot be, or is another caller's, is as unknown as one that is not."""
    if not _ULID.fullmatch(job_id):
        raise UnknownJob
    caller = caller_of(request)
    if caller.sees and await run_in_threadpool(backend_of(request).store.owner, job_id) != caller.sees:
        raise UnknownJob
    return job_id


async def answer_room(request: Request) -> AsyncIterator[Take]:
    """Room for the file that is the answer, kept until it has been sent or the client is gone.

    What may be large takes it before it is loaded: many requests load at the same time.
    """
    with backend_of(request).answer_room.for_one() as take:
        yield take


BackendDep = Annotated[Backend, Depends(get_backend)]
CallerDep = Annotated[Caller, Depends(get_caller)]
AnswerRoomDep = Annotated[Take, Depends(answer_room)]
JobId = Annotated[str, Depends(checked_id)]
