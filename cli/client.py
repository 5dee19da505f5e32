"""A small client of the HTTP contract."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from time import sleep
from types import TracebackType
from typing import Any, Self

import httpx

#: Seconds between two looks at a job.
POLL_EVERY = 0.3

#: Names of this machine, for which no proxy of the environment is asked.
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class RequestRefused(Exception):
    """The server refused a request, or cannot be reached."""


class JobFailed(Exception):
    """A job did not succeed."""


class Client:
    """Talks to a running service; a context manager.

    Raises:
        RequestRefused: every method, with the server's own explanation.
    """

    def __init__(self, url: str, api_key: str | None = None) -> None:
        self.url = url.rstrip("/")
        proxied = httpx.URL(self.url).host not in LOOPBACK
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(base_url=self.url, timeout=60, trust_env=proxied, headers=headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def submit(self, files: Iterable[tuple[str, Path]], fields: Mapping[str, Any]) -> dict[str, Any]:
        """``POST /jobs``: the job as accepted.

        Args:
            files: (field, file), of which some fields may come several times.
        """
        sent = [(name, (path.name, path.read_bytes())) for name, path in files]
        return self._json("POST", "/jobs", files=sent, data={k: _as_field(v) for k, v in fields.items()})

    def job(self, job_id: str) -> dict[str, Any]:
        """``GET /jobs/{id}``."""
        return self._json("GET", f"/jobs/{job_id}")

    def watch(self, job_id: str) -> Iterator[dict[str, Any]]:
        """The job again and again until it has ended."""
        while True:
            job = self.job(job_id)
            yield job
            if job["status"] in ("succeeded", "failed", "canceled"):
                return
            sleep(POLL_EVERY)

    def result(self, job_id: str) -> bytes:
        """``GET /jobs/{id}/result``: the picture's file."""
        return self._request("GET", f"/jobs/{job_id}/result").content

    def snapshots(self, job_id: str) -> list[int]:
        """``GET /jobs/{id}/snapshots``: the steps of which there is a picture."""
        return [snapshot["step"] for snapshot in self._json("GET", f"/jobs/{job_id}/snapshots")["items"]]

    def snapshot(self, job_id: str, name: int | str) -> bytes:
        """``GET /jobs/{id}/snapshots/{name}``: the file of a step, of the ``sheet`` or of the ``animation``."""
        return self._request("GET", f"/jobs/{job_id}/snapshots/{name}").content

    def cancel(self, job_id: str) -> dict[str, Any]:
        """``POST /jobs/{id}/cancel``."""
        return self._json("POST", f"/jobs/{job_id}/cancel")

    def _json(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        document: dict[str, Any] = self._request(method, path, **arguments).json()
        return document

    def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise RequestRefused(f"{self.url} cannot be reached: {error}") from None
        if response.is_error:
            raise RequestRefused(_explanation(response))
        return response


def _as_field(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _explanation(response: httpx.Response) -> str:
    try:
        problem = response.json()
        lines = [problem.get("detail") or problem["title"]]
        lines += [f"{e['pointer'].removeprefix('#/')}: {e['detail']}" for e in problem.get("errors", [])]
        return "\n".join(lines)
    except (ValueError, KeyError, AttributeError):
        return f"the server answered {response.status_code}"
