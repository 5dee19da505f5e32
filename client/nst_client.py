"""A client of the HTTP contract."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, NamedTuple, Self
from uuid import uuid4

import httpx

from client.errors import RequestRefused, Unreachable

#: A job's document, as docs/api.md describes it.
Job = dict[str, Any]

#: A file on this machine, the bytes of one, or the URL of one that the server shall fetch.
Picture = Path | bytes | str

FINAL = ("succeeded", "failed", "canceled")

#: Seconds between two looks at a job.
POLL_EVERY = 0.3

#: Seconds until what broke off is asked for again.
RECONNECT_AFTER = 1.0

#: Times that a call is tried again which the server could not serve at the moment, or which broke off.
RETRIES = 5

#: There is no connection, or no more.  Not that there was no answer for long.
BROKE_OFF = (httpx.NetworkError, httpx.RemoteProtocolError)

#: The code with which a request is refused whose like is just being accepted: the one that broke off.
BEING_ACCEPTED = "idempotency_key_in_use"

#: Seconds; when the server asks for more patience than that, its refusal is the answer.
LONGEST_PAUSE = 30

#: The code with which a stream of events is refused; the job can be asked for all the same.
TOO_MANY_STREAMS = "too_many_streams"

#: Names of this machine, for which no proxy of the environment is asked.
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Event(NamedTuple):
    """An event of a job: ``status``, ``progress``, ``preview`` or ``done``."""

    name: str
    data: dict[str, Any]
    id: str


class NSTClient:
    """Talks to a running service; a context manager.

    Every call is tried again when the server says 503 and that it is worth coming back soon, and when the connection
    breaks off.  No job is made twice by that: each is sent with an ``Idempotency-Key`` of its own.

    Args:
        url: where the service is, with the path under which a proxy serves it.
        api_key: where the server asks for one.

    Raises:
        RequestRefused: every method, with the server's problem document.
        Unreachable: every method, when there is no answer, also after some seconds.
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
        self.close()

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    def submit(
        self,
        content: Picture | None = None,
        style: Picture | None = None,
        *,
        style_id: str | None = None,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Job:
        """``POST /jobs``: the job as accepted.

        Args:
            content: the picture to paint.  Text is always a URL, here and of the style; a file of this machine is
                named by a ``Path``.
            style: the painting.
            style_id: a style of the gallery instead.
            idempotency_key: sent again with the same request, it is answered with the same job, also after this
                program was started anew; by default one for each call.
            options: the other fields; lists and ``metadata`` are sent as such, ``None`` is not sent.  Files of other
                fields go with :meth:`submit_files`.
        """
        given = {"content": content, "style": style}
        files = [(name, picture) for name, picture in given.items() if isinstance(picture, Path | bytes)]
        urls = {f"{name}_url": picture for name, picture in given.items() if isinstance(picture, str)}
        return self.submit_files(files, {**urls, "style_id": style_id, **options}, idempotency_key)

    def submit_files(
        self,
        files: Iterable[tuple[str, Path | bytes]],
        fields: Mapping[str, Any],
        idempotency_key: str | None = None,
    ) -> Job:
        """``POST /jobs`` with files for any fields, of which some may come several times: the job as accepted."""
        # A file without a name is a field.  As fields they would be sent in a form of another type where no file is.
        parts: list[tuple[str, Any]] = [
            (name, (None, _as_field(value))) for name, value in fields.items() if value is not None
        ]
        parts += [(name, (file.name, file.read_bytes()) if isinstance(file, Path) else file) for name, file in files]
        headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
        return self._json("POST", "/jobs", files=parts, headers=headers)

    def get(self, job_id: str) -> Job:
        """``GET /jobs/{id}``: the job as it is now."""
        return self._json("GET", f"/jobs/{job_id}")

    def list_jobs(self, **filters: Any) -> Iterator[Job]:
        """``GET /jobs``: the jobs, newest first, page after page; ``status`` and ``method`` choose some."""
        page: dict[str, Any] = {"next_cursor": None}
        while page["next_cursor"] or "items" not in page:
            cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else {}
            page = self._json("GET", "/jobs", params={**filters, **cursor})
            yield from page["items"]

    def poll(self, job_id: str) -> Iterator[Job]:
        """The job again and again until it has ended."""
        while True:
            job = self.get(job_id)
            yield job
            if job["status"] in FINAL:
                return
            sleep(POLL_EVERY)

    def events(self, job_id: str, timeout: float | None = None) -> Iterator[Event]:
        """``GET /jobs/{id}/events``: what becomes of the job, ``done`` at last; goes on where a stream broke off.

        Raises:
            RequestRefused: also when the job was deleted meanwhile.
            Unreachable: several streams one after the other brought nothing at all.
            TimeoutError: the job has not ended within so many seconds; told when the server says something next, as it
                does every 15 seconds unless its settings say otherwise.
        """
        deadline = monotonic() + timeout if timeout is not None else float("inf")
        had, failures = "", 0
        while True:
            pause: float = RECONNECT_AFTER
            left = deadline - monotonic()
            if left <= 0:
                raise TimeoutError(f"job {job_id} has not ended within {timeout:g} s")
            try:
                for event in self._stream(job_id, had, min(60.0, left)):
                    failures = 0
                    if event is not None:
                        had = event.id
                        yield event
                        if event.name == "done":
                            return
                    if monotonic() > deadline:
                        break
            except RequestRefused as refused:
                failures += 1
                asked_for = _pause(refused)
                if asked_for is None or refused.code == TOO_MANY_STREAMS or failures > RETRIES:
                    raise
                pause = asked_for
            except httpx.TransportError as error:  # there is nobody, it broke off, or nothing came for long
                failures += 1
                if failures > RETRIES:
                    raise Unreachable(f"{self.url} cannot be reached: {error}") from None
            sleep(max(0.0, min(pause, deadline - monotonic())))

    def wait(self, job_id: str, timeout: float | None = None) -> Job:
        """The job when it has ended, by its events, or by asking again and again where the server has no stream left.

        Raises:
            TimeoutError: it has not ended within so many seconds.
        """
        began = monotonic()
        try:
            for event in self.events(job_id, timeout):
                if event.name == "done":
                    return event.data
        except RequestRefused as refused:
            if refused.code != TOO_MANY_STREAMS:
                raise
        for job in self.poll(job_id):
            if job["status"] in FINAL:
                return job
            if timeout is not None and monotonic() - began > timeout:
                break
        raise TimeoutError(f"job {job_id} has not ended within {timeout:g} s")

    def result(self, job_id: str) -> bytes:
        """``GET /jobs/{id}/result``: the picture's file."""
        return self._request("GET", f"/jobs/{job_id}/result").content

    def thumbnail(self, job_id: str, side: int = 320) -> bytes:
        """``GET /jobs/{id}/thumbnail``: the picture as a JPEG, whose longest side has so many pixels at most."""
        return self._request("GET", f"/jobs/{job_id}/thumbnail", params={"side": side}).content

    def input(self, job_id: str, sha256: str) -> bytes:
        """``GET /jobs/{id}/inputs/{sha256}``: a file that was sent, by its digest in the job's ``input``."""
        return self._request("GET", f"/jobs/{job_id}/inputs/{sha256}").content

    def input_thumbnail(self, job_id: str, sha256: str, side: int = 320) -> bytes:
        """``GET /jobs/{id}/inputs/{sha256}/thumbnail``: that file as a JPEG, as :meth:`thumbnail`."""
        return self._request("GET", f"/jobs/{job_id}/inputs/{sha256}/thumbnail", params={"side": side}).content

    def preview(self, job_id: str) -> bytes:
        """``GET /jobs/{id}/preview``: the latest intermediate picture, a JPEG."""
        return self._request("GET", f"/jobs/{job_id}/preview").content

    def snapshots(self, job_id: str) -> list[int]:
        """``GET /jobs/{id}/snapshots``: the steps of which there is a picture."""
        return [snapshot["step"] for snapshot in self._json("GET", f"/jobs/{job_id}/snapshots")["items"]]

    def snapshot(self, job_id: str, name: int | str) -> bytes:
        """``GET /jobs/{id}/snapshots/{name}``: the file of a step, of the ``sheet`` or of the ``animation``."""
        return self._request("GET", f"/jobs/{job_id}/snapshots/{name}").content

    def cancel(self, job_id: str) -> Job:
        """``POST /jobs/{id}/cancel``: the job, which ends at once or soon."""
        return self._json("POST", f"/jobs/{job_id}/cancel")

    def delete(self, job_id: str) -> None:
        """``DELETE /jobs/{id}``: the job is forgotten with all its pictures."""
        self._request("DELETE", f"/jobs/{job_id}")

    def _stream(self, job_id: str, had: str, read_timeout: float) -> Iterator[Event | None]:
        """The events of one connection; None for what else shows that the server is there."""
        headers = {"Last-Event-ID": had} if had else {}
        timeout = httpx.Timeout(60, read=read_timeout)
        with self._http.stream("GET", f"/jobs/{job_id}/events", headers=headers, timeout=timeout) as response:
            if response.is_error:
                response.read()
                raise _refusal(response)
            fields: dict[str, str] = {}
            for line in response.iter_lines():
                name, _, value = line.partition(": ")
                fields[name] = value
                if not line:
                    if "event" in fields:
                        data = json.loads(fields["data"])
                        if fields["event"] == "gone":
                            raise RequestRefused(data["status"], data)
                        yield Event(fields["event"], data, fields["id"])
                    else:
                        yield None
                    fields = {}
        raise httpx.RemoteProtocolError("the stream ended before the job")

    def _json(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        document: dict[str, Any] = self._request(method, path, **arguments).json()
        return document

    def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        for tries_left in reversed(range(RETRIES + 1)):
            try:
                response = self._http.request(method, path, **arguments)
            except httpx.HTTPError as error:
                # A second DELETE would not find what the first one has forgotten.
                again = isinstance(error, BROKE_OFF) and method != "DELETE"
                if not tries_left or not again:
                    raise Unreachable(f"{self.url} cannot be reached: {error}") from None
                sleep(RECONNECT_AFTER)
                continue
            if not response.is_error:
                break
            refused = _refusal(response)
            pause = _pause(refused)
            if pause is None or not tries_left:
                raise refused
            sleep(pause)
        return response


def _pause(refused: RequestRefused) -> int | None:
    """Seconds after which what was refused is asked for again; None when that is the answer."""
    later = refused.status == 503 or (refused.status == 409 and refused.code == BEING_ACCEPTED)
    after = refused.retry_after
    return after if later and after is not None and after <= LONGEST_PAUSE else None


def _as_field(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    if isinstance(value, Mapping):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _refusal(response: httpx.Response) -> RequestRefused:
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    after = response.headers.get("Retry-After", "")
    return RequestRefused(
        response.status_code,
        problem if isinstance(problem, dict) else {},
        int(after) if after.isascii() and after.isdigit() else None,
    )
