"""Jobs that are there: read, list, cancel, forget."""

import hashlib
import io
from datetime import timedelta
from typing import Any

import pytest
import redis
from PIL import Image

from jobs.contract import Job, JobError, JobInput, Output, Progress, Status, Urls, new_job_id, now
from jobs.protocol import Store

RESULT = b"\x89PNG result"
SHA256 = hashlib.sha256(RESULT).hexdigest()


@pytest.fixture
def job_id(store: Store) -> str:
    return add_job(store)


def add_job(store: Store) -> str:
    job_id = new_job_id()
    job_input = JobInput(params={"size": 64}, content_sha256="c", style_sha256=["s"])
    store.create(Job(id=job_id, created_at=now(), input=job_input, urls=Urls.of(job_id)), {"content": b"c"})
    return job_id


def succeed(store: Store, job_id: str) -> None:
    store.start(job_id, "a")
    output = Output(
        url=f"jobs/{job_id}/result", media_type="image/png", width=64, height=48, bytes=len(RESULT), sha256=SHA256
    )
    store.finish(job_id, "a", status=Status.SUCCEEDED, output=output, result=RESULT)


def test_a_job_tells_when_to_ask_again_until_it_is_finished(client, store: Store, job_id: str) -> None:
    response = client.get(f"/jobs/{job_id}")
    assert (response.status_code, response.json()["status"]) == (200, "queued")
    assert int(response.headers["retry-after"]) > 0
    assert response.headers["cache-control"] == "no-store"
    store.start(job_id, "a")
    assert "retry-after" in client.get(f"/jobs/{job_id}").headers
    store.finish(job_id, "a", status=Status.FAILED, error=JobError(code="timeout", message="too slow"))
    response = client.get(f"/jobs/{job_id}")
    assert "retry-after" not in response.headers
    assert response.json()["error"] == {"code": "timeout", "message": "too slow"}


@pytest.mark.parametrize("job_id", ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "x", "01k", "%00", "8" * 26, "é"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(
            ("GET", path)
            for path in ("", "/result", "/thumbnail", "/preview", f"/inputs/{SHA256}", f"/inputs/{SHA256}/thumbnail")
        ),
        *(("POST", "/cancel"), ("DELETE", "")),
    ],
)
def test_an_unknown_job_is_not_found(client, job_id: str, method: str, path: str) -> None:
    response = client.request(method, f"/jobs/{job_id}{path}")
    assert (response.status_code, response.json()["code"]) == (404, "job_not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", path)
        for path in ("", "/result", "/thumbnail", "/preview", f"/inputs/{SHA256}", f"/inputs/{SHA256}/thumbnail")
    ]
    + [("POST", "/cancel")],
)
def test_an_expired_job_is_gone(client, redis_url: str, job_id: str, method: str, path: str) -> None:
    with redis.Redis.from_url(redis_url) as keys:
        keys.delete(f"nst:job:{job_id}")  # as its time to live does
    response = client.request(method, f"/jobs/{job_id}{path}")
    assert (response.status_code, response.json()["code"]) == (410, "job_expired")


# Results


def test_the_result_is_an_image_to_keep(client, store: Store, job_id: str) -> None:
    succeed(store, job_id)
    response = client.get(f"/jobs/{job_id}/result")
    assert (response.status_code, response.content) == (200, RESULT)
    assert response.headers["content-type"] == "image/png"
    assert response.headers["etag"] == f'"{SHA256}"'
    assert response.headers["content-disposition"] == f'inline; filename="{job_id}.png"'
    assert response.headers["x-content-type-options"] == "nosniff"
    policy, max_age = response.headers["cache-control"].rsplit("=", 1)
    assert policy == "private, immutable, max-age"
    expires_at = store.get(job_id).expires_at
    assert expires_at is not None
    assert now() + timedelta(seconds=int(max_age)) <= expires_at


@pytest.mark.parametrize("header", [f'"{SHA256}"', f'W/"{SHA256}"', f'"other", "{SHA256}"', "*"])
def test_a_result_that_the_client_has_is_not_sent_again(client, store: Store, job_id: str, header: str) -> None:
    succeed(store, job_id)
    response = client.get(f"/jobs/{job_id}/result", headers={"If-None-Match": header})
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == f'"{SHA256}"'


def test_another_result_is_sent(client, store: Store, job_id: str) -> None:
    succeed(store, job_id)
    assert client.get(f"/jobs/{job_id}/result", headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_job_without_result_says_why(client, store: Store, job_id: str) -> None:
    response = client.get(f"/jobs/{job_id}/result")
    assert (response.status_code, response.json()["code"]) == (409, "job_not_finished")
    assert "retry-after" in response.headers
    store.start(job_id, "a")
    store.finish(job_id, "a", status=Status.FAILED, error=JobError(code="timeout", message="too slow"))
    response = client.get(f"/jobs/{job_id}/result")
    assert (response.status_code, response.json()["code"]) == (409, "job_failed")
    assert "too slow" in response.json()["detail"]
    assert "retry-after" not in response.headers
    canceled = add_job(store)
    store.request_cancel(canceled)
    assert client.get(f"/jobs/{canceled}/result").json()["code"] == "job_canceled"


def test_previews_change(client, store: Store, job_id: str) -> None:
    response = client.get(f"/jobs/{job_id}/preview")
    assert (response.status_code, response.json()["code"]) == (404, "preview_not_found")
    store.start(job_id, "a")
    store.update(job_id, "a", progress=Progress(), preview=b"first")
    first = client.get(f"/jobs/{job_id}/preview")
    assert (first.content, first.headers["content-type"]) == (b"first", "image/jpeg")
    again = {"If-None-Match": first.headers["etag"]}
    assert client.get(f"/jobs/{job_id}/preview", headers=again).status_code == 304
    store.update(job_id, "a", progress=Progress(), preview=b"second")
    assert client.get(f"/jobs/{job_id}/preview", headers=again).content == b"second"


# Thumbnails


def paint(store: Store, job_id: str, result: bytes) -> None:
    store.start(job_id, "a")
    output = Output(url="r", media_type="image/png", width=1, height=1, bytes=1, sha256=digest(result))
    store.finish(job_id, "a", status=Status.SUCCEEDED, output=output, result=result)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(("size", "small"), [((800, 600), (320, 240)), ((60, 900), (21, 320)), ((64, 48), (64, 48))])
def test_a_thumbnail_is_small_and_never_enlarged(client, store: Store, job_id: str, picture, size, small) -> None:
    paint(store, job_id, picture(*size))
    response = client.get(f"/jobs/{job_id}/thumbnail")
    assert (response.status_code, response.headers["content-type"]) == (200, "image/jpeg")
    assert response.headers["content-disposition"] == f'inline; filename="{job_id}-small.jpeg"'
    with Image.open(io.BytesIO(response.content)) as thumbnail:
        assert (thumbnail.format, thumbnail.mode, thumbnail.size) == ("JPEG", "RGB", small)


def test_a_thumbnail_is_on_white(client, store: Store, job_id: str, picture) -> None:
    paint(store, job_id, picture(400, 400, mode="RGBA"))
    with Image.open(io.BytesIO(client.get(f"/jobs/{job_id}/thumbnail").content)) as thumbnail:
        assert thumbnail.getextrema() == ((255, 255),) * 3


def test_a_thumbnail_that_the_client_has_is_not_made_again(client, store: Store, job_id: str, picture) -> None:
    paint(store, job_id, picture(400, 300))
    first = client.get(f"/jobs/{job_id}/thumbnail")
    assert first.headers["cache-control"].startswith("private, immutable, max-age=")
    assert first.headers["etag"] != client.get(f"/jobs/{job_id}/result").headers["etag"]
    again = client.get(f"/jobs/{job_id}/thumbnail", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_job_without_result_has_no_thumbnail(client, store: Store, job_id: str) -> None:
    response = client.get(f"/jobs/{job_id}/thumbnail")
    assert (response.status_code, response.json()["code"]) == (409, "job_not_finished")
    assert "retry-after" in response.headers
    store.request_cancel(job_id)
    assert client.get(f"/jobs/{job_id}/thumbnail").json()["code"] == "job_canceled"


def test_a_result_that_cannot_be_decoded_has_no_thumbnail(make_client, store: Store, job_id: str, picture) -> None:
    paint(store, job_id, picture(400, 300))
    response = make_client(max_image_pixels=4096).get(f"/jobs/{job_id}/thumbnail")
    assert (response.status_code, response.json()["code"]) == (404, "thumbnail_not_found")


# What was sent


def white(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("L", (64, 48), "white").save(file, kind)
    return file.getvalue()


def sent(client, files: list[tuple[str, bytes]], **fields: str) -> dict[str, Any]:
    response = client.post("/jobs", files=files, data=fields)
    assert response.status_code == 202, response.text
    return dict(response.json())


def test_files_that_were_sent_are_there_unchanged(client, picture) -> None:
    content, first, second = picture(70), picture(71, kind="JPEG"), picture(72, kind="WEBP")
    init = picture(75, kind="TIFF")
    masks = [white("GIF"), white("BMP")]
    files = [("content", content), ("style", first), ("style", second), ("init_image", init)]
    job = sent(client, files + [("mask", mask) for mask in masks], init="image")
    told = job["input"]
    digests = [told["content_sha256"], *told["style_sha256"], *told["mask_sha256"], told["init_sha256"]]
    kinds = [f"image/{kind}" for kind in ("png", "jpeg", "webp", "gif", "bmp", "tiff")]
    names = ["content.png", "style-0.jpeg", "style-1.webp", "mask-0.gif", "mask-1.bmp", "init.tiff"]
    for data, sha256, kind, name in zip([content, first, second, *masks, init], digests, kinds, names, strict=True):
        response = client.get(f"/jobs/{job['id']}/inputs/{sha256}")
        assert (response.status_code, response.content) == (200, data)
        assert response.headers["content-type"] == kind
        assert response.headers["etag"] == f'"{sha256}"'
        assert response.headers["content-disposition"] == f'inline; filename="{job["id"]}-{name}"'
        assert response.headers["cache-control"].startswith("private, immutable, max-age=")
        assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGBA"), ("TIFF", "RGB"), ("HEIF", "RGB"), ("BMP", "P")])
def test_files_that_were_sent_are_there_small_for_every_browser(client, picture, kind: str, mode: str) -> None:
    content = picture(640, 400, mode=mode, kind=kind)
    job = sent(client, [("content", content), ("style", content)])
    path = f"/jobs/{job['id']}/inputs/{digest(content)}/thumbnail"
    for query, size in (("", (320, 200)), ("?side=64", (64, 40)), ("?side=2048", (640, 400))):
        response = client.get(path + query)
        assert (response.status_code, response.headers["content-type"]) == (200, "image/jpeg")
        assert Image.open(io.BytesIO(response.content)).size == size
        assert response.headers["cache-control"].startswith("private, immutable, max-age=")
        assert client.get(path + query, headers={"If-None-Match": response.headers["etag"]}).status_code == 304
    assert client.get(f"{path}?side=32", headers={"If-None-Match": response.headers["etag"]}).status_code == 200


def test_a_file_is_upright_when_it_is_small(client, picture) -> None:
    exif = Image.Exif()
    exif[274] = 6  # turned by a quarter
    content = picture(640, 400, kind="JPEG", exif=exif)
    job = sent(client, [("content", content), ("style", content)])
    response = client.get(f"/jobs/{job['id']}/inputs/{digest(content)}/thumbnail")
    assert Image.open(io.BytesIO(response.content)).size == (200, 320)


@pytest.mark.parametrize("side", ["15", "2049", "x", "-1", "1e3"])
def test_a_thumbnail_has_bounds(client, png: bytes, side: str) -> None:
    job = sent(client, [("content", png), ("style", png)])
    for path in ("thumbnail", f"inputs/{digest(png)}/thumbnail"):
        response = client.get(f"/jobs/{job['id']}/{path}?side={side}")
        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "#/side")


def test_what_is_no_image_to_this_version_has_no_thumbnail(client, job_id: str) -> None:
    response = client.get(f"/jobs/{job_id}/inputs/c/thumbnail")
    assert (response.status_code, response.json()["code"]) == (404, "thumbnail_not_found")
    response = client.get(f"/jobs/{job_id}/inputs/d/thumbnail")
    assert (response.status_code, response.json()["code"]) == (404, "input_not_found")


def test_a_file_that_was_sent_twice_is_one(client, png: bytes) -> None:
    job = sent(client, [("content", png), ("style", png)])
    assert client.get(f"/jobs/{job['id']}/inputs/{digest(png)}").content == png


def test_photographs_of_a_training_are_there(client, png: bytes, picture) -> None:
    photograph = picture(200, 200)
    response = client.post("/styles", files=[("style", png), ("photograph", photograph)], data={"id": "new"})
    path = f"/jobs/{response.json()['id']}/inputs"
    assert client.get(f"{path}/{digest(png)}").content == png
    assert client.get(f"{path}/{digest(photograph)}").content == photograph


@pytest.mark.parametrize("header", ['"{}"', 'W/"{}"', "*"])
def test_a_file_that_the_client_has_is_not_sent_again(client, png: bytes, header: str) -> None:
    job = sent(client, [("content", png), ("style", png)])
    headers = {"If-None-Match": header.format(digest(png))}
    response = client.get(f"/jobs/{job['id']}/inputs/{digest(png)}", headers=headers)
    assert (response.status_code, response.content) == (304, b"")


def test_a_job_has_only_its_own_files(client, png: bytes, picture) -> None:
    job, other = sent(client, [("content", png), ("style", png)]), picture(90)
    sent(client, [("content", other), ("style", other)])
    for sha256 in (digest(other), digest(png).upper(), digest(png)[:-1], "content", "style.0", "%00", "é"):
        response = client.get(f"/jobs/{job['id']}/inputs/{sha256}")
        assert (response.status_code, response.json()["code"]) == (404, "input_not_found")


def test_files_of_another_caller_are_not_there(make_client, png: bytes) -> None:
    client = make_client(api_keys="ada:0123456789abcdef,bob:fedcba9876543210")
    client.headers["X-API-Key"] = "0123456789abcdef"
    job = sent(client, [("content", png), ("style", png)])
    path = f"/jobs/{job['id']}/inputs/{digest(png)}"
    assert client.get(path).status_code == 200
    response = client.get(path, headers={"X-API-Key": "fedcba9876543210"})
    assert (response.status_code, response.json()["code"]) == (404, "job_not_found")


def test_what_is_no_image_to_this_version_is_bytes(client, store: Store, job_id: str) -> None:
    response = client.get(f"/jobs/{job_id}/inputs/c")
    assert (response.content, response.headers["content-type"]) == (b"c", "application/octet-stream")


# Lists


def test_a_list_has_pages(client, store: Store) -> None:
    ids = sorted((add_job(store) for _ in range(5)), reverse=True)
    first = client.get("/jobs", params={"limit": 3}).json()
    second = client.get("/jobs", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [job["id"] for job in first["items"] + second["items"]] == ids
    assert second["next_cursor"] is None


def test_a_list_is_filtered(client, store: Store) -> None:
    canceled, queued = add_job(store), add_job(store)
    store.request_cancel(canceled)
    assert [job["id"] for job in client.get("/jobs?status=canceled").json()["items"]] == [canceled]
    assert [job["id"] for job in client.get("/jobs?status=queued&method=gatys").json()["items"]] == [queued]
    assert client.get("/jobs?method=fast").json()["items"] == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "status=done", "status=", "method=slow", "cursor=x", "cursor=%00"]
)
def test_bad_queries_are_refused(client, query: str) -> None:
    response = client.get(f"/jobs?{query}")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_query")
    assert response.json()["errors"][0]["pointer"] == f"#/{query.partition('=')[0]}"


# Cancelling and forgetting


def test_cancelling_is_idempotent(client, store: Store, job_id: str) -> None:
    first = client.post(f"/jobs/{job_id}/cancel")
    assert (first.status_code, first.json()["status"]) == (200, "canceled")
    assert client.post(f"/jobs/{job_id}/cancel").json() == first.json()
    running = add_job(store)
    store.start(running, "a")
    response = client.post(f"/jobs/{running}/cancel")
    assert (response.status_code, response.json()["status"]) == (200, "processing")
    assert response.json()["cancel_requested_at"]
    assert store.renew(running, "a") is True


def test_cancelling_a_finished_job_changes_nothing(client, store: Store, job_id: str) -> None:
    succeed(store, job_id)
    assert client.post(f"/jobs/{job_id}/cancel").json()["status"] == "succeeded"


def test_a_deleted_job_is_unknown_and_leaves_nothing(client, store: Store, redis_url: str, job_id: str) -> None:
    succeed(store, job_id)
    response = client.delete(f"/jobs/{job_id}")
    assert (response.status_code, response.content) == (204, b"")
    assert client.get(f"/jobs/{job_id}").status_code == 404
    assert client.delete(f"/jobs/{job_id}").status_code == 404
    with redis.Redis.from_url(redis_url) as keys:
        assert keys.keys() == [b"nst:tally"]
