"""A receiver of webhooks: an HTTP server on the loopback that answers as it is told to and keeps what it gets."""

from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Self

from standardwebhooks import Webhook, WebhookVerificationError

#: A key for tests.
SECRET = "whsec_" + "c2VjcmV0" * 4

#: What was received, or what is wrong with its signature.
Message = dict[str, Any] | WebhookVerificationError


class Receiver:
    """A context manager.

    Args:
        answers: the statuses of its answers, in order; the last one again and again.  None is no answer at all.
        headers: of each answer.
    """

    def __init__(self, answers: Iterable[int | None] = (200,), headers: dict[str, str] | None = None) -> None:
        self._received: list[tuple[str, dict[str, str], bytes, Message]] = []
        self._answers, self._headers, self._closing = list(answers), headers or {}, Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver._received.append((self.path, headers, body, _verified(headers, body)))
                status = receiver._answers.pop(0) if len(receiver._answers) > 1 else receiver._answers[0]
                if status is None:
                    receiver._closing.wait(60)
                    return
                self.send_response(status)
                for name, value in receiver._headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def host(self) -> str:
        """As NST_URL_ALLOWED_HOSTS names it."""
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        """Where it is; the query is a secret."""
        return f"http://{self.host}/painted?key=hunter2"

    @property
    def requests(self) -> list[tuple[str, dict[str, str], bytes]]:
        """Path, headers and body of what it got so far."""
        return [(path, headers, body) for path, headers, body, _ in list(self._received)]

    def messages(self) -> list[dict[str, Any]]:
        """What it got so far.

        Raises:
            WebhookVerificationError: one of the signatures was wrong, or old, when it came.
        """
        messages = []
        for *_, message in list(self._received):
            if isinstance(message, WebhookVerificationError):
                raise message
            messages.append(message)
        return messages

    def ids(self) -> list[str]:
        """The ids of what it got so far."""
        return [headers["webhook-id"] for _, headers, _ in self.requests]

    def hang_up(self) -> None:
        """Close the connections that wait for an answer."""
        self._closing.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _verified(headers: dict[str, str], body: bytes) -> Message:
    """At the moment when it comes: a signature is good for some minutes."""
    try:
        return Webhook(SECRET).verify(body, headers)  # type: ignore[no-any-return]
    except WebhookVerificationError as error:
        return error
