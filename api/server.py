"""The front end as a process of its own: ``uvicorn --factory api.server:serve --http h11 --no-access-log``."""

import gc

from fastapi import FastAPI

from api.app import create_app
from api.settings import ApiSettings
from jobs import logs


def serve() -> FastAPI:
    """The application with the settings of the environment, whose process logs as they say."""
    settings = ApiSettings()
    logs.set_up(settings)
    app = create_app(settings)
    # What is there by now stays. To go through it for garbage again and again takes a tenth of a second each time, in
    # which nothing is answered.
    gc.collect()
    gc.freeze()
    return app
