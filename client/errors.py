"""What goes wrong with a service.

ServiceError
├── RequestRefused  the server answered with a problem
├── Unreachable     there was no answer
└── JobFailed       a job has not ended with a picture
"""

from typing import Any


class ServiceError(Exception):
    """Something went wrong with the service."""


class Unreachable(ServiceError):
    """The server cannot be reached, or broke off."""


class RequestRefused(ServiceError):
    """The server refused a request.

    Args:
        status: of the answer.
        problem: its document (RFC 9457), empty if it has none.
        retry_after: seconds after which it is worth asking again; None if the server did not say.
    """

    def __init__(self, status: int, problem: dict[str, Any], retry_after: int | None = None) -> None:
        self.status = status
        self.problem = problem
        self.retry_after = retry_after
        told = problem.get("detail") or problem.get("title") or f"the server answered {status}"
        fields = (f"{e['pointer'].removeprefix('#/')}: {e['detail']}" for e in problem.get("errors", []))
        super().__init__("\n".join([told, *fields]))

    @property
    def code(self) -> str | None:
        """What it is, for programs."""
        return self.problem.get("code")


class JobFailed(ServiceError):
    """A job did not succeed."""
