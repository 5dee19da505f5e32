"""The application; ``api.server`` runs it as a process of its own."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from anyio import CapacityLimiter
from celery import Celery
from fastapi import FastAPI

from api.access import AccessLog
from api.backend import Backend
from api.cors import Cors, OtherSites
from api.errors import add_error_handlers
from api.guard import Guard, RateLimits
from api.hosts import Hosts
from api.keys import KeyRing, default_limits
from api.links import Fetcher
from api.metrics import Metrics
from api.middleware import DefaultHeaders, Faults, HeadAsGet, HeadSize, Slash, SubPath, UnreadAnswers, UnreadBodies
from api.openapi import DocumentedAPI
from api.places import Places
from api.quotas import Quotas
from api.reference import add_reference
from api.room import AnswerRoom, BodyRoom
from api.routes import events, jobs, masks, page, presets, snapshots, styles, submission, system, training
from api.settings import ApiSettings
from api.watching import Watches, at_the_signal_to_stop
from api.webhook_reference import add_webhooks
from jobs.connection import RedisMemory, connect
from jobs.gallery import ServiceGallery
from jobs.idempotency import Claims
from jobs.outbound import Resolve, system_resolve
from jobs.protocol import Store
from jobs.queue import make_celery
from jobs.roster import Roster
from jobs.store import RedisStore
from jobs.styles import StyleStore


def create_app(
    settings: ApiSettings | None = None,
    store: Store | None = None,
    celery: Celery | None = None,
    resolve: Resolve = system_resolve,
) -> FastAPI:
    """The HTTP front end.

    Args:
        settings: by default from the environment.
        store: where jobs are kept; by default the Redis of the settings.  The application closes what it made itself.
        celery: the way to the workers; by default through the Redis of the settings.
        resolve: how the host names of URLs become addresses.
    """
    settings = settings or ApiSettings()
    keys, limits = KeyRing.read(settings), default_limits(settings)
    limited = any(caller.limits for caller in keys) if keys else bool(limits)
    quotas = Quotas(settings.redis_url) if limited else None
    own = ExitStack()
    redis = connect(settings.redis_url, hurried=True)
    own.callback(redis.close)
    if quotas:
        own.callback(quotas.close)
    if store is None:
        store = RedisStore.connect(settings.redis_url, settings, hurried=True)
        own.callback(store.close)
    if celery is None:
        celery = make_celery(settings, hurried=True)
        own.callback(celery.close)
    roster, redis_memory = Roster(redis), RedisMemory(redis)
    backend = Backend(
        settings=settings,
        store=store,
        celery=celery,
        gallery=ServiceGallery(settings.styles_dir, StyleStore(redis)),
        roster=roster,
        redis_memory=redis_memory,
        metrics=Metrics(store, roster, redis_memory),
        decoders=CapacityLimiter(settings.decoders),
        body_room=BodyRoom(max(settings.max_bodies_bytes, settings.max_request_bytes)),
        answer_room=AnswerRoom(settings.max_answers_bytes),
        fetcher=Fetcher(settings, resolve),
        watches=Watches(),
        waiters=Places(settings.max_waiting),
        event_streams=Places(settings.max_event_streams),
        large_creates=CapacityLimiter(1),
        claims=Claims(redis),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with own, at_the_signal_to_stop(backend.watches.stop):
            yield
            backend.stop()

    app = DocumentedAPI(
        title="NST Server",
        summary="Paints images in the style of others.",
        description="Send a job with `POST /jobs`, ask for it with `GET /jobs/{id}` until it is finished, and fetch "
        "`GET /jobs/{id}/result`. The `urls` of a job are relative to the root of this API.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        guarded=bool(keys),
        limited=limited,
    )
    app.state.backend = backend
    add_error_handlers(app)
    # The last one is the outermost.
    if quotas:
        app.add_middleware(RateLimits, quotas=quotas, max_request_bytes=settings.max_request_bytes)
    app.add_middleware(Guard, keys=keys, limits=limits)
    app.add_middleware(Slash)
    app.add_middleware(OtherSites, origins=settings.cors_origins)
    if not keys:  # a page that takes our name has no key
        app.add_middleware(Hosts, names=settings.allowed_hosts)
    app.add_middleware(HeadSize)
    app.add_middleware(Faults)
    if settings.cors_origins:
        app.add_middleware(Cors, origins=settings.cors_origins)
    app.add_middleware(DefaultHeaders, shared=bool(settings.cors_origins))
    app.add_middleware(HeadAsGet)
    app.add_middleware(AccessLog, metrics=backend.metrics)
    app.add_middleware(UnreadBodies)
    app.add_middleware(UnreadAnswers, seconds=settings.answer_timeout_seconds)
    if settings.root_path:  # else the server may know one
        app.add_middleware(SubPath, root_path=settings.root_path)
    add_reference(app)
    add_webhooks(app)
    app.include_router(page.router)
    app.include_router(submission.make_router(settings))
    app.include_router(jobs.router)
    app.include_router(events.router)
    app.include_router(snapshots.router)
    app.include_router(presets.router)
    app.include_router(masks.router)
    app.include_router(styles.router)
    app.include_router(training.make_router(settings))
    app.include_router(system.router)
    return app
