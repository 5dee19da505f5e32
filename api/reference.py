"""``/docs``: the OpenAPI document as a page to read, which loads nothing and runs nothing."""

import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from api.middleware import CONTENT_SECURITY_POLICY

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-top: 1px solid #8884 }
h2 { margin-top: 2.5rem } h3 { margin-top: 2rem } code { font-size: .95em }
"""

_POLICY = f"{CONTENT_SECURITY_POLICY}; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'"


def add_reference(app: FastAPI) -> None:
    """Serve the page at ``/docs``."""

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(reference_page(app.openapi()), headers={"Content-Security-Policy": _POLICY})


def reference_page(document: dict[str, Any]) -> str:
    """An OpenAPI document as HTML."""
    about = document["info"]
    title = escape(f"{about['title']} {about['version']}")
    return "\n".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{title}</title><style>{_STYLE}</style>",
            f"<h1>{title}</h1>{_text(about.get('description', ''))}",
            '<p>For programs: <a href="openapi.json">openapi.json</a>.</p>',
            *_operations(document),
        ]
    )


def _operations(document: dict[str, Any]) -> Iterator[str]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
            yield f"<p><b>{escape(operation['summary'])}</b></p>{_text(operation.get('description', ''))}"
            parameters = operation.get("parameters", ())
            yield _table(("parameter", "in", "type", "meaning"), map(_parameter, parameters))
            for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
                yield f"<h3>Body, <code>{escape(media_type)}</code></h3>"
                fields = _resolved(content["schema"], document).get("properties", {})
                yield _table(("field", "type", "meaning"), (_field(*item) for item in fields.items()))
            answers = ((status, answer["description"]) for status, answer in operation["responses"].items())
            yield _table(("status", "answer"), answers)


def _parameter(parameter: dict[str, Any]) -> tuple[str, ...]:
    return f"`{parameter['name']}`", parameter["in"], _kind(parameter["schema"]), parameter.get("description", "")


def _field(name: str, schema: dict[str, Any]) -> tuple[str, ...]:
    return f"`{name}`", _kind(schema), schema.get("description", "")


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    resolved: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return resolved


def _kind(schema: dict[str, Any]) -> str:
    """The type of a value in words, with its bounds."""
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    name = "file" if schema.get("format") == "binary" else schema.get("type", schema.get("$ref", "").rpartition("/")[2])
    bounds = [f"{word} {schema[bound]}" for bound, word in (("minimum", "from"), ("maximum", "to")) if bound in schema]
    return " ".join([name, *bounds])


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [f"<tr>{''.join(f'<td>{_inline(cell)}' for cell in row)}" for row in rows]
    return f"<table><tr>{''.join(f'<th>{cell}' for cell in head)}{''.join(lines)}</table>" if lines else ""


def _text(markdown: str) -> str:
    return "".join(f"<p>{_inline(paragraph)}</p>" for paragraph in markdown.split("\n\n") if paragraph)


def _inline(markdown: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(markdown))
