"""A message in the hands of a worker's parent process."""

from typing import Any

from celery.worker.request import Request
from typing_extensions import override

from jobs.logs import about


class JobRequest(Request):
    """One about a job, which is its first argument: what the parent logs of the end of its process names the job."""

    @override
    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        with about(self.args[0]):
            return super().on_failure(exc_info, send_failed_event, return_ok)

    @override
    def on_timeout(self, soft: bool, timeout: float) -> None:
        with about(self.args[0]):
            super().on_timeout(soft, timeout)
