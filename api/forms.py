"""The fields of a job's form: from what a client sent to checked values."""

import json
import re
from dataclasses import dataclass, replace
from types import UnionType
from typing import Any, cast, get_args, get_origin, get_type_hints

from starlette.datastructures import FormData, UploadFile

from api.errors import invalid_fields
from api.settings import ApiSettings
from jobs.contract import ENGINE_OPTIONS, Method
from nst_core.errors import InvalidOptions, UnknownStyle
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
    "content": "The image to paint. It is turned upright by its EXIF orientation; transparency becomes white.",
    "style": "The image whose style is taken; required for `method=gatys`.",
    "init_image": "The image that the optimisation starts from; with `init=image` only.",
}

METHODS: tuple[Method, ...] = get_args(Method)

#: The options of all engines by name; one that they share means the same.
ALL_OPTIONS = OPTIONS | FAST_OPTIONS

#: For which engines a field is; those that are not here are for all.
METHODS_OF: dict[str, tuple[Method, ...]] = {
    "style": ("gatys",),
    "init_image": ("gatys",),
    "style_id": ("fast",),
    **{name: tuple(m for m in METHODS if name in get_type_hints(ENGINE_OPTIONS[m])) for name in ALL_OPTIONS},
}

DEFAULT_FORMAT: OutputFormat = "png"

MAX_METADATA_BYTES = 4096
MAX_METADATA_DEPTH = 8

_OTHER_FIELDS = ("method", "style_id", "output_format", "quality", "metadata")

#: The types of the options' values.
HINTS = get_type_hints(GatysOptions) | get_type_hints(FastOptions)

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")


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

    method: Method
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
    reader = _Reader(form)
    options = reader.options(settings)
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


class _Reader:
    """Takes a form apart and gathers all that is wrong with it.

    Attributes:
        texts, files: what was sent, by field name.
        method: the engine; when none is named, what the style tells.
        errors: the first thing that is wrong with each field.
    """

    def __init__(self, form: FormData) -> None:
        self.texts: dict[str, list[str]] = {}
        self.files: dict[str, list[UploadFile]] = {}
        self.errors: dict[str, str] = {}
        for name, value in form.multi_items():
            if isinstance(value, str):
                self.texts.setdefault(name, []).append(value)
            elif value.filename or value.size:  # browsers send an empty file for an input that was left alone
                self.files.setdefault(name, []).append(value)
        named = self.texts.get("method", [""])[0]
        self.method: Method = "fast" if "style_id" in self.texts else "gatys"
        if named in METHODS:
            self.method = named
        elif "method" in self.texts:
            self.refuse("method", f"must be one of {', '.join(METHODS)}")
        for name in self.texts | self.files:
            if name not in FILES and name not in ALL_OPTIONS and name not in _OTHER_FIELDS:
                self.refuse(name, "there is no such field")
            elif name in FILES and name in self.texts:
                self.refuse(name, "must be a file")
            elif name not in FILES and name in self.files:
                self.refuse(name, "must not be a file")
            elif len(self.files.get(name, self.texts.get(name, []))) > 1 and not _is_list(name):
                self.refuse(name, "must be sent once")
            elif self.method not in METHODS_OF.get(name, METHODS):
                self.refuse(name, f"goes with method={' or '.join(METHODS_OF[name])} only{self._why_method()}")
        for name in ("content", "style" if self.method == "gatys" else "style_id"):
            if name not in self.files | self.texts:
                self.refuse(name, "is required")

    def _why_method(self) -> str:
        """What made the method what it is, when it was not named."""
        if "method" in self.texts:
            return ""
        return f"; {'a' if self.method == 'fast' else 'no'} style_id makes it method={self.method}"

    def refuse(self, name: str, detail: str) -> None:
        """Note what is wrong with a field, unless something is already."""
        self.errors.setdefault(name, detail)

    def text(self, name: str) -> str | None:
        """A field that is sent once, if it was and nothing is wrong with it."""
        return self.texts[name][0] if name in self.texts and name not in self.errors else None

    def options(self, settings: ApiSettings) -> GatysOptions | FastOptions:
        """The engine's options, within the server's own bounds."""
        engine = ENGINE_OPTIONS[self.method]
        values: dict[str, Any] = {"encoder": settings.default_encoder} if engine is GatysOptions else {}
        for name in get_type_hints(engine):
            if name in self.texts and name not in self.errors:
                try:
                    values[name] = _parse(HINTS[name], self.texts[name])
                except ValueError as error:
                    self.refuse(name, str(error))
        for name in ("size", "style_size"):
            if values.get(name, 0) > settings.max_size:
                limit = f"must be at most {settings.max_size} on this server (NST_MAX_SIZE)"
                self.refuse(name, f"{limit}, not {values[name]}")
        try:
            options = engine.from_mapping(values)
        except InvalidOptions as error:
            self.refuse(error.field or "", str(error))
            return engine()
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
            elif _WHOLE_NUMBER.fullmatch(text) and 1 <= int(text) <= 100:
                quality = int(text)
            else:
                self.refuse("quality", "must be a whole number between 1 and 100")
        return cast(OutputFormat, output_format), quality

    def metadata(self) -> dict[str, Any]:
        """The client's own object."""
        text = self.text("metadata")
        try:
            return {} if text is None else _parse_metadata(text)
        except ValueError as error:
            self.refuse("metadata", str(error))
            return {}


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


def _is_list(name: str) -> bool:
    return name in HINTS and get_origin(HINTS[name]) is tuple


def _parse(hint: Any, texts: list[str]) -> Any:
    """The value of a field, in the type of ``hint``; its bounds are the options' affair."""
    if get_origin(hint) is tuple:
        items = [item.strip() for text in texts for item in text.split(",")]
        return () if items == [""] else tuple(_parse(get_args(hint)[0], [item]) for item in items)
    if get_origin(hint) is UnionType:
        return _parse(get_args(hint)[0], texts)
    (text,) = texts
    if hint is bool:
        if text not in ("true", "false"):
            raise ValueError("must be true or false")
        return text == "true"
    if hint is int:
        if not _WHOLE_NUMBER.fullmatch(text):
            raise ValueError("must be a whole number")
        return int(text)
    if hint is float:
        if not _NUMBER.fullmatch(text):
            raise ValueError("must be a number")
        return float(text)
    return text


def _parse_metadata(text: str) -> dict[str, Any]:
    if len(text.encode()) > MAX_METADATA_BYTES:
        raise ValueError(f"must be at most {MAX_METADATA_BYTES} bytes")
    try:
        value = json.loads(text)
        # What JSON cannot carry on: numbers that are not finite, halves of surrogate pairs.
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise ValueError("must be a JSON object") from None
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")
    if _depth(value) > MAX_METADATA_DEPTH:
        raise ValueError(f"must not be nested deeper than {MAX_METADATA_DEPTH} levels")
    return value


def _depth(value: Any) -> int:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if items is None else 1 + max(map(_depth, items), default=0)
