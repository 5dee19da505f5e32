"""Examples for the OpenAPI document: of what calls are sent, and of what they answer."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from api.body import FORM_TYPE, JSON_TYPE
from api.routes.presets import PresetList, list_presets
from api.routes.styles import GalleryStyle, GalleryStyles
from api.routes.system import Alive, Depth, Limits, Ready, RedisState, System
from api.settings import ApiSettings
from jobs.contract import (
    Job,
    JobInput,
    JobPage,
    Metrics,
    Output,
    Progress,
    QueuePlace,
    Snapshot,
    SnapshotList,
    Status,
    Urls,
)
from jobs.roster import DeviceMemory, Engine, Worker
from nst_core.gallery import Style
from nst_core.options import FastOptions

_PHOTOGRAPH, _PAINTING = "https://example.com/photo.jpg", "https://example.com/painting.jpg"

#: What calls are sent, by their path: as a form, where files stand for their bytes, and as JSON.
REQUESTS: dict[str, dict[str, Any]] = {
    "/jobs": {
        FORM_TYPE: {"content": "photo.jpg", "style": ["painting.jpg"], "size": 512, "output_format": "jpeg"},
        JSON_TYPE: {"content": _PHOTOGRAPH, "style": _PAINTING, "size": 512, "metadata": {"order": 17}},
    },
    "/masks": {
        FORM_TYPE: {"content": "photo.jpg", "auto_mask": "background"},
        JSON_TYPE: {"content": _PHOTOGRAPH, "auto_mask": "background"},
    },
    "/styles": {
        FORM_TYPE: {"id": "my_painting", "style": "painting.jpg", "title": "My painting"},
        JSON_TYPE: {"id": "my_painting", "style": _PAINTING, "title": "My painting"},
    },
}

_ID = "01M7XERWSZXTVS60K0HEV188G6"
_SHA256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
_NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)

_QUEUED = Job(
    id=_ID,
    method="fast",
    created_at=_NOON,
    queue=QueuePlace(position=1, eta_seconds=0.4),
    input=JobInput(
        params=asdict(FastOptions(size=512)) | {"style_id": "starry_night"}, content_sha256=_SHA256, style_sha256=[]
    ),
    metadata={"order": 17},
    urls=Urls.of(_ID),
)

_SUCCEEDED = _QUEUED.evolve(
    status=Status.SUCCEEDED,
    started_at=_NOON + timedelta(milliseconds=20),
    completed_at=_NOON + timedelta(milliseconds=400),
    expires_at=_NOON + timedelta(days=7),
    attempt=1,
    queue=QueuePlace(),
    progress=Progress(fraction=1, step=1, total_steps=1),
    output=Output(
        url=_QUEUED.urls.result, media_type="image/png", width=512, height=384, bytes=401_236, sha256=_SHA256
    ),
    metrics=Metrics(queue_seconds=0.02, load_seconds=0.0, run_seconds=0.35, device="cuda:0"),
)

_STYLE = GalleryStyle.of(
    Style(
        id="starry_night",
        title="The Starry Night",
        artist="Vincent van Gogh",
        year="1889",
        licence="public domain",
        training={"steps": 20_000, "style_size": [256, 512]},
        losses={"style": 0.21},
        weights_sha256=_SHA256,
    ),
    removable=False,
)

_SYSTEM = System(
    version="0.1.0",
    uptime_seconds=86_400.0,
    redis=RedisState(used_bytes=52_428_800, max_bytes=2_147_483_648),
    queues=[Depth(name="fast", queued=2, processing=1, mean_seconds=0.4)],
    workers=[
        Worker(
            name="fast",
            queues=["fast"],
            version="0.1.0",
            started_at=_NOON,
            engine=Engine(
                device="cuda:0",
                memory=DeviceMemory(free_bytes=20_000_000_000, total_bytes=24_000_000_000),
                resident_bytes=900_000_000,
                encoders=[],
                styles=["starry_night"],
                cache_hits=41,
                cache_misses=1,
                job=_ID,
            ),
        )
    ],
    limits=Limits.model_validate(ApiSettings.model_construct()),
)

_ANSWERS: tuple[BaseModel, ...] = (
    _SUCCEEDED,
    JobPage(items=[_SUCCEEDED], next_cursor=_ID),
    SnapshotList(
        items=[Snapshot(step=20, url=f"jobs/{_ID}/snapshots/20", width=512, height=384, bytes=81_920)],
    ),
    PresetList(items=list_presets().items[:1]),
    _STYLE,
    GalleryStyles(items=[_STYLE]),
    Alive(),
    Ready(workers=2),
    _SYSTEM,
)

#: What calls answer, by the name of its schema.
ANSWERS: dict[str, Any] = {type(answer).__name__: answer.model_dump(mode="json") for answer in _ANSWERS}

#: The same of a job that was accepted.
ACCEPTED: dict[str, Any] = _QUEUED.model_dump(mode="json")


def add_examples(path: str, operation: dict[str, Any]) -> None:
    """Give each body of an operation, and each answer in JSON that is no problem, an example."""
    for media_type, body in operation.get("requestBody", {}).get("content", {}).items():
        body["example"] = REQUESTS[path][media_type]
    for status, response in operation["responses"].items():
        content = response.get("content", {}).get(JSON_TYPE)
        if content and status < "4":
            name = content["schema"]["$ref"].rpartition("/")[2]
            content["example"] = ACCEPTED if status == "202" else ANSWERS[name]
