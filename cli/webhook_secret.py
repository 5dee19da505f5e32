"""The key of webhooks that ``nst up`` makes for itself."""

import os
import tempfile
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_bytes

_VARIABLE = "NST_WEBHOOK_SECRET"

#: In the data folder, readable by its owner only.
_FILE = "webhook-secret"


def webhook_secret(data_dir: Path, environment: Mapping[str, str] = os.environ) -> str:
    """The key in force: ``NST_WEBHOOK_SECRET``, else the one in the data folder, which is made when there is none.

    Raises:
        OSError: it can neither be read nor made.
    """
    named = environment.get(_VARIABLE)
    if named:
        return named
    path = data_dir / _FILE
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=data_dir) as file:  # mode 600
            file.write(f"whsec_{b64encode(token_bytes(32)).decode()}\n")
            file.flush()
            # Never half a key, and of two that are made at the same time only one.
            with suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_text().strip()
