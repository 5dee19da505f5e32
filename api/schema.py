"""The form of a job as a JSON schema, for the OpenAPI document."""

from types import UnionType
from typing import Any, Literal, get_args, get_origin

from api.forms import ALL_OPTIONS, DEFAULT_FORMAT, FILES, HINTS, MAX_METADATA_BYTES, METHODS, METHODS_OF
from api.settings import ApiSettings
from nst_core.options import DEFAULT_QUALITY, LOSSY_FORMATS, OutputFormat


def form_schema(settings: ApiSettings) -> dict[str, Any]:
    """The form as the JSON schema of a multipart body, for the OpenAPI document."""
    properties: dict[str, Any] = {
        name: {"type": "string", "format": "binary", "description": description} for name, description in FILES.items()
    }
    properties["style_id"] = {
        "type": "string",
        "description": "A style of the gallery (`GET /styles`) instead of a style image; required for `method=fast`.",
    }
    properties["method"] = {
        "type": "string",
        "enum": list(METHODS),
        "description": "The engine: optimisation of the image, or one pass of a trained network. "
        "Default: fast with a `style_id`, else gatys.",
    }
    # Forms that are made from this document send every default that it states.  So it states none that one of the
    # engines would refuse.
    defaults = {name: option.default for name, option in ALL_OPTIONS.items()} | {"encoder": settings.default_encoder}
    defaults["size"] = None
    for name, option in ALL_OPTIONS.items():
        properties[name] = {**_schema(HINTS[name], option.metadata), "description": option.metadata["description"]}
        if METHODS_OF[name] != METHODS:
            properties[name]["description"] += f" For method={METHODS_OF[name][0]}.{_stated(defaults[name])}"
        elif defaults[name] is not None:
            properties[name]["default"] = defaults[name]
    properties["size"]["description"] += (
        f" Default: the content's own, at most {min(settings.default_size, settings.max_size)}."
    )
    for name in ("size", "style_size"):
        properties[name]["maximum"] = settings.max_size
    properties["output_format"] = {
        "type": "string",
        "enum": list(get_args(OutputFormat)),
        "default": DEFAULT_FORMAT,
        "description": "File format of the result.",
    }
    properties["quality"] = {
        "type": "integer",
        "minimum": 1,
        "maximum": 100,
        "description": f"Quality of the result's file, for {' and '.join(LOSSY_FORMATS)} only. "
        f"Default: {DEFAULT_QUALITY}.",
    }
    properties["metadata"] = {
        "type": "string",
        "contentMediaType": "application/json",
        "description": f"A JSON object of the client's own that the job carries; at most {MAX_METADATA_BYTES} bytes.",
        "examples": ['{"order": 17}'],
    }
    return {
        "type": "object",
        "required": ["content"],
        "properties": properties,
        "additionalProperties": False,
    }


def _stated(default: Any) -> str:
    """A default in words, if there is one."""
    if default in (None, ()):
        return ""
    if isinstance(default, tuple):
        default = ",".join(default)
    return f" Default: {str(default).lower() if isinstance(default, bool) else default}."


def _schema(hint: Any, limits: Any) -> dict[str, Any]:
    """The JSON schema of one option's type and bounds."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return _schema(arguments[0], limits)
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0], limits)}
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    schema: dict[str, Any] = {"type": {int: "integer", float: "number", bool: "boolean", str: "string"}[hint]}
    if limits["minimum"] is not None:
        schema["minimum"] = limits["minimum"]
    if limits["maximum"] is not None:
        schema["maximum"] = limits["maximum"]
    return schema
