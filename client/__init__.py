"""A client of the service, for programs: ``from client import NSTClient``."""

from client.errors import JobFailed, RequestRefused, ServiceError, Unreachable
from client.nst_client import Event, Job, NSTClient

__all__ = ["Event", "Job", "JobFailed", "NSTClient", "RequestRefused", "ServiceError", "Unreachable"]
