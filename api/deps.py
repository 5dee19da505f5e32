"""What the endpoints are given.

All are coroutines, though most wait for nothing: FastAPI gives each plain function a thread, which takes longer.
"""

import re
from typing import Annotated

from anyio import CapacityLimiter
from celery import Celery
from fastapi import Depends, Path, Request
from starlette.concurrency import run_in_threadpool

from api.keys import Caller
from api.links import Fetcher
from api.settings import ApiSettings
from jobs.errors import UnknownJob
from jobs.gallery import ServiceGallery
from jobs.line import Line
from jobs.protocol import Store
from jobs.roster import Roster

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


async def get_settings(request: Request) -> ApiSettings:
    """The settings that the application was made with."""
    settings: ApiSettings = request.app.state.settings
    return settings


async def get_store(request: Request) -> Store:
    """Where the jobs are."""
    store: Store = request.app.state.store
    return store


async def get_celery(request: Request) -> Celery:
    """The way to the workers."""
    celery: Celery = request.app.state.celery
    return celery


async def get_decoders(request: Request) -> CapacityLimiter:
    """What limits how many images are decoded at the same time."""
    decoders: CapacityLimiter = request.app.state.decoders
    return decoders


async def get_fetcher(request: Request) -> Fetcher:
    """What opens the files of a request, and fetches those that are elsewhere."""
    fetcher: Fetcher = request.app.state.fetcher
    return fetcher


async def get_gallery(request: Request) -> ServiceGallery:
    """The fast styles."""
    gallery: ServiceGallery = request.app.state.gallery
    return gallery


async def get_caller(request: Request) -> Caller:
    """Who sent the request."""
    caller: Caller = request.state.caller
    return caller


async def get_roster(request: Request) -> Roster:
    """The workers that are there."""
    roster: Roster = request.app.state.roster
    return roster


async def get_line(request: Request) -> Line:
    """The line in which jobs wait."""
    return Line(await get_store(request), await get_roster(request))


SettingsDep = Annotated[ApiSettings, Depends(get_settings)]
StoreDep = Annotated[Store, Depends(get_store)]
CeleryDep = Annotated[Celery, Depends(get_celery)]
DecodersDep = Annotated[CapacityLimiter, Depends(get_decoders)]
FetcherDep = Annotated[Fetcher, Depends(get_fetcher)]
GalleryDep = Annotated[ServiceGallery, Depends(get_gallery)]
CallerDep = Annotated[Caller, Depends(get_caller)]
RosterDep = Annotated[Roster, Depends(get_roster)]
LineDep = Annotated[Line, Depends(get_line)]


async def checked_id(
    job_id: Annotated[str, Path(description="The job's id.")], caller: CallerDep, store: StoreDep
) -> str:
    """A job's id from the path; one that cannot be, or is another caller's, is as unknown as one that is not."""
    if not _ULID.fullmatch(job_id):
        raise UnknownJob
    if caller.sees and await run_in_threadpool(store.owner, job_id) != caller.sees:
        raise UnknownJob
    return job_id


JobId = Annotated[str, Depends(checked_id)]
