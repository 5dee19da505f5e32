"""The OpenAPI document, true to what the service answers."""

from typing import Any

from fastapi import FastAPI

from api.errors import MEDIA_TYPE


class DocumentedAPI(FastAPI):
    """FastAPI, whose document knows that problems have a media type of their own and that it is the only shape."""

    def openapi(self) -> dict[str, Any]:
        """The document; made once."""
        if self.openapi_schema is None:
            schema = super().openapi()
            for operations in schema["paths"].values():
                for operation in operations.values():
                    _correct_responses(operation["responses"])
            for unused in ("HTTPValidationError", "ValidationError"):
                schema["components"]["schemas"].pop(unused, None)
        document: dict[str, Any] = self.openapi_schema or schema
        return document


def _correct_responses(responses: dict[str, Any]) -> None:
    for status in [status for status in responses if status >= "4"]:
        content = responses[status].get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        if schema.get("$ref", "").endswith("/HTTPValidationError"):
            del responses[status]  # FastAPI adds it to every endpoint with a parameter
        elif schema:
            responses[status]["content"] = {MEDIA_TYPE: content["application/json"]}
