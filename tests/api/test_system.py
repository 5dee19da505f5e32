"""How the service tells that it is."""

import re
from collections.abc import Iterator

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from api.settings import ApiSettings
from jobs.contract import Job, JobInput, Output, Status, Urls, new_job_id, now
from jobs.roster import DeviceMemory, Engine, Roster, WorkerProcess

OUTPUT = Output(url="r", media_type="image/png", width=64, height=48, bytes=6, sha256="0" * 64)


@pytest.fixture
def roster(redis_url: str) -> Iterator[Roster]:
    """A worker of two queues on a GPU is there."""
    roster = Roster.connect(redis_url)
    roster.sign_in(WorkerProcess(name="w@here", queues=["fast", "gatys"], version="1.2", started_at=now()))
    memory = DeviceMemory(free_bytes=30, total_bytes=100)
    engine = {"resident_bytes": 7, "encoders": ["compact"], "styles": ["waves"], "cache_hits": 3, "cache_misses": 2}
    roster.report("w@here", Engine(device="cuda:0", memory=memory, job="01K00000000000000000000000", **engine))
    yield roster
    roster.close()


def post(client, png: bytes) -> str:
    answer = client.post("/jobs", files={"content": png}, data={"style_id": "waves"})
    assert answer.status_code == 202
    return answer.json()["id"]


def paint(store, job_id: str) -> None:
    store.start(job_id, "a")
    store.finish(job_id, "a", status=Status.SUCCEEDED, output=OUTPUT, result=b"result")


def figures(client) -> dict[str, float]:
    answer = client.get("/metrics")
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/plain")
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()) if name != "process")
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_the_system_tells_of_workers_queues_and_limits(make_client, roster: Roster, store, png: bytes) -> None:
    client = make_client(max_size=1000, default_size=500)
    done, running, _ = (post(client, png) for _ in range(3))
    paint(store, done)
    store.start(running, "b")
    answer = client.get("/system")
    assert answer.status_code == 200
    system = answer.json()
    (worker,) = system["workers"]
    assert (worker["name"], worker["queues"], worker["version"]) == ("w@here", ["fast", "gatys"], "1.2")
    assert worker["engine"]["device"] == "cuda:0"
    assert worker["engine"]["memory"] == {"free_bytes": 30, "total_bytes": 100}
    assert worker["engine"]["job"] == "01K00000000000000000000000"
    depths = {queue["name"]: (queue["queued"], queue["processing"]) for queue in system["queues"]}
    assert depths == {"fast": (1, 1), "gatys": (0, 0), "train": (0, 0)}
    assert system["redis"]["used_bytes"] > 0
    assert system["redis"]["max_bytes"] is None
    assert (system["limits"]["max_size"], system["limits"]["default_size"]) == (1000, 500)
    assert system["uptime_seconds"] >= 0
    assert re.fullmatch(r"\d+\.\d+\.\d+", system["version"])


def test_the_system_tells_no_secrets_and_no_paths(make_client, roster: Roster, redis_url: str) -> None:
    text = make_client(training_images="/srv/photographs").get("/system").text
    assert "/" not in text
    assert redis_url not in text


def test_the_most_memory_of_redis_is_told(client, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as connection:
        connection.config_set("maxmemory", 10**9)
        try:
            assert client.get("/system").json()["redis"]["max_bytes"] == 10**9
            assert figures(client)["nst_redis_memory_max_bytes"] == 10**9
        finally:
            connection.config_set("maxmemory", 0)


def test_metrics_count_jobs_and_tell_of_workers(client, roster: Roster, store, png: bytes) -> None:
    done, running, canceled, _ = (post(client, png) for _ in range(4))
    paint(store, done)
    store.start(running, "b")
    client.post(f"/jobs/{canceled}/cancel")
    told = figures(client)
    expected = {
        "nst_redis_up": 1,
        "nst_jobs_accepted_total{method=fast}": 4,
        "nst_jobs_total{method=fast,status=succeeded}": 1,
        "nst_jobs_total{method=fast,status=canceled}": 1,
        "nst_jobs_total{method=gatys,status=failed}": 0,
        "nst_job_duration_seconds_count{method=fast}": 1,
        "nst_job_duration_seconds_bucket{le=+Inf,method=fast}": 1,
        "nst_queue_wait_seconds_count{method=fast}": 2,
        "nst_queue_depth{queue=fast}": 2,
        "nst_jobs_processing{method=fast}": 1,
        "nst_workers{queue=fast}": 1,
        "nst_workers{queue=train}": 0,
        "nst_model_cache_hits_total{worker=w@here}": 3,
        "nst_model_cache_misses_total{worker=w@here}": 2,
        "nst_worker_resident_bytes{worker=w@here}": 7,
        "nst_gpu_memory_bytes{device=cuda:0,state=free,worker=w@here}": 30,
        "nst_gpu_memory_bytes{device=cuda:0,state=used,worker=w@here}": 70,
        "nst_redis_memory_max_bytes": 0,
        "nst_http_requests_total{method=POST,route=/jobs,status=202}": 4,
        "nst_http_request_seconds_count{method=POST,route=/jobs/{job_id}/cancel}": 1,
    }
    assert {name: told.get(name) for name in expected} == expected
    assert told["nst_redis_memory_bytes"] > 0


def test_every_process_tells_the_same_of_jobs(make_client, png: bytes) -> None:
    post(make_client(), png)
    told = [figures(make_client())["nst_jobs_accepted_total{method=fast}"] for _ in range(2)]
    assert told == [1, 1]


def test_paths_that_clients_make_up_are_counted_together(client) -> None:
    for k in range(5):
        client.get(f"/made/up/{k}")
        client.request(f"MADE{k}", "/livez")
    told = figures(client)
    assert told["nst_http_requests_total{method=GET,route=none,status=404}"] == 5
    assert sum(value for name, value in told.items() if "nst_http_requests_total{method=other" in name) == 5


def test_head_is_counted_by_its_route(client) -> None:
    for path in ("/livez", "/jobs", "/made/up"):
        client.head(path)
    told = figures(client)
    for route, status in (("/livez", 200), ("/jobs", 200), ("none", 404)):
        assert told[f"nst_http_requests_total{{method=HEAD,route={route},status={status}}}"] == 1


def test_the_job_in_hand_is_told_to_its_owner_only(make_client, roster: Roster, store, redis_url: str) -> None:
    client = make_client(api_keys="ada:ada-0123456789abcdef, bob:bob-0123456789abcdef")

    def job_in_hand(key: str) -> str | None:
        answer = client.get("/system", headers={"X-API-Key": key})
        return answer.json()["workers"][0]["engine"]["job"]

    assert client.get("/system").status_code == 401
    assert job_in_hand("ada-0123456789abcdef") is None  # it is gone
    (engine,) = (worker.engine for worker in roster.workers())
    assert engine is not None
    job_id = new_job_id()
    job = Job(id=job_id, created_at=now(), input=JobInput(params={}, style_sha256=[]), urls=Urls.of(job_id))
    store.create(job, {"content": b"c"}, owner="ada")
    roster.report("w@here", engine.model_copy(update={"job": job_id}))
    assert job_in_hand("ada-0123456789abcdef") == job_id
    assert job_in_hand("bob-0123456789abcdef") is None


@pytest.fixture
def client_without_redis(make_client):
    app = create_app(ApiSettings(redis_url="redis://127.0.0.1:1/0"))
    with type(make_client())(app) as client:
        yield client


def test_without_redis_the_system_cannot_be_told(client_without_redis) -> None:
    answer = client_without_redis.get("/system")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")


def test_without_redis_metrics_say_so(client_without_redis) -> None:
    client_without_redis.get("/livez")
    told = figures(client_without_redis)
    assert told["nst_redis_up"] == 0
    assert told["nst_http_requests_total{method=GET,route=/livez,status=200}"] == 1
    assert not any(name.startswith("nst_jobs") for name in told)


def test_a_job_tells_its_place_in_line(client, store, png: bytes) -> None:
    first, second = (client.post("/jobs", files={"content": png}, data={"style_id": "waves"}).json() for _ in range(2))
    assert (first["queue"], second["queue"]["position"]) == ({"position": 1, "eta_seconds": None}, 2)
    store.start(first["id"], "a")
    assert client.get(f"/jobs/{second['id']}").json()["queue"]["position"] == 1
    assert client.get(f"/jobs/{first['id']}").json()["queue"]["position"] is None
    assert [job["queue"]["position"] for job in client.get("/jobs").json()["items"]] == [None, None]
