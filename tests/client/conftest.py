"""The real application, as the tests of the API have it."""

from tests.api.conftest import celery, make_client, picture, png, serve, store

__all__ = ["celery", "make_client", "picture", "png", "serve", "store"]
