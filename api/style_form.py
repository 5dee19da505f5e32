"""The fields of ``POST /styles``."""

from dataclasses import dataclass, fields
from typing import Any, get_origin, get_type_hints

from api.body import Body
from api.errors import Problem, invalid_fields
from api.forms import FormReader
from api.handling_form import FIELDS as HANDLING_FIELDS
from api.handling_form import Handling, read_handling
from api.links import File
from api.settings import ApiSettings
from api.webhook_form import FIELDS as WEBHOOK_FIELDS
from api.webhook_form import read_webhook
from jobs.contract import Webhook
from nst_core.gallery import STYLE_ID
from nst_core.options import StyleTrainingOptions

#: The file fields.
FILES = {
    "style": "The painting to learn. It is turned upright by its EXIF orientation; transparency becomes white.",
    "photograph": "A photograph to learn on instead of the server's; may be repeated.",
}

#: What a gallery tells of a style, and what it is for.
ABOUT = {
    "title": "Of the painting. Default: the id.",
    "artist": "Who painted it.",
    "year": "When it was painted.",
    "licence": "Of the painting.",
}

#: Letters of one of those, at most.
MAX_TEXT = 200

#: Photographs of one form, at most.
MAX_PHOTOGRAPHS = 16

SHORTEST_MINUTES = 1e-6

#: The options of a training that a client may set.  A style has a network of its own, and the layers go with the
#: encoder.
OPTIONS = {
    option.name: option
    for option in fields(StyleTrainingOptions)
    if option.name not in ("freeze_trunk", "content_layers", "style_layers", "pooling", "range_weight", "style_speed")
}

HINTS = {name: hint for name, hint in get_type_hints(StyleTrainingOptions).items() if name in OPTIONS}

#: The types of all fields that are not files.
_TEXTS: dict[str, Any] = {
    "id": str,
    **dict.fromkeys(ABOUT, str),
    "keep_color": bool,
    **HINTS,
    **HANDLING_FIELDS,
    **WEBHOOK_FIELDS,
    "metadata": dict,
}

#: Fields that may be sent more than once.
_LISTS = {"photograph", "webhook_events", *(name for name, hint in HINTS.items() if get_origin(hint) is tuple)}


@dataclass(frozen=True, kw_only=True)
class StyleRequest:
    """The style that a client asked for, checked as far as it can be without looking at the images.

    Attributes:
        about: title, artist, year and licence of the painting.
        keep_color: whether the photographs' colours are kept.
        handling: before whom it is taken, and how long the job is kept.
        webhook: who is told of the training; whether the URL may be called is not checked.
        files: the painting first.
    """

    id: str
    about: dict[str, str]
    keep_color: bool
    options: StyleTrainingOptions
    handling: Handling
    webhook: Webhook | None
    metadata: dict[str, Any]
    files: list[tuple[str, File]]


def most_minutes(settings: ApiSettings) -> float:
    """The longest training: what the settings say, or nine tenths of a job's time, the rest for reading photographs."""
    return min(settings.max_training_minutes, 0.9 * settings.soft_time_limit_seconds / 60)


def _bounded(reader: FormReader, settings: ApiSettings, values: dict[str, Any]) -> None:
    """Refuses what this server does not do, in its own words."""
    limit, minutes = most_minutes(settings), values["minutes"]
    if not SHORTEST_MINUTES <= minutes <= limit:
        bounds = f"must be above 0 and at most {limit:g} on this server, not {minutes:g}"
        reader.refuse("minutes", f"{bounds} (NST_MAX_TRAINING_MINUTES, NST_TIME_LIMIT_SECONDS)")
    largest = {"style_size": max(values.get("style_size", ()), default=0)}
    reader.bound("style_size", largest, settings.max_size, "NST_MAX_SIZE")
    batch, crop = (values.get(name, OPTIONS[name].default) for name in ("batch", "crop"))
    if batch * crop * crop > settings.max_training_pixels:
        limit_of_step = f"{settings.max_training_pixels} pixels on this server (NST_MAX_TRAINING_PIXELS)"
        reader.refuse("batch", f"{batch} crops of {crop} x {crop} are more than {limit_of_step}")


def read_style_request(body: Body, settings: ApiSettings) -> StyleRequest:
    """The fields of a request.

    Raises:
        Problem: 422 with every field that is unknown, missing, repeated or of a bad value; 403 when there are no
            photographs to train on.
    """
    reader = FormReader(body, files=FILES, texts=_TEXTS, repeatable=_LISTS)
    for name in ("id", "style"):
        reader.require(name)
    style_id = reader.text("id") or ""
    if "id" in reader.texts and not STYLE_ID.fullmatch(style_id):
        reader.refuse("id", "must be 1 to 64 lower-case letters, digits, _ and -, and begin with a letter or a digit")
    about = {name: (reader.text(name) or "").strip() for name in ABOUT}
    for name, text in about.items():
        if len(text) > MAX_TEXT or not text.isprintable():
            reader.refuse(name, f"must be at most {MAX_TEXT} letters on one line")
    if len(reader.files.get("photograph", ())) > MAX_PHOTOGRAPHS:
        reader.refuse("photograph", f"must be at most {MAX_PHOTOGRAPHS} files")
    request = StyleRequest(
        id=style_id,
        about=about | {"title": about["title"] or style_id},
        keep_color=reader.truth("keep_color"),
        options=_options(reader, settings),
        handling=read_handling(reader, settings),
        webhook=read_webhook(reader, settings),
        metadata=reader.metadata(),
        files=[(name, file) for name in FILES for file in reader.files.get(name, ())],
    )
    if reader.errors:
        raise invalid_fields(list(reader.errors.items()))
    if settings.training_images is None and "photograph" not in reader.files:
        raise Problem(
            403,
            "training_not_configured",
            "This server has no photographs to train on (NST_TRAINING_IMAGES); send some as `photograph`.",
        )
    return request


def _options(reader: FormReader, settings: ApiSettings) -> StyleTrainingOptions:
    defaults = {"steps": settings.default_training_steps, "minutes": most_minutes(settings)}
    values = defaults | reader.values(StyleTrainingOptions)
    _bounded(reader, settings, values)
    return reader.options(StyleTrainingOptions, values) or StyleTrainingOptions()
