"""How the web page is served: to everybody, with its own policy, below any path, and nothing but itself."""

import posixpath
import re
from pathlib import Path, PurePosixPath

import pytest

import api
from api.routes.page import FILES, MEDIA_TYPES

KEY = "0123456789abcdef"
#: What the page may link to besides its own files.
API_PAGES = ("docs", "openapi.json")

FOLDER = Path(api.__file__).parent / "page"


def test_there_is_something_to_serve() -> None:
    assert {"index.html", "js/api.js", "js/dom.js"} <= FILES.keys()
    assert {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()} == FILES.keys()


def test_it_is_small(client) -> None:
    sent = [client.get(f"/page/{name}", headers={"Accept-Encoding": "gzip"}) for name in FILES]
    assert sum(int(response.headers["content-length"]) for response in sent) < 150_000


@pytest.mark.parametrize("name", FILES)
def test_files_that_it_names_are_there(name: str) -> None:
    folder, text = PurePosixPath(name).parent, FILES[name].read_text()
    if name == "index.html":
        named = [address for address in re.findall(r'(?:href|src)="([^"#]+)', text) if address not in API_PAGES]
        assert {address.removeprefix("page/") for address in named if address.startswith("page/")} <= FILES.keys()
        assert all(address.startswith("page/") for address in named)
    elif name.endswith(".js"):
        named = re.findall(r"""(?:from|import)\s*\(?\s*["'](\.[^"']+)["']""", text)
        assert {posixpath.normpath(folder / address) for address in named} <= FILES.keys()


@pytest.mark.parametrize("name", FILES)
def test_files_are_served_as_they_are(client, name: str) -> None:
    response = client.get(f"/page/{name}")
    assert (response.status_code, response.content) == (200, FILES[name].read_bytes())
    assert response.headers["content-type"] == MEDIA_TYPES[FILES[name].suffix]


def test_the_root_is_the_page(client) -> None:
    response = client.get("/")
    assert (response.status_code, response.content) == (200, FILES["index.html"].read_bytes())
    assert response.headers["content-type"] == "text/html; charset=utf-8"


def test_it_is_not_part_of_the_contract(client) -> None:
    assert not [path for path in client.get("/openapi.json").json()["paths"] if path in ("/", "/page/{name}")]


# Headers


@pytest.mark.parametrize("path", ["/", "/page/js/api.js"])
def test_its_policy_lets_it_run_and_load_what_is_its_own(client, path: str) -> None:
    headers = client.get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob: data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["permissions-policy"].startswith("camera=()")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/", "/page/js/api.js"])
def test_what_a_browser_has_is_not_sent_again(client, path: str) -> None:
    first = client.get(path)
    assert first.headers["cache-control"] == "no-cache"
    assert first.headers["vary"] == "Accept-Encoding"
    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "cache-control", "content-security-policy"):
        assert again.headers[name] == first.headers[name]
    assert client.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/page/js/api.js"])
def test_it_is_compressed_for_those_who_can_read_that(client, path: str) -> None:
    plain, small = (client.get(path, headers={"Accept-Encoding": name}) for name in ("identity", "gzip, br"))
    assert plain.content == small.content
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert int(small.headers["content-length"]) < int(plain.headers["content-length"])
    assert small.headers["etag"] != plain.headers["etag"]
    both = {"Accept-Encoding": "gzip", "If-None-Match": small.headers["etag"]}
    assert client.get(path, headers=both).status_code == 304


@pytest.mark.parametrize("path", ["/", "/page/js/api.js"])
def test_head_works(client, path: str) -> None:
    got, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert {**head.headers, "x-request-id": ""} == {**got.headers, "x-request-id": ""}


# What is not there


@pytest.mark.parametrize(
    "path",
    [
        *("/page", "/page/", "/page/no.js", "/page/js", "/page/js/", "/page//index.html", "/page/%2e/index.html"),
        *("/page/%2e%2e/app.py", "/page/..%2fapp.py", "/page/js/%2e%2e/%2e%2e/app.py", "/page/js%5capi.js"),
        *("/page/%2fetc/passwd", "/page/index.html%00", "/page/INDEX.HTML", "/index.html", "/page/%ff"),
    ],
)
def test_nothing_else_is_served(client, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert response.headers["content-security-policy"].startswith("default-src 'none'; base-uri")


@pytest.mark.parametrize("path", ["/", "/page/js/api.js"])
def test_it_is_only_read(client, path: str) -> None:
    response = client.post(path)
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")


# Who may read it


def test_it_needs_no_key_and_has_no_limits(make_client) -> None:
    client = make_client(api_keys=f"ada:{KEY}", rate_limit_per_minute=1)
    for path in ("/", "/page/js/api.js", "/page/no.js", "/", "/page/js/dom.js"):
        response = client.get(path)
        assert response.status_code == (404 if "no.js" in path else 200)
        assert "ratelimit" not in response.headers
    assert client.get("/page").status_code == 401
    assert client.get("/presets").status_code == 401


def test_a_link_on_another_site_leads_to_it(client) -> None:
    sent = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert client.get("/", headers=sent).status_code == 200


def test_a_browser_that_asks_for_another_name_is_told_in_a_page(client) -> None:
    sent = {"Host": "page.example", "Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    response = client.get("/", headers=sent)
    assert (response.status_code, response.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert "NST_ALLOWED_HOSTS" in response.text
    assert not re.search("<script|<style|page.example", response.text)
    assert response.headers["content-security-policy"].startswith("default-src 'none'; base-uri")
    assert client.get("/", headers={"Host": "page.example"}).json()["code"] == "other_host"


# Below a path


@pytest.fixture
def below(make_client):
    return make_client(root_path="/nst")


def test_it_lives_below_a_path_whether_or_not_the_proxy_takes_it_away(below) -> None:
    for root in ("/nst", ""):
        assert below.get(f"{root}/").content == FILES["index.html"].read_bytes()
        assert below.get(f"{root}/page/js/api.js").status_code == 200


@pytest.mark.parametrize("settings", [{}, {"api_keys": f"ada:{KEY}"}])
def test_the_path_leads_to_its_slash(make_client, settings: dict[str, str]) -> None:
    client = make_client(root_path="/nst", **settings)
    response = client.get("/nst", follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (308, "/nst/")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert client.get("/nst?a=b%20c", follow_redirects=False).headers["location"] == "/nst/?a=b%20c"
    assert client.get("/nst").status_code == 200
    assert client.get("/nstx").status_code in (401, 404)


@pytest.mark.parametrize("name", FILES)
def test_all_its_addresses_are_relative(name: str) -> None:
    text = FILES[name].read_text()
    found = re.findall(r"""(?:src|href|from|import|url)\s*[=( ]\s*["']?(/[^"'>)\s]*|https?:[^"'>)\s]*)""", text)
    assert [address for address in found if not address.startswith("http://www.w3.org/")] == []
