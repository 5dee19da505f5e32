"""The errors of the job contract.

JobsError
├── UnknownJob         no job has this id
├── ExpiredJob         the job was there and its time is over
├── UnreadableJob      the job is there, as another version has written it
├── JobNotFinished     its result is asked for too early
├── TooManyJobs        its owner has as many jobs waiting and running as may be
├── StoreUnavailable   Redis cannot be reached
│   └── StoreFull          it answers, and writes nothing
├── StyleExists        the id of a style is taken
├── TooManyStyles      users have added as many styles as may be
├── StyleNotRemovable  the style is not a user's, or not this one's
├── LeaseLost          another worker has taken this job over, or it was deleted
└── OutboundError      a URL that a client named cannot be had
    ├── ForbiddenURL       it may not be fetched or called
    ├── UnreachableURL     nobody answers there
    ├── UnusableAnswer     somebody does, with something else
    ├── URLTimeout         it takes too long
    └── URLTooLarge        there are too many bytes
"""


class JobsError(Exception):
    """Something went wrong with a job."""

    code = "internal"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__class__.__doc__)


class UnknownJob(JobsError):
    """There is no job with this id."""

    code = "job_not_found"


class ExpiredJob(JobsError):
    """The job has expired; its images are gone."""

    code = "job_expired"


class UnreadableJob(JobsError):
    """The job was written by another version of the program, which this one cannot read."""

    code = "job_unreadable"


class JobNotFinished(JobsError):
    """The job has no result yet."""

    code = "job_not_finished"


class TooManyJobs(JobsError):
    """As many jobs wait and run as may be."""

    code = "too_many_jobs"


class StoreUnavailable(JobsError):
    """The job store cannot be reached at the moment."""

    code = "store_unavailable"


class StoreFull(StoreUnavailable):
    """The job store takes nothing more at the moment."""

    code = "store_full"


class StyleExists(JobsError):
    """There is a style of this id already."""

    code = "style_exists"


class TooManyStyles(JobsError):
    """Users have added as many styles as may be."""

    code = "too_many_styles"

    def __init__(self, most: int) -> None:
        limit = f"{most} styles of users, with those in training, which is the limit of this server (NST_MAX_STYLES)"
        super().__init__(f"There are {limit}; delete one first.")


class StyleNotRemovable(JobsError):
    """The style belongs to the gallery of this server, or to somebody else."""

    code = "style_not_removable"


class LeaseLost(JobsError):
    """The job was deleted, or another worker works on it now."""

    code = "lease_lost"


class OutboundError(JobsError):
    """A URL cannot be fetched or called."""


class ForbiddenURL(OutboundError):
    """The URL may not be fetched or called."""

    code = "url_not_allowed"


class UnreachableURL(OutboundError):
    """Nobody answers at the URL."""

    code = "url_unreachable"


class UnusableAnswer(OutboundError):
    """The URL's answer is not the file that was expected."""

    code = "url_bad_answer"


class URLTimeout(OutboundError):
    """The URL took too long."""

    code = "url_timeout"


class URLTooLarge(OutboundError):
    """There are too many bytes at the URL."""

    code = "url_too_large"
