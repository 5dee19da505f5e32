"""The names by which the service may be asked for."""

import pytest
from pydantic import ValidationError

from api.settings import ApiSettings


def status(client, host: str) -> int:
    return client.get("/presets", headers={"Host": host}).status_code


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:8000", "192.168.1.5", "[::1]:8000", "[fd00::5]", "8.8.8.8"),
        *("localhost:8000", "LOCALHOST", "nst.localhost", "nas", "nas:8000", "server"),
        *("nas.local", "nas.local.", "nas.lan:80", "nst.internal", "nas.home.arpa", ""),
    ],
)
def test_addresses_and_private_names_are_allowed(client, host: str) -> None:
    assert status(client, host) == 200


@pytest.mark.parametrize(
    "host",
    [
        *("page.example", "page.example:8000", "127.0.0.1.page.example", "localhost.page.example", "page.example."),
        *("1.2.3", "1.2.3.4.5", "127.0.0.1@page.example", "local.example", "[::1].page.example"),
    ],
)
def test_names_that_a_page_can_have_are_refused(client, png: bytes, host: str) -> None:
    response = client.get("/jobs", headers={"Host": host})
    assert (response.status_code, response.json()["code"]) == (403, "other_host")
    assert "NST_ALLOWED_HOSTS" in response.json()["detail"]
    sent = client.post("/jobs", files={"content": png, "style": png}, headers={"Host": host})
    assert (sent.status_code, client.get("/jobs").json()["items"]) == (403, [])


def test_names_of_one_s_own_are_a_setting(make_client) -> None:
    client = make_client(allowed_hosts="NST.example.org, *.home.example")
    hosts = ("nst.example.org", "Nst.Example.org:8000", "a.home.example", "a.b.home.example", "localhost")
    assert {status(client, host) for host in hosts} == {200}
    others = ("example.org", "x.nst.example.org", "home.example", "xhome.example", "page.example")
    assert {status(client, host) for host in others} == {403}
    assert status(make_client(allowed_hosts="*"), "page.example") == 200


def test_with_keys_no_name_is_refused(make_client) -> None:
    client = make_client(api_keys="ada:0123456789abcdef")
    assert status(client, "page.example") == 401
    assert client.get("/presets", headers={"Host": "a.example", "X-API-Key": "0123456789abcdef"}).status_code == 200


@pytest.mark.parametrize("names", ["http://a.example", "a.example:8000", "a b", "*.*", "a*", "a..b"])
def test_names_that_cannot_be_are_no_setting(monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    monkeypatch.setenv("NST_ALLOWED_HOSTS", names)
    with pytest.raises(ValidationError, match="allowed_hosts"):
        ApiSettings()
