"""The web page at ``/``, and what it is made of below ``/page/``.

It may live below any path, so that all its addresses are relative.  The files are those of the folder ``api/page``, as
they are: nothing is built.
"""

import gzip
import hashlib
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

from api.entity import matches
from api.errors import Problem

#: What the files are, by how their names end.  Others are not served.
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

#: It runs and loads what is its own, shows pictures that it fetched or made, and makes nothing of text but text.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        *("default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob: data:"),
        *("connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"),
        *("require-trusted-types-for 'script'", "trusted-types 'none'"),
    )
)

_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Vary": "Accept-Encoding",
    "Cache-Control": "no-cache",  # kept, but asked for again: after an update all files are of one version
}

_FOLDER = Path(__file__).parents[1] / "page"

#: By their names below the folder: nothing else of the disk has a name here.
FILES = {
    path.relative_to(_FOLDER).as_posix(): path for path in sorted(_FOLDER.rglob("*")) if path.suffix in MEDIA_TYPES
}

router = APIRouter(include_in_schema=False)


@router.get("/")
def get_page(request: Request) -> Response:
    """The page itself."""
    return _file_response(request, "index.html")


@router.get("/page/{name:path}")
def get_page_file(name: str, request: Request) -> Response:
    """A script, a style sheet or a picture of it."""
    return _file_response(request, name)


def _file_response(request: Request, name: str) -> Response:
    if name not in FILES:
        raise Problem(404, "not_found", "Not Found")
    path = FILES[name]
    file = path.stat()
    data, compressed, etag = _forms(path, file.st_mtime_ns, file.st_size)
    encoding: dict[str, str] = {}
    if "gzip" in request.headers.get("accept-encoding", ""):  # to a third
        data, etag, encoding = compressed, f"{etag}-gzip", {"Content-Encoding": "gzip"}
    headers = {**_HEADERS, "ETag": f'"{etag}"'}
    if matches(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=MEDIA_TYPES[path.suffix], headers=headers | encoding)


@lru_cache(maxsize=2 * len(FILES))
def _forms(path: Path, changed_ns: int, size: int) -> tuple[bytes, bytes, str]:
    """A file as it is and compressed, and its SHA-256; made anew when it has changed since."""
    data = path.read_bytes()
    return data, gzip.compress(data, mtime=0), hashlib.sha256(data).hexdigest()
