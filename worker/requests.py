"""A message in the hands of a worker's parent process."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from celery.worker.request import Request
from typing_extensions import override

from jobs.logs import about


class JobRequest(Request):
    """One about a job, which is its argument: what the parent logs of the end of its process names the job."""

    @override
    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        with self._about_its_job():
            return super().on_failure(exc_info, send_failed_event, return_ok)

    @override
    def on_timeout(self, soft: bool, timeout: float) -> None:
        with self._about_its_job():
            super().on_timeout(soft, timeout)

    def _about_its_job(self) -> AbstractContextManager[None]:
        match self.args:
            case [str(job_id)]:
                return about(job_id)
        return nullcontext()  # a message that is no job's
