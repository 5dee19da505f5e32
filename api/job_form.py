"""The fields of ``POST /jobs``."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, cast, get_args, get_origin, get_type_hints

from api.body import Body
from api.errors import invalid_fields
from api.forms import FormReader
from api.handling_form import FIELDS as HANDLING_FIELDS
from api.handling_form import Handling, read_handling
from api.links import File
from api.settings import ApiSettings
from api.webhook_form import FIELDS as WEBHOOK_FIELDS
from api.webhook_form import read_webhook
from jobs.contract import ENGINE_OPTIONS, Engine, Webhook
from nst_core.errors import InvalidOptions, UnknownStyle
from nst_core.file_options import BitDepth, FileOptions
from nst_core.gallery import Gallery
from nst_core.options import (
    DEFAULT_QUALITY,
    FAST_OPTIONS,
    LOSSY_FORMATS,
    OPTIONS,
    AutoMask,
    FastOptions,
    GatysOptions,
    OutputFormat,
    default_long_side,
)
from nst_core.presets import PRESETS

#: The file fields.
FILES = {
    "content": "The image to paint; required unless the options take nothing from it, as those of `preset=texture`. "
    "It is turned upright by its EXIF orientation; its transparency is the result's.",
    "style": "The image whose style is taken; required for `method=gatys`. Several blend, or each has its `mask`.",
    "mask": "Where the style in its place is painted: white there, black where the content stays, stretched to the "
    "content. As many as there are styles.",
    "init_image": "The image that the optimisation starts from; with `init=image` only.",
}

#: Fields with URLs, and the file fields that they stand for.
LINKS = {"content_url": "content", "style_url": "style"}

METHODS: tuple[Engine, ...] = get_args(Engine)

#: The options of all engines by name; one that they share means the same.
ALL_OPTIONS = OPTIONS | FAST_OPTIONS

#: For which engines a field is; those that are not here are for all.
METHODS_OF: dict[str, tuple[Engine, ...]] = {
    "style": ("gatys",),
    "init_image": ("gatys",),
    "preset": ("gatys",),
    **{name: tuple(m for m in METHODS if name in get_type_hints(ENGINE_OPTIONS[m])) for name in ALL_OPTIONS},
}

DEFAULT_FORMAT: OutputFormat = "png"

#: The fields that say how the result is written.
FILE_OPTIONS = tuple(field.name for field in fields(FileOptions))

BIT_DEPTHS: tuple[BitDepth, ...] = get_args(BitDepth)

#: Of the file fields, those that may be sent more than once.
MANY_FILES = ("style", "mask")

AUTO_MASKS: tuple[AutoMask, ...] = get_args(AutoMask)

#: The types of the options' values.
HINTS = get_type_hints(GatysOptions) | get_type_hints(FastOptions)

#: The types of the other fields that are not files.
_OTHER_FIELDS: dict[str, Any] = {
    "method": str,
    "style_id": tuple[str, ...],
    "preset": str,
    "auto_mask": str,
    **{name: hint for name, hint in get_type_hints(FileOptions).items() if name in FILE_OPTIONS},
    **HANDLING_FIELDS,
    **WEBHOOK_FIELDS,
    "metadata": dict,
}

#: Fields that may be sent more than once.
_LISTS = frozenset(name for name, hint in HINTS.items() if get_origin(hint) is tuple) | {
    "style_id",
    "webhook_events",
    *MANY_FILES,
}

_PERCENT = re.compile(r"[0-9]{1,3}")


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What a client asked for, checked as far as it can be without looking at the images.

    Attributes:
        method: the engine.
        options: the engine's, with their defaults; ``size`` is in force only if ``given`` names it.
        given: names of the options that were sent, or are the preset's.
        style_ids: styles of the gallery, for the fast engine or the start.
        preset: the name of the options' defaults.
        auto_mask: what a mask shall be found for.
        file: how the result is written.
        handling: before whom it is taken, and how long it is kept.
        webhook: who is told of it; whether the URL may be called is not checked.
        files: by field name.
    """

    method: Engine
    options: GatysOptions | FastOptions
    given: frozenset[str]
    style_ids: tuple[str, ...]
    preset: str | None
    auto_mask: AutoMask | None
    file: FileOptions
    handling: Handling
    webhook: Webhook | None
    metadata: dict[str, Any]
    files: dict[str, list[File]]


def read_submission(body: Body, settings: ApiSettings, gallery: Gallery) -> Submission:
    """The fields of a request.

    Raises:
        Problem: 422 with every field that is unknown, missing, repeated or of a bad value.
    """
    reader = _JobReader(body)
    options = reader.engine_options(settings)
    reader.check_images(options, settings)
    submission = Submission(
        method=reader.method,
        options=options,
        given=frozenset(reader.texts.keys() & ALL_OPTIONS.keys() | reader.preset_options.keys()),
        style_ids=tuple(reader.style_ids),
        preset=reader.preset,
        auto_mask=reader.auto_mask(),
        file=reader.file_options(),
        handling=read_handling(reader, settings),
        webhook=read_webhook(reader, settings),
        metadata=reader.metadata(),
        files=reader.files,
    )
    if reader.errors:
        raise invalid_fields(list(reader.errors.items()))
    for style_id in submission.style_ids:
        try:
            style = gallery[style_id]
            if isinstance(options, FastOptions):
                options.check_strokes(style.style_sizes)
        except UnknownStyle as error:
            raise invalid_fields([("style_id", f"{error}; GET /styles lists them")], error.code) from None
        except InvalidOptions as error:
            raise invalid_fields([("style_size", f"{error} ({style_id})")]) from None
    return submission


class _JobReader(FormReader):
    """Besides, the fields of the other engine are refused.

    Attributes:
        method: the engine; when none is named, what the style tells.
        preset: the name of a set of options, which single fields override.
    """

    def __init__(self, body: Body) -> None:
        super().__init__(body, files=FILES, texts=HINTS | _OTHER_FIELDS, repeatable=_LISTS, links=LINKS)
        named = self.texts.get("method", [""])[0]
        drafted = self.texts.get("init") == ["fast"]
        self.method: Engine = "fast" if "style_id" in self.texts and not drafted else "gatys"
        if named in METHODS:
            self.method = named
        elif "method" in self.texts:
            self.refuse("method", f"must be one of {', '.join(METHODS)}")
        for name in self.texts | self.files:
            if self.method not in METHODS_OF.get(name, METHODS):
                self.refuse(name, f"goes with method={' or '.join(METHODS_OF[name])} only{self._why_method()}")
        if self.method == "fast":
            self.require("style_id")
        elif "style_id" in self.texts and not drafted:
            self.refuse("style_id", "goes with method=fast, or with init=fast")
        self.preset = self.text("preset")
        if self.preset is not None and self.preset not in PRESETS:
            self.refuse("preset", f"must be one of {', '.join(PRESETS)}")
            self.preset = None
        self.style_ids = [part.strip() for text in self.texts.get("style_id", []) for part in text.split(",")]

    @property
    def preset_options(self) -> Mapping[str, Any]:
        """The options of the preset, if one was named."""
        return PRESETS[self.preset].options if self.preset else {}

    def _why_method(self) -> str:
        """What made the method what it is, when it was not named."""
        if "method" in self.texts:
            return ""
        return f"; {'a' if self.method == 'fast' else 'no'} style_id makes it method={self.method}"

    def engine_options(self, settings: ApiSettings) -> GatysOptions | FastOptions:
        """The engine's options, within the server's own bounds."""
        engine = ENGINE_OPTIONS[self.method]
        defaults: dict[str, Any] = {"encoder": settings.default_encoder} if engine is GatysOptions else {}
        values = defaults | dict(self.preset_options) | self.values(engine)
        for name in ("size", "style_size"):
            self.bound(name, values, settings.max_size, "NST_MAX_SIZE")
        options = self.options(engine, values) or engine()
        if isinstance(options, GatysOptions) and (options.init == "image") != ("init_image" in self.files):
            missing, needless = "is required for init=image", "goes with init=image only"
            self.refuse("init_image", missing if options.init == "image" else needless)
        if isinstance(options, GatysOptions) and options.snapshots > settings.max_snapshots:
            most = f"{settings.max_snapshots} at most (NST_MAX_SNAPSHOTS)"
            self.refuse("snapshot_every", f"makes {options.snapshots} snapshots; this server keeps {most}")
        return options

    def auto_mask(self) -> AutoMask | None:
        """What a mask shall be found for, if it shall."""
        text = self.text("auto_mask")
        if text is None:
            return None
        if text not in AUTO_MASKS:
            self.refuse("auto_mask", f"must be one of {', '.join(AUTO_MASKS)}")
        elif "mask" in self.files:
            self.refuse("auto_mask", "is instead of a mask, not besides one")
        return cast(AutoMask, text)

    def check_images(self, options: GatysOptions | FastOptions, settings: ApiSettings) -> None:
        """Refuse images that are missing, and numbers of styles and masks that the options do not fit."""
        masks = 1 if "auto_mask" in self.texts else len(self.files.get("mask", []))
        if not isinstance(options, GatysOptions) or options.needs_content(masks=masks):
            self.require("content")
        if isinstance(options, GatysOptions) and options.uses_style:
            self.require("style")
        styles = len(self.style_ids if self.method == "fast" else self.files.get("style", []))
        most = settings.max_job_styles
        if styles > most:
            self.refuse(
                "style_id" if self.method == "fast" else "style", f"must be {most} at most (NST_MAX_JOB_STYLES)"
            )
        try:
            if isinstance(options, GatysOptions):
                options.check_draft(style_ids=len(self.style_ids), styles=styles)
            options.check_images(styles=styles, masks=masks)
        except InvalidOptions as error:
            self.refuse(
                "auto_mask" if error.field == "mask" and "auto_mask" in self.texts else error.field or "", str(error)
            )

    def file_options(self) -> FileOptions:
        """How the result is written."""
        output_format = self.text("output_format") or DEFAULT_FORMAT
        if output_format not in get_args(OutputFormat):
            self.refuse("output_format", f"must be one of {', '.join(get_args(OutputFormat))}")
        try:
            return FileOptions(
                output_format=cast(OutputFormat, output_format),
                quality=self._quality(lossy=output_format in LOSSY_FORMATS),
                bit_depth=self._bit_depth(),
                keep_metadata=self.truth("keep_metadata"),
            )
        except InvalidOptions as error:
            self.refuse(error.field or "", str(error))
            return FileOptions()

    def _quality(self, *, lossy: bool) -> int | None:
        text = self.text("quality")
        if text is None:
            return DEFAULT_QUALITY if lossy else None
        if not (_PERCENT.fullmatch(text) and 1 <= int(text) <= 100):
            self.refuse("quality", "must be a whole number between 1 and 100")
            return None
        return int(text)

    def _bit_depth(self) -> BitDepth:
        text = self.text("bit_depth")
        for depth in BIT_DEPTHS:
            if text == str(depth):
                return depth
        if text is not None:
            self.refuse("bit_depth", f"must be one of {', '.join(map(str, BIT_DEPTHS))}")
        return 8


def resolve_size(submission: Submission, width: int, height: int, settings: ApiSettings) -> GatysOptions | FastOptions:
    """The options with the sizes in force, for an image of this size that gives the aspect ratio.

    A job that names no size is painted at this image's own, within the server's bounds and default.
    """
    options = submission.options
    if "size" not in submission.given:
        most = min(settings.default_size, settings.max_size)
        options = replace(options, size=default_long_side(width, height, most))
    if isinstance(options, GatysOptions) and options.style_size is None:
        options = replace(options, style_size=options.size)
    return options
