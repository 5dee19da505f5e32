"""The OpenAPI document, true to what the service answers."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from api.errors import MEDIA_TYPE
from api.examples import add_examples
from api.guard import OPEN

#: How a key is sent, where there are keys.
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."},
}

_PROBLEM = {"application/json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}


class DocumentedAPI(FastAPI):
    """FastAPI, whose document knows that problems have a media type of their own and that it is the only shape.

    Args:
        guarded: whether callers need a key.
        limited: whether they have limits.
    """

    def __init__(self, *, guarded: bool, limited: bool, **more: Any) -> None:
        super().__init__(**more)
        # Before a request reaches its endpoint.
        self._refusals = [401] * guarded + [411, 429, 503] * limited
        self._guarded = guarded

    def openapi(self) -> dict[str, Any]:
        """The document; made once."""
        if self.openapi_schema is None:
            schema = super().openapi()
            for path, operations in schema["paths"].items():
                for operation in operations.values():
                    self._add_refusals(operation, is_open=path in OPEN)
                    _correct_responses(operation["responses"])
                    add_examples(path, operation)
            for webhook in schema["webhooks"].values():
                for operation in webhook.values():
                    _correct_responses(operation["responses"])
            for unused in ("HTTPValidationError", "ValidationError"):
                schema["components"]["schemas"].pop(unused, None)
            if self._guarded:
                schema["components"]["securitySchemes"] = _SCHEMES
        document: dict[str, Any] = self.openapi_schema or schema
        return document

    def _add_refusals(self, operation: dict[str, Any], *, is_open: bool) -> None:
        for status in [403, 431] if is_open else [403, 431, *self._refusals]:
            refusal = {"description": HTTPStatus(status).phrase, "content": dict(_PROBLEM)}
            operation["responses"].setdefault(str(status), refusal)
        if self._guarded and not is_open:
            operation["security"] = [{name: []} for name in _SCHEMES]


def _correct_responses(responses: dict[str, Any]) -> None:
    for status in [status for status in responses if status >= "4"]:
        content = responses[status].get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        if schema.get("$ref", "").endswith("/HTTPValidationError"):
            del responses[status]  # FastAPI adds it to every endpoint with a parameter
        elif schema:
            responses[status]["content"] = {MEDIA_TYPE: content["application/json"]}
