"""Who is answered, and with which headers."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from logagg.serve.guard import POLICY, Access, secret_of
from tests.units.serve.conftest import OpenClient

TOKEN = "a-token-of-some-length"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8080",
        "127.0.0.1",
        "localhost",
        "localhost:1",
        "LOCALHOST",
        "a.localhost:8080",
        "[::1]:8080",
        "10.0.0.7",
    ],
)
def test_names_of_this_machine(host: str, client: TestClient) -> None:
    assert client.get("/api/openapi.json", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "notlocalhost",
        "",
        "[::1",
        "a b",
    ],
)
def test_other_names_are_refused(host: str, client: TestClient) -> None:
    answer = client.get("/api/openapi.json", headers={"Host": host})
    assert (answer.status_code, answer.json()["error"]) == (421, "not a name of this server")


def test_a_name_that_was_given(client_of: OpenClient) -> None:
    client = client_of(Access(hosts=("logs.example",)))
    assert client.get("/", headers={"Host": "logs.example"}).status_code == 200
    assert client.get("/", headers={"Host": "logs.example.evil"}).status_code == 421


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
def test_pages_elsewhere_are_refused(site: str, client: TestClient) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
    assert client.get("/api/status", headers=headers).status_code == 403
    framed = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    assert client.get("/", headers=framed).status_code == 403
    followed = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert client.get("/", headers=followed).status_code == 200, "a person followed a link"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_but_reading(method: str, client: TestClient) -> None:
    answer = client.request(method, "/api/lake", headers={"Origin": "https://evil.example"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/app.js", "/api/lake", "/api/nothing", "/metrics", "/api/panels/pages?limit=x"])
def test_headers_of_all_answers(path: str, client: TestClient) -> None:
    headers = client.get(path, headers={"Origin": "https://evil.example"}).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers
    assert not [name for name in headers if name.startswith("access-control")]


class TestToken:
    @pytest.fixture
    def client(self, client_of: OpenClient) -> TestClient:
        return client_of(Access(TOKEN, root_path="/logs"))

    @pytest.mark.parametrize("path", ["/", "/app.js", "/api/lake", "/api/events", "/metrics"])
    def test_nothing_without(self, path: str, client: TestClient) -> None:
        answer = client.get(path)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")

    @pytest.mark.parametrize("given", ["", "x", TOKEN + "x", TOKEN[:-1], secret_of(TOKEN), "ä"])
    def test_a_wrong_one(self, given: str, client: TestClient) -> None:
        assert client.get("/api/lake", params={"token": given}).status_code == 401
        headers = {b"Authorization": f"Bearer {given}".encode(), b"Cookie": f"logagg={given}".encode()}
        if given != secret_of(TOKEN):
            assert client.get("/api/lake", headers=headers).status_code == 401

    def test_programs_send_it(self, client: TestClient) -> None:
        assert client.get("/api/lake", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200

    def test_once_in_the_address_then_in_a_cookie(self, client: TestClient) -> None:
        answer = client.get("/", params={"token": TOKEN, "is": "path:/a b", "since": "1h"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/logs/?is=path%3A%2Fa+b&since=1h")
        cookie = answer.headers["set-cookie"]
        assert TOKEN not in cookie
        assert all(one in cookie for one in ("HttpOnly", "SameSite=lax", "Path=/logs/")) and "Secure" not in cookie
        client.cookies.set("logagg", secret_of(TOKEN))
        assert client.get("/api/lake").status_code == 200

    @pytest.mark.parametrize("path", ["//evil.example", "//evil.example/..", "/\\evil.example"])
    @pytest.mark.slow
    def test_it_leads_nowhere_else(self, path: str, client: TestClient) -> None:
        location = client.get(f"http://127.0.0.1:8080{path}", params={"token": TOKEN}).headers["location"]
        assert location.startswith("/logs/") and "//" not in location
