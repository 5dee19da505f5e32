"""The log of a process."""

import json
import logging
import threading
from contextvars import copy_context

import pytest
from pydantic import ValidationError

from jobs import logs
from jobs.settings import Settings

JOB = "01K00000000000000000000000"

logger = logging.getLogger("jobs.test")


pytestmark = pytest.mark.usefixtures("logging_as_before")


def written(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_lines_carry_the_job_where_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(Settings())
    logger.info("before")
    with logs.about(JOB):
        logger.info("within")
        logger.info("job %s: says so itself", JOB)
        thread = threading.Thread(target=copy_context().run, args=(logger.info, "in a thread"))
        thread.start()
        thread.join()
    logger.info("after")
    lines = [line.partition("jobs.test] ")[2] for line in written(capsys).splitlines()]
    assert lines == [
        "before",
        f"within (job {JOB})",
        f"job {JOB}: says so itself",
        f"in a thread (job {JOB})",
        "after",
    ]


def test_lines_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(Settings(log_format="json"))
    with logs.about(JOB):
        logger.info("painting %d", 1, extra={"status": 200})
        try:
            raise RuntimeError("redis://:hunter2@host/0")
        except RuntimeError:
            logger.exception("failed")
    first, second = map(json.loads, written(capsys).splitlines())
    assert first.pop("time").endswith("+00:00")
    expected = {"level": "INFO", "logger": "jobs.test", "message": "painting 1", "job_id": JOB, "status": 200}
    assert first == expected | {"request_id": None}
    assert second["level"] == "ERROR"
    assert "RuntimeError: redis://***@host/0" in second["trace"]


def test_nothing_below_the_level_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(Settings(log_level="WARNING"))
    logger.info("small talk")
    logger.warning("grave")
    assert [line.partition("] ")[2] for line in written(capsys).splitlines()] == ["grave"]


def test_a_servers_own_handlers_give_way(capsys: pytest.CaptureFixture[str]) -> None:
    server = logging.getLogger("uvicorn")
    server.addHandler(logging.StreamHandler())
    logs.set_up(Settings())
    logging.getLogger("uvicorn.error").info("started")
    logging.getLogger("httpx").info("asked https://host/?key=secret")
    logging.getLogger("tifffile").error("what a file says")
    assert [line.partition("] ")[2] for line in written(capsys).splitlines()] == ["started"]


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize(
    ("told", "logged"),
    [
        ("at https://host/hook?token=secret&b=1#part", "at https://host/hook?***#part"),
        ("at redis://user:secret@host:6379/0, again", "at redis://***@host:6379/0, again"),
        ("at unix:///run/redis.sock?password=secret", "at unix:///run/redis.sock?***"),
        ("Authorization: Bearer secret", "Authorization: Bearer ***"),
        ("{'X-API-Key': 'secret'}", "{'X-API-Key': '***'}"),
        ("nothing of that: a?b c@d", "nothing of that: a?b c@d"),
    ],
)
def test_secrets_are_left_out(capsys: pytest.CaptureFixture[str], told: str, logged: str, log_format: str) -> None:
    logs.set_up(Settings.model_validate({"log_format": log_format}))
    logger.info(told)
    line = written(capsys).rstrip("\n")
    assert (json.loads(line)["message"] if log_format == "json" else line.partition("] ")[2]) == logged


@pytest.mark.parametrize("values", [{"log_format": "xml"}, {"log_level": "LOUD"}])
def test_formats_and_levels_that_do_not_exist_are_refused(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(values)
