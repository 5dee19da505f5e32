"""Fields of forms and of JSON objects: from what a client sent to checked values.

What JSON says in types of its own becomes the text that a form would send, once it is seen that the types are right.
From there on there is one way for both.
"""

import json
import re
from collections.abc import Collection, Mapping
from functools import cache
from types import UnionType
from typing import Any, Literal, Protocol, Self, TypeVar, cast, get_args, get_origin, get_type_hints

from starlette.datastructures import FormData

from api.body import Body
from api.links import File, Link
from api.multipart import MAX_FIELD_BYTES
from nst_core.errors import InvalidOptions

MAX_METADATA_BYTES = 4096
MAX_METADATA_DEPTH = 8

#: For each type of a field, what JSON may hold, and how that is called.
_JSON_TYPES: dict[type, tuple[tuple[type, ...], str]] = {
    str: ((str,), "a text"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    bool: ((bool,), "true or false"),
    dict: ((dict,), "a JSON object"),
}

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")


class Options(Protocol):
    """A class of options, as ``nst_core.options`` has them."""

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], /) -> Self:
        """From names and values; raises InvalidOptions."""


T = TypeVar("T", bound=Options)

#: Of a class, kept: to find them takes longer than to read a form.
_type_hints = cache(get_type_hints)


class FormReader:
    """Takes a body apart and gathers all that is wrong with it.

    Args:
        files: the fields that must be files.
        texts: the others, with the type of each: JSON must be of it.
        repeatable: those of files and texts that may be sent more than once.
        links: fields with URLs of files, and the file fields that they stand for.

    Attributes:
        texts, files: what was sent, by field name.
        errors: the first thing that is wrong with each field.
    """

    def __init__(
        self,
        body: Body,
        *,
        files: Collection[str],
        texts: Mapping[str, Any],
        repeatable: Collection[str],
        links: Mapping[str, str] | None = None,
    ) -> None:
        self.texts: dict[str, list[str]] = {}
        self.files: dict[str, list[File]] = {}
        self.errors: dict[str, str] = {}
        if isinstance(body, FormData):
            links = links or {}
            self._take_form(body)
        else:  # there a file field stands for itself
            links = {name: name for name in files} | dict(links or {})
            self._take_object(body, {name for name, target in links.items() if target in repeatable}, links, texts)
        for name, target in links.items():
            self._take_urls(name, target, target in repeatable)
        for name in self.texts | self.files:
            if name not in files and name not in texts:
                self.refuse(name, "there is no such field")
            elif name in files and name in self.texts:
                self.refuse(name, "must be a file")
            elif name not in files and name in self.files:
                self.refuse(name, "must not be a file")
            elif len(self.files.get(name, self.texts.get(name, []))) > 1 and name not in repeatable:
                self.refuse(name, "must be sent once")

    def _take_form(self, form: FormData) -> None:
        for name, value in form.multi_items():
            if isinstance(value, str):
                self.texts.setdefault(name, []).append(value)
            elif value.filename or value.size:  # browsers send an empty file for an input that was left alone
                self.files.setdefault(name, []).append(value)

    def _take_object(
        self, body: Mapping[str, Any], lists: Collection[str], links: Collection[str], texts: Mapping[str, Any]
    ) -> None:
        for name, value in body.items():
            try:
                if name in links:
                    self.texts[name] = _as_urls(value, listed=name in lists)
                else:
                    self.texts[name] = _as_texts(texts[name], value) if name in texts else [""]
            except ValueError as error:
                self.refuse(name, str(error))
                self.texts[name] = [""]

    def _take_urls(self, name: str, target: str, repeated: bool) -> None:
        """Make the URLs of a field files of another."""
        links = [Link(name, url) for url in self.texts.pop(name, [])]
        if links and target in self.files:
            self.refuse(name, f"is instead of {target}, not besides it")
        elif len(links) > 1 and not repeated:
            self.refuse(name, "must be sent once")
        elif not all(link.is_known for link in links):
            self.refuse(name, "must be an http, https or data: URL")
        if links:
            self.files.setdefault(target, [*links])

    def refuse(self, name: str, detail: str) -> None:
        """Note what is wrong with a field, unless something is already."""
        self.errors.setdefault(name, detail)

    def bound(self, name: str, values: Mapping[str, Any], most: int, setting: str) -> None:
        """Note that a number is more than this server's setting allows, if it was sent and is."""
        if values.get(name, 0) > most:
            self.refuse(name, f"must be at most {most} on this server ({setting}), not {values[name]}")

    def require(self, name: str) -> None:
        """Note that a field is missing, if it is."""
        if name not in self.files | self.texts:
            self.refuse(name, "is required")

    def text(self, name: str) -> str | None:
        """A field that is sent once, if it was and nothing is wrong with it."""
        return self.texts[name][0] if name in self.texts and name not in self.errors else None

    def truth(self, name: str) -> bool:
        """A field that is true or false; false when it was not sent."""
        return bool(self._parsed(name, bool))

    def whole_number(self, name: str) -> int | None:
        """A field that is a whole number; None when it was not sent, or is none."""
        return cast(int | None, self._parsed(name, int))

    def _parsed(self, name: str, hint: Any) -> Any:
        """A field in this type; None when it was not sent, or something is wrong with it."""
        if name not in self.texts or name in self.errors:
            return None
        try:
            return _parse(hint, self.texts[name])
        except ValueError as error:
            self.refuse(name, str(error))
            return None

    def values(self, options: type[Options]) -> dict[str, Any]:
        """The options of this class that were sent and can be read, by name."""
        read = {name: self._parsed(name, hint) for name, hint in _type_hints(options).items()}
        return {name: value for name, value in read.items() if value is not None}

    def options(self, options: type[T], values: Mapping[str, Any]) -> T | None:
        """The options made of these values; None when they are refused."""
        try:
            return options.from_mapping(values)
        except InvalidOptions as error:
            self.refuse(error.field or "", str(error))
        # Of several numbers out of their bounds each is told, not the first alone.
        for name, value in values.items():
            if isinstance(value, int | float):
                try:
                    options.from_mapping({name: value})
                except InvalidOptions as error:
                    if error.field == name:
                        self.refuse(name, str(error))
        return None

    def metadata(self) -> dict[str, Any]:
        """The client's own object."""
        text = self.text("metadata")
        try:
            return {} if text is None else _parse_metadata(text)
        except ValueError as error:
            self.refuse("metadata", str(error))
            return {}


def _as_urls(value: Any, *, listed: bool) -> list[str]:
    urls = value if isinstance(value, list) and listed else [value]
    if not all(isinstance(url, str) for url in urls):
        raise ValueError("must be a URL, or a list of URLs" if listed else "must be a URL")
    return urls


def _as_texts(hint: Any, value: Any) -> list[str]:
    """What a form would send for a value of JSON; raises ValueError when it is not in the type of ``hint``."""
    if get_origin(hint) is not tuple:
        return [_as_text(hint, value)]
    texts = [_as_text(get_args(hint)[0], item) for item in (value if isinstance(value, list) else [value])]
    if any(not text or "," in text for text in texts):
        raise ValueError("must be a list, without commas in its items")
    return texts or [""]


def _as_text(hint: Any, value: Any) -> str:
    if get_origin(hint) is UnionType:
        hint = get_args(hint)[0]
    if get_origin(hint) is Literal:
        hint = type(get_args(hint)[0])
    types, told = _JSON_TYPES[hint]
    if type(value) not in types:
        raise ValueError(f"must be {told}")
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        raise ValueError("is nested too deep") from None
    if len(text.encode()) > MAX_FIELD_BYTES:
        raise ValueError(f"must be at most {MAX_FIELD_BYTES} bytes")
    return text


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
    if _is_deeper(value, MAX_METADATA_DEPTH):
        raise ValueError(f"must not be nested deeper than {MAX_METADATA_DEPTH} levels")
    return value


def _is_deeper(value: Any, levels: int) -> bool:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return items is not None and (levels == 0 or any(_is_deeper(item, levels - 1) for item in items))
