"""Snapshots of jobs over HTTP."""

import io

import pytest
import redis
from PIL import Image, ImageSequence

from jobs.contract import Job, JobInput, Snapshot, Urls, new_job_id, now
from jobs.protocol import Store

SIZES = {1000: (64, 48), 2000: (128, 96), 3000: (256, 192), 3500: (256, 192)}
PATHS = ("", "/1000", "/sheet", "/animation", "/animation?format=gif")


def jpeg(step: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", SIZES[step], (step // 20, 40, 200)).save(file, "JPEG", quality=92)
    return file.getvalue()


def add_job(store: Store) -> str:
    job_id = new_job_id()
    job_input = JobInput(params={"size": 64}, content_sha256="c", style_sha256=["s"])
    store.create(Job(id=job_id, created_at=now(), input=job_input, urls=Urls.of(job_id)), {"content": b"c"})
    store.start(job_id, "a")
    return job_id


def save(store: Store, job_id: str, step: int) -> Snapshot:
    width, height = SIZES[step]
    url = f"jobs/{job_id}/snapshots/{step}"
    snapshot = Snapshot(step=step, url=url, width=width, height=height, bytes=len(jpeg(step)))
    store.save_snapshot(job_id, "a", snapshot, jpeg(step))
    return snapshot


@pytest.fixture
def job_id(store: Store) -> str:
    """A job with its snapshots."""
    job_id = add_job(store)
    for step in SIZES:
        save(store, job_id, step)
    return job_id


def test_snapshots_are_listed_and_fetched_while_the_job_runs(client, store: Store) -> None:
    job_id = add_job(store)
    address = client.get(f"/jobs/{job_id}").json()["urls"]["snapshots"]
    assert client.get(address).json() == {"items": []}
    save(store, job_id, 2000)
    save(store, job_id, 1000)
    items = client.get(address).json()["items"]
    assert items == [
        {
            "step": step,
            "url": f"jobs/{job_id}/snapshots/{step}",
            "media_type": "image/jpeg",
            "width": SIZES[step][0],
            "height": SIZES[step][1],
            "bytes": len(jpeg(step)),
        }
        for step in (1000, 2000)
    ]
    response = client.get(items[1]["url"])
    assert (response.content, response.headers["content-type"]) == (jpeg(2000), "image/jpeg")
    again = client.get(items[1]["url"], headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_sheet_shows_all_snapshots(client, job_id: str) -> None:
    response = client.get(f"/jobs/{job_id}/snapshots/sheet")
    assert (response.status_code, response.headers["content-type"]) == (200, "image/jpeg")
    sheet = Image.open(io.BytesIO(response.content))
    assert sheet.format == "JPEG"
    cell = sheet.width // len(SIZES)
    shown = [sheet.getpixel((k * cell + cell // 2, 60)) for k in range(len(SIZES))]
    assert [pixel[0] for pixel in shown] == pytest.approx([step // 20 for step in SIZES], abs=6)
    again = client.get(f"/jobs/{job_id}/snapshots/sheet", headers={"If-None-Match": response.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("name", ["webp", "gif"])
def test_the_animation_shows_one_after_the_other(client, job_id: str, name: str) -> None:
    response = client.get(f"/jobs/{job_id}/snapshots/animation", params={"format": name, "milliseconds": 50})
    assert (response.status_code, response.headers["content-type"]) == (200, f"image/{name}")
    image = Image.open(io.BytesIO(response.content))
    assert image.format == name.upper()
    frames, durations = [], []
    for frame in ImageSequence.Iterator(image):
        frames.append(frame.convert("RGB"))
        durations.append(frame.info["duration"])
    assert [frame.size for frame in frames] == [(256, 192)] * len(SIZES)
    assert [frame.getpixel((128, 96))[0] for frame in frames] == pytest.approx([s // 20 for s in SIZES], abs=6)
    assert durations[:-1] == [50] * 3
    assert durations[-1] > 1000


def test_an_animation_is_a_webp_unless_something_else_is_asked_for(client, job_id: str) -> None:
    response = client.get(f"/jobs/{job_id}/snapshots/animation")
    assert response.headers["content-type"] == "image/webp"
    image = Image.open(io.BytesIO(response.content))
    image.load()
    assert image.info["duration"] == 200


@pytest.mark.parametrize("name", ["999", "0", "-1", "1e3", "9" * 5000, "%00", "é", "sheets"])
def test_a_step_without_snapshot_is_not_found(client, job_id: str, name: str) -> None:
    response = client.get(f"/jobs/{job_id}/snapshots/{name}")
    assert (response.status_code, response.json()["code"]) == (404, "snapshot_not_found")


@pytest.mark.parametrize("path", PATHS[1:])
def test_a_job_without_snapshots_has_neither_pictures_nor_sheet(client, store: Store, path: str) -> None:
    response = client.get(f"/jobs/{add_job(store)}/snapshots{path}")
    assert (response.status_code, response.json()["code"]) == (404, "snapshot_not_found")


@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_job_has_no_snapshots(client, path: str) -> None:
    for job_id in (new_job_id(), "x"):
        response = client.get(f"/jobs/{job_id}/snapshots{path}")
        assert (response.status_code, response.json()["code"]) == (404, "job_not_found")


@pytest.mark.parametrize("path", PATHS)
def test_the_snapshots_of_an_expired_job_are_gone(client, redis_url: str, job_id: str, path: str) -> None:
    with redis.Redis.from_url(redis_url) as keys:
        keys.delete(f"nst:job:{job_id}")  # as its time to live does
    response = client.get(f"/jobs/{job_id}/snapshots{path}")
    assert (response.status_code, response.json()["code"]) == (410, "job_expired")


@pytest.mark.parametrize("query", ["format=mp4", "format=", "milliseconds=19", "milliseconds=10001", "milliseconds=x"])
def test_animations_that_cannot_be_are_refused(client, job_id: str, query: str) -> None:
    response = client.get(f"/jobs/{job_id}/snapshots/animation?{query}")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_query")
    assert response.json()["errors"][0]["pointer"] == f"#/{query.partition('=')[0]}"


@pytest.mark.parametrize(("iterations", "every", "accepted"), [(30, 10, True), (31, 10, False), (3, 1, True)])
def test_more_snapshots_than_the_server_keeps_are_refused(
    make_client, png: bytes, iterations: int, every: int, accepted: bool
) -> None:
    files = {"content": png, "style": png}
    fields = {"iterations": str(iterations), "snapshot_every": str(every)}
    response = make_client(max_snapshots=3).post("/jobs", files=files, data=fields)
    if accepted:
        assert response.status_code == 202
        assert response.json()["input"]["params"]["snapshot_every"] == every
        return
    assert (response.status_code, response.json()["code"]) == (422, "invalid_options")
    (error,) = response.json()["errors"]
    assert error["pointer"] == "#/snapshot_every"
    assert "makes 4 snapshots" in error["detail"]
    assert "3 at most (NST_MAX_SNAPSHOTS)" in error["detail"]


def test_a_fast_job_has_no_iterations_to_keep(client, png: bytes) -> None:
    response = client.post("/jobs", files={"content": png}, data={"style_id": "waves", "snapshot_every": "1"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "#/snapshot_every"


def test_a_deleted_job_leaves_no_snapshots(client, redis_url: str, job_id: str) -> None:
    assert client.delete(f"/jobs/{job_id}").status_code == 204
    with redis.Redis.from_url(redis_url) as keys:
        assert keys.keys() == [b"nst:tally"]
