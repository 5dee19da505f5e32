"""What requests bring as JSON schemas, for the OpenAPI document."""

from types import UnionType
from typing import Any, Literal, get_args, get_origin

from api import style_form, webhook_form
from api.body import FORM_TYPE, JSON_TYPE
from api.forms import MAX_METADATA_BYTES
from api.handling_form import handling_schema
from api.job_form import (
    ALL_OPTIONS,
    AUTO_MASKS,
    BIT_DEPTHS,
    DEFAULT_FORMAT,
    FILES,
    HINTS,
    LINKS,
    MANY_FILES,
    METHODS,
    METHODS_OF,
)
from api.settings import ApiSettings
from nst_core.file_options import DEEP_FORMATS
from nst_core.gallery import STYLE_ID
from nst_core.options import DEFAULT_QUALITY, LOSSY_FORMATS, OutputFormat
from nst_core.presets import PRESETS

#: What is told of a field of `POST /jobs` besides: for which methods it is, and the default in force where `default`
#: does not state it.
EXTENSIONS = ("x-methods", "x-default")

#: What a file is where no file can be sent.
_URL = "an http or https URL, which this server fetches, or a data: URL with base64."


def request_body(form: dict[str, Any]) -> dict[str, Any]:
    """The body of a request: these fields, in a form or in JSON."""
    as_json = {**form, "properties": {name: _in_json(schema) for name, schema in form["properties"].items()}}
    return {"required": True, "content": {FORM_TYPE: {"schema": form}, JSON_TYPE: {"schema": as_json}}}


def _in_json(schema: dict[str, Any]) -> dict[str, Any]:
    """What JSON has for a field of a form: URLs for files, objects, and lists of which one item may stand alone."""
    told = {name: schema[name] for name in ("description", "default", *EXTENSIONS) if name in schema}
    if schema.get("format") == "binary":
        description = f"{schema['description']} Here {_URL}" if "description" in schema else f"Here {_URL}"
        return {**schema, "format": "uri", "description": description}
    if "contentMediaType" in schema:
        return {"type": "object", "examples": [{"order": 17}]} | told
    if schema["type"] == "array":
        item, several = _in_json(schema["items"]), {name: value for name, value in schema.items() if name not in told}
        return {"anyOf": [item, several | {"items": item}]} | told
    return schema


def job_form_schema(settings: ApiSettings) -> dict[str, Any]:
    """The form of `POST /jobs`."""
    properties: dict[str, Any] = {
        name: {"type": "string", "format": "binary", "description": description} for name, description in FILES.items()
    }
    for name, target in LINKS.items():
        properties[name] = {"type": "string", "format": "uri", "description": f"Instead of `{target}`: {_URL}"}
    for name in (*MANY_FILES, *(name for name, target in LINKS.items() if target in MANY_FILES)):
        file = properties[name]
        description = file.pop("description")
        most = settings.max_job_styles
        properties[name] = {"type": "array", "items": file, "maxItems": most, "description": description}
    properties["style_id"] = {
        "type": "array",
        "items": {"type": "string"},
        "maxItems": settings.max_job_styles,
        "description": "A style of the gallery (`GET /styles`) instead of a style image; required for `method=fast`. "
        "Several blend, or each has its `mask`.",
    }
    properties["preset"] = {
        "type": "string",
        "enum": list(PRESETS),
        "description": "A named set of options (`GET /presets`), which single fields override. For method=gatys.",
    }
    properties["auto_mask"] = {
        "type": "string",
        "enum": list(AUTO_MASKS),
        "description": "Find a mask for the one style, of the content's subject or background (see `POST /masks`).",
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
    properties["bit_depth"] = {
        "type": "integer",
        "enum": list(BIT_DEPTHS),
        "default": 8,
        "description": f"Bits per channel of the result's file; 16 for {' and '.join(DEEP_FORMATS)} only.",
    }
    properties["keep_metadata"] = {
        "type": "boolean",
        "default": False,
        "description": "Copy the content's EXIF data (camera, date, place) into the result's file. "
        "A tiff of bit_depth 16 cannot.",
    }
    properties |= webhook_form.SCHEMA
    properties |= handling_schema(settings)
    properties["metadata"] = _METADATA
    defaults |= {"quality": DEFAULT_QUALITY, "webhook_events": webhook_form.DEFAULT_EVENTS}
    for name, schema in properties.items():
        properties[name] = schema | _extensions(name, defaults.get(name) if "default" not in schema else None)
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def style_form_schema(settings: ApiSettings) -> dict[str, Any]:
    """The form of `POST /styles`."""
    painting, photograph = (
        {"type": "string", "format": "binary", "description": description} for description in style_form.FILES.values()
    )
    properties: dict[str, Any] = {
        "id": {
            "type": "string",
            "pattern": f"^{STYLE_ID.pattern}$",
            "description": "The style's id, for `style_id` of a job.",
        },
        "style": painting,
        "photograph": {"type": "array", "items": photograph, "maxItems": style_form.MAX_PHOTOGRAPHS},
    }
    for name, description in style_form.ABOUT.items():
        properties[name] = {"type": "string", "maxLength": style_form.MAX_TEXT, "description": description}
    properties["keep_color"] = {
        "type": "boolean",
        "default": False,
        "description": "Learn the strokes, and keep the colours of the photographs.",
    }
    limit = style_form.most_minutes(settings)
    defaults = {"steps": settings.default_training_steps, "minutes": limit}
    for name, option in style_form.OPTIONS.items():
        properties[name] = {
            **_schema(style_form.HINTS[name], option.metadata),
            "description": option.metadata["description"],
            "default": defaults.get(name, option.default),
        }
    properties["minutes"]["maximum"] = limit
    properties |= webhook_form.SCHEMA
    properties |= handling_schema(settings)
    properties["metadata"] = _METADATA
    return {
        "type": "object",
        "required": ["id", "style"],
        "properties": properties,
        "additionalProperties": False,
    }


_METADATA = {
    "type": "string",
    "contentMediaType": "application/json",
    "description": f"A JSON object of the client's own that the job carries; at most {MAX_METADATA_BYTES} bytes.",
    "examples": ['{"order": 17}'],
}


def _extensions(name: str, default: Any) -> dict[str, Any]:
    """What is told of a field besides what OpenAPI knows."""
    told: dict[str, Any] = {"x-methods": list(METHODS_OF.get(LINKS.get(name, name), METHODS))}
    if default not in (None, ()):
        told["x-default"] = list(default) if isinstance(default, tuple) else default
    return told


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
