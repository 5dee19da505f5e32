"""The front end as a process of its own: ``uvicorn --factory api.server:serve --http h11 --no-access-log``."""

from fastapi import FastAPI

from api.app import create_app
from api.settings import ApiSettings
from jobs import logs


def serve() -> FastAPI:
    """The application with the settings of the environment, whose process logs as they say."""
    settings = ApiSettings()
    logs.set_up(settings)
    return create_app(settings)
