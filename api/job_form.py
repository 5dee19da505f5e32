"""The form of ``POST /jobs``."""

import re
from dataclasses import dataclass, replace
from typing import Any, cast, get_args, get_origin, get_type_hints

from starlette.datastructures import FormData, UploadFile

from api.errors import invalid_fields
from api.forms import FormReader
from api.settings import ApiSettings
from jobs.contract import ENGINE_OPTIONS, Engine
from nst_core.errors import UnknownStyle
from nst_core.gallery import Gallery
from nst_core.options import (
    DEFAULT_QUALITY,
    FAST_OPTIONS,
    LOSSY_FORMATS,
    OPTIONS,
    FastOptions,
    GatysOptions,
    OutputFormat,
    default_long_side,
)

#: The file fields.
FILES = {
    "content": "The image to paint. It is turned upright by its EXIF orientation; its transparency is the result's.",
    "style": "The image whose style is taken; required for `method=gatys`.",
    "init_image": "The image that the optimisation starts from; with `init=image` only.",
}

METHODS: tuple[Engine, ...] = get_args(Engine)

#: The options of all engines by name; one that they share means the same.
ALL_OPTIONS = OPTIONS | FAST_OPTIONS

#: For which engines a field is; those that are not here are for all.
METHODS_OF: dict[str, tuple[Engine, ...]] = {
    "style": ("gatys",),
    "init_image": ("gatys",),
    "style_id": ("fast",),
    **{name: tuple(m for m in METHODS if name in get_type_hints(ENGINE_OPTIONS[m])) for name in ALL_OPTIONS},
}

DEFAULT_FORMAT: OutputFormat = "png"

_OTHER_FIELDS = ("method", "style_id", "output_format", "quality", "metadata")

#: The types of the options' values.
HINTS = get_type_hints(GatysOptions) | get_type_hints(FastOptions)

#: Fields that may be sent more than once.
_LISTS = frozenset(name for name, hint in HINTS.items() if get_origin(hint) is tuple)

_PERCENT = re.compile(r"[0-9]{1,3}")


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What a client asked for, checked as far as it can be without looking at the images.

    Attributes:
        method: the engine.
        options: the engine's, with their defaults; ``size`` and ``style_size`` are in force only if ``given`` names
            them.
        given: names of the options that were sent.
        style_id: a style of the gallery, for the fast engine.
        quality: 1 to 100; None for formats that lose nothing.
        files: by field name; one each.
    """

    method: Engine
    options: GatysOptions | FastOptions
    given: frozenset[str]
    style_id: str | None
    output_format: OutputFormat
    quality: int | None
    metadata: dict[str, Any]
    files: dict[str, UploadFile]


def read_submission(form: FormData, settings: ApiSettings, gallery: Gallery) -> Submission:
    """The fields of a form.

    Raises:
        Problem: 422 with every field that is unknown, missing, repeated or of a bad value.
    """
    reader = _JobReader(form)
    options = reader.engine_options(settings)
    output_format, quality = reader.output()
    submission = Submission(
        method=reader.method,
        options=options,
        given=frozenset(reader.texts.keys() & ALL_OPTIONS.keys()),
        style_id=reader.text("style_id"),
        output_format=output_format,
        quality=quality,
        metadata=reader.metadata(),
        files={name: sent[0] for name, sent in reader.files.items()},
    )
    if reader.errors:
        raise invalid_fields(list(reader.errors.items()))
    if submission.style_id is not None:
        try:
            _ = gallery[submission.style_id]
        except UnknownStyle as error:
            raise invalid_fields([("style_id", f"{error}; GET /styles lists them")], error.code) from None
    return submission


class _JobReader(FormReader):
    """Besides, the fields of the other engine are refused.

    Attributes:
        method: the engine; when none is named, what the style tells.
    """

    def __init__(self, form: FormData) -> None:
        super().__init__(form, files=FILES, texts={*ALL_OPTIONS, *_OTHER_FIELDS}, repeatable=_LISTS)
        named = self.texts.get("method", [""])[0]
        self.method: Engine = "fast" if "style_id" in self.texts else "gatys"
        if named in METHODS:
            self.method = named
        elif "method" in self.texts:
            self.refuse("method", f"must be one of {', '.join(METHODS)}")
        for name in self.texts | self.files:
            if self.method not in METHODS_OF.get(name, METHODS):
                self.refuse(name, f"goes with method={' or '.join(METHODS_OF[name])} only{self._why_method()}")
        for name in ("content", "style" if self.method == "gatys" else "style_id"):
            self.require(name)

    def _why_method(self) -> str:
        """What made the method what it is, when it was not named."""
        if "method" in self.texts:
            return ""
        return f"; {'a' if self.method == 'fast' else 'no'} style_id makes it method={self.method}"

    def engine_options(self, settings: ApiSettings) -> GatysOptions | FastOptions:
        """The engine's options, within the server's own bounds."""
        engine = ENGINE_OPTIONS[self.method]
        defaults: dict[str, Any] = {"encoder": settings.default_encoder} if engine is GatysOptions else {}
        values = defaults | self.values(engine)
        for name in ("size", "style_size"):
            self.bound(name, values, settings.max_size, "NST_MAX_SIZE")
        options = self.options(engine, values) or engine()
        if isinstance(options, GatysOptions) and (options.init == "image") != ("init_image" in self.files):
            self.refuse("init_image", "goes with init=image, and only with it")
        return options

    def output(self) -> tuple[OutputFormat, int | None]:
        """The format of the result and its quality; None where there is none to choose."""
        output_format = self.text("output_format") or DEFAULT_FORMAT
        if output_format not in get_args(OutputFormat):
            self.refuse("output_format", f"must be one of {', '.join(get_args(OutputFormat))}")
        lossy = output_format in LOSSY_FORMATS
        quality = DEFAULT_QUALITY if lossy else None
        text = self.text("quality")
        if text is not None:
            if not lossy:
                self.refuse("quality", f"goes with output_format {' or '.join(LOSSY_FORMATS)} only")
            elif _PERCENT.fullmatch(text) and 1 <= int(text) <= 100:
                quality = int(text)
            else:
                self.refuse("quality", "must be a whole number between 1 and 100")
        return cast(OutputFormat, output_format), quality


def resolve_size(submission: Submission, width: int, height: int, settings: ApiSettings) -> GatysOptions | FastOptions:
    """The options with the sizes in force, for a content image of this size.

    A job that names no size is painted at its content's own, within the server's bounds and default.
    """
    options = submission.options
    if "size" not in submission.given:
        most = min(settings.default_size, settings.max_size)
        options = replace(options, size=default_long_side(width, height, most))
    if isinstance(options, GatysOptions) and options.style_size is None:
        options = replace(options, style_size=options.size)
    return options
