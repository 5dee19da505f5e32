"""Keys of requests in a real Redis."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from jobs.contract import Job, JobInput, Urls, new_job_id, now
from jobs.idempotency import Claims, fingerprint


@pytest.fixture
def claims(redis_url: str) -> Iterator[Claims]:
    claims = Claims.connect(redis_url)
    yield claims
    claims.close()


def job(**changes: Any) -> Job:
    job_id = new_job_id()
    made_of = JobInput(params={"size": 64}, content_sha256="a", style_sha256=["b"])
    values = {"id": job_id, "created_at": now(), "input": made_of, "urls": Urls.of(job_id), **changes}
    return Job(**values)


def test_a_fingerprint_is_of_what_was_sent() -> None:
    assert fingerprint(job()) == fingerprint(job())
    others = [
        job(metadata={"a": 1}),
        job(priority="high"),
        job(ttl_seconds=5),
        job(method="fast"),
        job(input=JobInput(params={"size": 65}, content_sha256="a", style_sha256=["b"])),
        job(input=JobInput(params={"size": 64}, content_sha256="a", style_sha256=["c"])),
    ]
    assert len({fingerprint(one) for one in [job(), *others]}) == 7


def test_the_first_request_has_the_key(claims: Claims) -> None:
    first, second = job(), job()
    assert not claims.is_known("me", "k")
    assert claims.claim("me", "k", first, 60).job_id == first.id
    assert claims.is_known("me", "k")
    assert claims.claim("me", "k", second, 60).job_id == first.id
    assert claims.claim("you", "k", second, 60).job_id == second.id
    assert claims.claim("me", "K", second, 60).job_id == second.id


def test_a_key_can_be_released_by_its_own_job_only(claims: Claims) -> None:
    first, second = job(), job()
    claims.claim("me", "k", first, 60)
    claims.release("me", "k", second.id)
    assert claims.claim("me", "k", second, 60).job_id == first.id
    claims.release("me", "k", first.id)
    assert claims.claim("me", "k", second, 60).job_id == second.id
    claims.release("me", "other", first.id)


def test_a_key_tells_whether_its_job_is_stored(claims: Claims, redis_url: str) -> None:
    first, second = job(), job()
    assert not claims.claim("me", "k", first, 60).stored
    claims.confirm("me", "k", first)
    stored = claims.claim("me", "k", second, 60)
    assert (stored.job_id, stored.stored) == (first.id, True)
    claims.confirm("me", "expired", first)
    assert not claims.claim("me", "expired", second, 60).stored
    with redis.Redis.from_url(redis_url) as client:
        assert all(0 < client.ttl(key) <= 60 for key in client.scan_iter())


def test_a_key_can_be_renewed_once(claims: Claims) -> None:
    first, second, third = job(), job(), job()
    old = claims.claim("me", "k", first, 60)
    assert claims.renew("me", "k", second, old, 60)
    assert not claims.renew("me", "k", third, old, 60)
    assert claims.claim("me", "k", third, 60).job_id == second.id
