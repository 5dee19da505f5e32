"""The form of a job as a JSON schema, for the OpenAPI document."""

from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from api.forms import DEFAULT_FORMAT, FILES, MAX_METADATA_BYTES
from api.settings import ApiSettings
from nst_core.options import DEFAULT_QUALITY, LOSSY_FORMATS, OPTIONS, GatysOptions, OutputFormat

_HINTS = get_type_hints(GatysOptions)


def form_schema(settings: ApiSettings) -> dict[str, Any]:
    """The form as the JSON schema of a multipart body, for the OpenAPI document."""
    properties: dict[str, Any] = {
        name: {"type": "string", "format": "binary", "description": description}
        for name, (_, description) in FILES.items()
    }
    properties["method"] = {"type": "string", "enum": ["gatys"], "default": "gatys", "description": "The engine."}
    for name, option in OPTIONS.items():
        properties[name] = {
            **_schema(_HINTS[name], option.metadata),
            "description": option.metadata["description"],
            "default": option.default,
        }
        if option.default is None:
            del properties[name]["default"]
    properties["encoder"]["default"] = settings.default_encoder
    properties["size"]["description"] += (
        f" Default: the content's own, at most {min(settings.default_size, settings.max_size)}."
    )
    del properties["size"]["default"]
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
        "required": [name for name, (required, _) in FILES.items() if required],
        "properties": properties,
        "additionalProperties": False,
    }


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
