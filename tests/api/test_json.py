"""Requests in JSON, and files that are named by URLs."""

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from api.body import MAX_VALUES
from jobs.protocol import Store
from tests.service import wait_for

MakePicture = Callable[..., bytes]


def data_url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


class Files:
    """A server of files on the loopback interface, under a name that only the tests' resolver knows."""

    def __init__(self) -> None:
        self.served: dict[str, bytes] = {}
        self.seen: list[str] = []
        #: Files below ``/slow`` come when it is set.
        self.soon = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.seen.append(self.path)
                if self.path.startswith("/slow"):
                    outer.soon.wait()
                data = outer.served.get(self.path)
                self.send_response(200 if data is not None else 404)
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *args: None  # type: ignore[method-assign]  # clients go away
        self.host = f"files.lan:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def put(self, path: str, data: bytes) -> str:
        self.served[path] = data
        return f"http://{self.host}{path}"

    def close(self) -> None:
        self.soon.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def file_server() -> Iterator[Files]:
    server = Files()
    yield server
    server.close()


def resolve(host: str, port: int) -> list[str]:
    return {"files.lan": ["127.0.0.1"], "metadata.lan": ["169.254.169.254"]}[host]


@pytest.fixture
def make_fetching(make_client, file_server: Files):
    def make(**settings: Any):
        return make_client(resolve=resolve, url_allowed_hosts=file_server.host, **settings)

    return make


@pytest.fixture
def fetching(make_fetching):
    """A client of an application that may fetch from the file server."""
    return make_fetching()


def refused(response, code: str = "invalid_options", status: int = 422) -> dict[str, str]:
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    return {error["pointer"]: error["detail"] for error in response.json().get("errors", [])}


# The same job in every form

OPTIONS = {
    "size": 128,
    "iterations": 7,
    "content_weight": 0,
    "style_weight": 2.5,
    "normalize_weights": True,
    "style_layers": ["relu1_1", "relu2_1"],
    "style_layer_weights": [1, 0.5],
    "color": "luminance",
    "output_format": "jpeg",
    "quality": 75,
    "bit_depth": 8,
    "keep_metadata": False,
    "metadata": {"order": [17, "é\u2028"], "nested": {"a": None}},
}


def as_form(options: dict[str, Any]) -> dict[str, Any]:
    def text(value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value)

    return {
        name: [text(item) for item in value] if isinstance(value, list) else text(value)
        for name, value in options.items()
    }


def white() -> bytes:
    file = io.BytesIO()
    Image.new("L", (30, 20), 255).save(file, "PNG")
    return file.getvalue()


def without_identity(job: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in job.items() if name not in ("id", "created_at", "queue", "urls")}


def test_a_job_is_the_same_in_every_form(fetching, store: Store, file_server: Files, picture: MakePicture) -> None:
    content, styles, mask = picture(), [picture(90, 70), picture(70, 90)], white()
    options = OPTIONS | {"color": ["luminance", "luminance"]}
    files = [("content", content), *(("style", style) for style in styles), *[("mask", mask)] * 2]
    answers = [fetching.post("/jobs", files=files, data=as_form(options))]
    urls = {
        "content": data_url(content),
        "style": [data_url(styles[0]), file_server.put("/style.png", styles[1])],
        "mask": [data_url(mask), file_server.put("/mask.png", mask)],
    }
    answers.append(fetching.post("/jobs", json=options | urls))
    linked = {name + ("_url" if name != "mask" else ""): urls[name] for name in urls}
    answers.append(fetching.post("/jobs", json=options | linked))
    form = as_form(options | {name: value for name, value in linked.items() if name != "mask"})
    answers.append(fetching.post("/jobs", files=[("mask", mask)] * 2, data=form))
    assert [answer.status_code for answer in answers] == [202] * 4, [answer.text for answer in answers]
    jobs = [answer.json() for answer in answers]
    assert jobs[0]["input"]["content_sha256"]
    assert all(without_identity(job) == without_identity(jobs[0]) for job in jobs)
    for job in jobs:
        assert store.image(job["id"], "content") == content
        assert [store.image(job["id"], f"style.{k}") for k in range(2)] == styles


def test_one_item_of_a_list_may_stand_alone(fetching, png: bytes) -> None:
    content = data_url(png)
    for one, many in (
        ({"style_id": "waves"}, {"style_id": ["waves"]}),
        ({"style": content, "color": "style"}, {"style": [content], "color": ["style"]}),
        ({"style": content, "content_layers": "relu4_1"}, {"style_url": [content], "content_layers": ["relu4_1"]}),
    ):
        first, second = (fetching.post("/jobs", json={"content": content, **sent}).json() for sent in (one, many))
        assert without_identity(first) == without_identity(second)
        assert first["status"] == "queued"


def test_an_empty_list_of_files_is_none(client, png: bytes) -> None:
    sent = {"content": data_url(png), "style": data_url(png), "mask": [], "style_url": []}
    assert client.post("/jobs", json=sent).json()["input"]["mask_sha256"] == []
    assert refused(client.post("/jobs", json=sent | {"style": []})) == {"#/style": "is required"}


def test_an_initial_image_may_be_a_url(client, picture: MakePicture) -> None:
    sent = {"content": picture(), "style": picture(), "init_image": picture(60, 70)}
    job = client.post("/jobs", json={name: data_url(data) for name, data in sent.items()} | {"init": "image"}).json()
    assert job["input"]["init_sha256"]


def test_a_style_and_a_mask_may_be_sent_so(make_client, picture: MakePicture, png: bytes) -> None:
    client = make_client()
    sent = {"id": "mine", "style": data_url(png), "photograph": [data_url(picture(60, 70))] * 2, "steps": 10}
    job = client.post("/styles", json=sent | {"style_size": [64, 96], "minutes": 1, "title": "Mine"}).json()
    assert (job["method"], len(job["input"]["photograph_sha256"])) == ("train", 2)
    assert job["input"]["params"]["style_size"] == [64, 96]
    assert refused(client.post("/masks", json={"content": data_url(png)}), "no_subject") == {
        "#/content": client.post("/masks", files={"content": png}).json()["errors"][0]["detail"]
    }
    assert refused(client.post("/masks", json={"auto_mask": 1})).keys() == {"#/content", "#/auto_mask"}


# Types


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("size", "128", "must be a whole number"),
        ("size", 128.0, "must be a whole number"),
        ("size", True, "must be a whole number"),
        ("size", None, "must be a whole number"),
        ("size", [128], "must be a whole number"),
        ("size", {}, "must be a whole number"),
        ("size", 63, "size must be between"),
        ("seed", 10**300, "must be a whole number"),
        ("style_weight", "1", "must be a number"),
        ("style_weight", False, "must be a number"),
        ("style_weight", -1, "style_weight must be"),
        ("normalize_weights", "true", "must be true or false"),
        ("normalize_weights", 1, "must be true or false"),
        ("style_layers", [1], "must be a text"),
        ("style_layers", [["relu1_1"]], "must be a text"),
        ("style_layers", ["relu1_1,relu2_1"], "must be a list, without commas"),
        ("style_layers", "relu1_1,relu2_1", "must be a list, without commas"),
        ("style_layers", [""], "must be a list"),
        ("style_layer_weights", ["1"], "must be a number"),
        ("style_layer_weights", [1, None], "must be a number"),
        ("encoder", 5, "must be a text"),
        ("encoder", ["compact"], "must be a text"),
        ("encoder", "x" * 100_000, "must be at most 65536 bytes"),
        ("method", 1, "must be a text"),
        ("preset", {}, "must be a text"),
        ("auto_mask", True, "must be a text"),
        ("output_format", None, "must be a text"),
        ("output_format", "gif", "must be one of"),
        ("quality", "90", "must be a whole number"),
        ("bit_depth", "8", "must be a whole number"),
        ("bit_depth", 12, "must be one of 8, 16"),
        ("keep_metadata", "false", "must be true or false"),
        ("metadata", '{"order": 17}', "must be a JSON object"),
        ("metadata", [], "must be a JSON object"),
        ("metadata", {"a": "x" * 5000}, "must be at most 4096 bytes"),
        ("metadata", {"a": "x" * 100_000}, "must be at most 65536 bytes"),
        ("metadata", {"a": {"b": [[[[[[[]]]]]]]}}, "must not be nested deeper than 8"),
        ("colour", "blue", "there is no such field"),
        ("colour", {"a": [1]}, "there is no such field"),
        ("", 1, "there is no such field"),
        ("content", 5, "must be a URL"),
        ("content", None, "must be a URL"),
        ("content", ["data:,"], "must be a URL"),
        ("content", "", "must be an http, https or data: URL"),
        ("content", "ftp://host/a.jpg", "must be an http, https or data: URL"),
        ("content", "photo.jpg", "must be an http, https or data: URL"),
        ("content", "data:image/png,abc", "a data: URL must have the form"),
        ("content", "data:;base64,AAA", "the base64 of the data: URL is damaged"),
        ("content", "data:;base64,AA AA", "the base64 of the data: URL is damaged"),
        ("content", "data:;base64,é", "the base64 of the data: URL is damaged"),
        ("content_url", "data:;base64,", "is instead of content, not besides it"),
        ("style_url", ["data:;base64,"], "is instead of style, not besides it"),
        ("style", [1], "must be a URL, or a list of URLs"),
        ("style", {"url": "data:"}, "must be a URL, or a list of URLs"),
        ("style", ["data:;base64,", "x"], "must be an http, https or data: URL"),
        ("style", ["data:;base64,"] * 9, "must be 8 at most (NST_MAX_JOB_STYLES)"),
    ],
)
def test_types_and_values_are_strict(client, png: bytes, name: str, value: Any, told: str) -> None:
    sent = {"content": data_url(png), "style": data_url(png)} | {name: value}
    errors = refused(client.post("/jobs", json=sent))
    assert list(errors) == [f"#/{name}"]
    assert errors[f"#/{name}"].startswith(told)


def test_all_that_is_wrong_is_told_at_once(client) -> None:
    sent = {"style_id": 5, "method": None, "size": "64", "colour": 1, "metadata": 1}
    errors = refused(client.post("/jobs", json=sent))
    assert errors.keys() == {"#/content", "#/style_id", "#/method", "#/size", "#/colour", "#/metadata"}


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_numbers_that_are_not_finite_are_refused(client, png: bytes, number: str) -> None:
    for field in (f'"style_weight": {number}', f'"metadata": {{"a": {number}}}', f'"style_layer_weights": [{number}]'):
        body = f'{{"content": "{data_url(png)}", "style": "{data_url(png)}", {field}}}'
        errors = refused(client.post("/jobs", content=body, headers={"content-type": "application/json"}))
        assert list(errors) == [f"#/{field.split(chr(34))[1]}"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b'{"a": 1} 2', "not JSON"),
        (b'\xef\xbb\xbf{"a": 1}', "not JSON"),
        ('{"a": 1}'.encode("utf-16"), "not JSON"),
        (b'{"a": "\xff"}', "not JSON"),
        (b'{"a": "\\ud800"}', "not JSON"),
        (b'{"\\ud800": 1}', "not JSON"),
        (b'{"a": "\x01"}', "not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'"a"', "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"1", "not a JSON object"),
        (b'{"size": NaN}', "NaN is not JSON"),
        (b'{"size": -Infinity}', "-Infinity is not JSON"),
        (b'{"metadata": {"a": NaN}}', "NaN is not JSON"),
        (b'{"size": 64, "size": 65}', "'size' is there twice"),
        (b'{"metadata": {"a": 1, "a": 1}}', "'a' is there twice"),
        (b'{"\\ud800": 1, "\\ud800": 1}', "is there twice"),
        (b"[" * 100_000, "limit of 20000 values"),
        (b'{"a": [' + b"1," * 20_000 + b"1]}", "limit of 20000 values"),
    ],
)
def test_what_is_not_a_json_object_is_refused(client, body: bytes, told: str) -> None:
    response = client.post("/jobs", content=body, headers={"content-type": "application/json"})
    assert refused(response, "malformed_body", 400) == {}
    assert told in response.json()["detail"]


@pytest.mark.parametrize("depth", [9, 100, 300, 500, 700, 900, 980, 1000, 1500, MAX_VALUES - 10])
@pytest.mark.parametrize(("head", "mark"), [('{"a": ', "[]"), ('{"metadata": ', "[]"), ('{"size": ', "[]")])
def test_no_depth_is_a_fault_of_the_server(client, png: bytes, depth: int, head: str, mark: str) -> None:
    for nested in (mark[0] * depth + mark[1] * depth, '{"a": ' * depth + "1" + "}" * depth):
        response = client.post("/jobs", content=head + nested + "}", headers={"content-type": "application/json"})
        assert response.status_code in (400, 422)
        metadata = client.post("/jobs", files={"content": png, "style": png}, data={"metadata": nested[:60_000]})
        assert metadata.status_code == 422


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("data:;base64,AAAA"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["content", "style", "mask", "content_url", "style_url", "style_id", "method", "size", "init"])


@settings(max_examples=200, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES | st.sampled_from(list(OPTIONS)) | st.text(max_size=5), JSON, max_size=6) | JSON)
def test_no_json_is_a_fault_of_the_server(client, value: Any) -> None:
    response = client.post("/jobs", content=json.dumps(value), headers={"content-type": "application/json"})
    assert response.status_code in (400, 413, 415, 422)


@settings(max_examples=100, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=50) | st.text('{}[]":,\\u0123dDeE+-. ', max_size=50).map(str.encode))
def test_no_body_is_a_fault_of_the_server(client, body: bytes) -> None:
    response = client.post("/jobs", content=body, headers={"content-type": "application/json"})
    assert response.status_code in (400, 422)


def test_the_body_has_the_limits_of_a_form(make_client, png: bytes) -> None:
    client = make_client(max_request_bytes=2000, max_upload_bytes=len(png))
    sent = {"content": data_url(png), "style": data_url(png)}
    assert client.post("/jobs", json=sent).status_code == 202
    response = client.post("/jobs", json=sent | {"colour": "x" * 2000})
    assert refused(response, "body_too_large", 413) == {}
    chunks = iter([b'{"content": "', *[b"x" * 500] * 10])
    response = client.post("/jobs", content=chunks, headers={"content-type": "application/json"})
    assert "NST_MAX_REQUEST_BYTES" in response.json()["detail"]
    assert response.status_code == 413
    errors = refused(client.post("/jobs", json=sent | {"style": data_url(png + b"\0")}), "upload_too_large", 413)
    assert "NST_MAX_UPLOAD_BYTES" in errors["#/style"]


def test_a_file_in_a_url_is_looked_at(client, png: bytes) -> None:
    for data, status, code in ((b"", 400, "invalid_image"), (png[:60], 400, "invalid_image"), (b"text", 415, None)):
        response = client.post("/jobs", json={"content": data_url(data), "style_id": "waves"})
        assert list(refused(response, code or "unsupported_format", status)) == ["#/content"]


# Fetching


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://metadata.lan/latest/", "url_not_allowed"),
        ("http://files.lan/", "url_not_allowed"),
        ("http://files.lan:22/", "url_not_allowed"),
        ("https://user:secret@files.lan/", "url_not_allowed"),
        ("http://", "url_not_allowed"),
    ],
)
def test_what_may_not_be_fetched_is_refused(fetching, store: Store, png: bytes, url: str, code: str) -> None:
    for name in ("content", "content_url"):
        response = fetching.post("/jobs", json={name: url, "style_id": "waves"})
        assert list(refused(response, code)) == [f"#/{name}"]
        assert "secret" not in response.text
        assert "169.254" not in response.text
    response = fetching.post("/jobs", files={"content": png}, data={"style_url": url})
    assert list(refused(response, code)) == ["#/style_url"]
    assert store.list_jobs().items == []


def test_without_the_setting_nothing_private_is_fetched(make_client, file_server: Files, png: bytes) -> None:
    client = make_client(resolve=resolve, url_ports=file_server.host.partition(":")[2])
    sent = {"content": file_server.put("/a.png", png), "style_id": "waves"}
    errors = refused(client.post("/jobs", json=sent), "url_not_allowed")
    assert "NST_URL_ALLOWED_HOSTS" in errors["#/content"]
    assert file_server.seen == []


def test_what_cannot_be_had_is_told(fetching, make_fetching, file_server: Files, png: bytes) -> None:
    url = file_server.put("/a.png", png)
    assert list(refused(fetching.post("/jobs", json={"content": url + "x", "style_id": "waves"}), "url_bad_answer"))
    sent = {"content": url, "style": [url, url]}
    small = make_fetching(max_upload_bytes=len(png) - 1)
    assert "NST_MAX_UPLOAD_BYTES" in refused(small.post("/jobs", json=sent), "url_too_large", 413)["#/content"]
    narrow = make_fetching(max_request_bytes=3 * len(png) - 1)
    assert "NST_MAX_REQUEST_BYTES" in refused(narrow.post("/jobs", json=sent), "url_too_large", 413)["#/style"]
    assert make_fetching(max_request_bytes=3 * len(png)).post("/jobs", json=sent).status_code == 202
    file_server.served["/a.png"] = b"text"
    assert list(refused(fetching.post("/jobs", json=sent), "unsupported_format", 415)) == ["#/content"]


def test_nothing_is_fetched_for_a_request_that_is_refused_anyway(fetching, file_server: Files, png: bytes) -> None:
    url = file_server.put("/a.png", png)
    for sent in ({"style": [url] * 9}, {"style": url, "size": 1}, {"style": url, "mask": [url] * 2}):
        refused(fetching.post("/jobs", json={"content": url, **sent}))
    assert file_server.seen == []


@pytest.mark.parametrize("name", ["content_url", "style_url"])
def test_urls_in_a_form_are_texts(fetching, png: bytes, name: str) -> None:
    sent = {"content": png, "style": png}
    del sent[name.removesuffix("_url")]
    assert refused(fetching.post("/jobs", files=sent, data={name: "x"})) == {
        f"#/{name}": "must be an http, https or data: URL"
    }
    assert fetching.post("/jobs", files=sent, data={name: data_url(png)}).status_code == 202
    assert list(refused(fetching.post("/jobs", files=sent | {name: png}))) == [
        f"#/{name}",
        f"#/{name.removesuffix('_url')}",
    ]
    repeated = fetching.post("/jobs", files=sent, data={name: [data_url(png)] * 2})
    assert repeated.status_code == (202 if name == "style_url" else 422)


# The description


def test_the_document_describes_both_types(client) -> None:
    document = client.get("/openapi.json").json()
    for path in ("/jobs", "/styles", "/masks"):
        content = document["paths"][path]["post"]["requestBody"]["content"]
        assert list(content) == ["multipart/form-data", "application/json"]
        form, sent = (media["schema"] for media in content.values())
        assert form["properties"].keys() == sent["properties"].keys()
        assert "binary" not in json.dumps(sent)
        assert form.get("required") == sent.get("required")
    jobs = document["paths"]["/jobs"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert jobs["content"]["format"] == "uri"
    assert [kind["type"] for kind in jobs["style"]["anyOf"]] == ["string", "array"]
    assert jobs["metadata"]["type"] == "object"
    assert jobs["size"]["type"] == "integer"


def test_the_defaults_of_the_document_are_accepted(client, png: bytes) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/jobs"]["post"]
    properties = operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
    defaults = {name: schema["default"] for name, schema in properties.items() if "default" in schema}
    assert "precision" in defaults
    sent = defaults | {"content": data_url(png), "style": data_url(png)}
    assert client.post("/jobs", json=sent).status_code == 202


def test_what_is_fetched_takes_room_among_the_bodies(make_fetching, file_server: Files, picture) -> None:
    size = 50_000
    client = make_fetching(max_request_bytes=size, max_bodies_bytes=size)
    noise = io.BytesIO()
    Image.effect_noise((100, 100), 100).save(noise, "PNG")
    urls = {"content_url": file_server.put("/a", noise.getvalue()), "style_url": file_server.put("/b", picture())}
    with client.app.state.backend.body_room.for_one(0) as take:
        take(size - len(noise.getvalue()))
        response = client.post("/jobs", json=urls)
        refused(response, "bodies_full", 503)
        assert "NST_MAX_BODIES_BYTES" in response.json()["detail"]
    assert client.post("/jobs", json=urls).status_code == 202
    assert client.app.state.backend.body_room._taken == 0


def test_a_slow_server_keeps_only_its_own_caller_waiting(serve, file_server: Files, png: bytes) -> None:
    ada, bob = "ada-0123456789abcdef", "bob-0123456789abcdef"
    address = serve(
        resolve=resolve,
        url_allowed_hosts=file_server.host,
        url_fetches=2,
        url_timeout_seconds=60,
        api_keys=f"ada:{ada},bob:{bob}",
        webhook_secret="whsec_" + "c2VjcmV0" * 4,
    )
    slow, quick = file_server.put("/slow", png), file_server.put("/quick", png)
    with httpx.Client(base_url="http://{}:{}".format(*address), trust_env=False, timeout=60) as client:

        def post(key: str, url: str, **more: str) -> int:
            sent = {"content": data_url(png), "style_url": url, **more}
            return client.post("/jobs", json=sent, headers={"X-API-Key": key}).status_code

        with ThreadPoolExecutor() as others:
            waiting = [others.submit(post, ada, slow) for _ in range(3)]
            wait_for(lambda: file_server.seen)
            assert post(bob, quick) == 202
            assert post(bob, quick, webhook=quick) == 202
            waiting.append(others.submit(post, bob, slow))  # now there is no turn left
            wait_for(lambda: file_server.seen.count("/slow") >= 2)
            assert post(bob, data_url(png), webhook=quick) == 202
            assert not any(request.done() for request in waiting)
            assert file_server.seen.count("/slow") == 2
            file_server.soon.set()
            assert [request.result() for request in waiting] == [202] * 4


@pytest.mark.parametrize("field", ["content_url", "style_url", "webhook"])
def test_a_host_that_is_no_name_is_refused(make_client, png: bytes, field: str) -> None:
    client = make_client(webhook_secret="whsec_" + "c2VjcmV0" * 4)
    fields = {"content_url": data_url(png), "style_url": data_url(png), field: "http://xn--a/x.png"}
    assert field in str(refused(client.post("/jobs", json=fields), "url_not_allowed"))
