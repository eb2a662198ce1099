"""Which format JSON lines have: by the names of their keys, and by the values where a name is not enough."""

import json
from typing import Any

import pytest

from logagg.parse.formats.format import NO_PERSONAL_FIELDS, Format, PersonalFields
from logagg.parse.json_detect import json_formats, unclear_keys

NOW = 1_795_900_000.0
USUAL = {"time": "2026-11-27T12:00:00Z", "status": 200, "url": "/a"}


def written(*records: dict[str, Any]) -> list[bytes]:
    return [json.dumps(record).encode() for record in records]


def found(*records: dict[str, Any], personal: PersonalFields = NO_PERSONAL_FIELDS) -> Format | None:
    return next(json_formats(written(*records), NOW, personal), None)


def fields(*records: dict[str, Any], personal: PersonalFields = NO_PERSONAL_FIELDS) -> dict[str, str]:
    """The path of each field of the format that is found, which is no product's."""
    fmt = found(*records, personal=personal)
    assert fmt and fmt.name.startswith("json:")
    return {field: path for path, field in fmt.keys.items()}


@pytest.mark.parametrize("needed", ["time", "status", "url"])
def test_a_time_a_status_and_a_request_are_needed(needed: str) -> None:
    assert found(USUAL)
    assert not found({key: value for key, value in USUAL.items() if key != needed})


def test_lines_that_are_no_objects() -> None:
    assert not list(json_formats([b"", b"[1]", b"{", b"x"], NOW, NO_PERSONAL_FIELDS))


@pytest.mark.parametrize("key", ["user_agent", "userAgent", "User-Agent", "UserAgent", "http_user_agent", "ua"])
def test_marks_and_capitals_do_not_matter(key: str) -> None:
    assert fields({**USUAL, key: "curl"})["agent"] == key


def test_what_is_around_the_fields_does_not_matter() -> None:
    record = {
        "ts": 1795780800123,
        "http": {"request": {"method": "GET", "url": "/a", "size": 7}, "response": {"status": 200, "size": 5}},
        "headers": {"user-agent": ["curl"]},
    }
    assert fields(record) == {
        "time_any": "ts",
        "method": "http.request.method",
        "target": "http.request.url",
        "status": "http.response.status",
        "bytes": "http.response.size",
        "agent": "headers.user-agent",
    }


@pytest.mark.parametrize(
    ("value", "field"),
    [("GET /a HTTP/1.1", "request"), ("/a?b=c", "target"), ("https://example.com/", "target"), ("*", "target")],
)
def test_the_values_decide_what_request_means(value: str, field: str) -> None:
    record = {"time": "2026-11-27T12:00:00Z", "status": 200, "verb": "GET", "request": value, "path": "/var/log/a.log"}
    chosen = fields(record)
    assert chosen[field] == "request"
    assert ("method" in chosen) == (field == "target")


def test_a_method_called_request() -> None:
    chosen = fields({**USUAL, "request": "GET"})
    assert (chosen["method"], chosen["target"]) == ("request", "url")


def test_a_path_and_its_query() -> None:
    apart = {"time": "2026-11-27T12:00:00Z", "status": 200, "uri": "/a", "args": "b=c"}
    assert {"path": "uri", "query": "args"}.items() <= fields(apart).items()
    assert fields({**apart, "uri": "/a?b=c"})["target"] == "uri"


def test_a_client_is_an_address_where_the_name_may_mean_something_else() -> None:
    assert "client" not in fields({**USUAL, "client": "mobile-app"})
    assert fields({**USUAL, "client": "192.0.2.1:443"})["client"] == "client"
    assert fields({**USUAL, "client": "[2001:db8::1]"})["client"] == "client"
    assert fields({**USUAL, "remote_addr": "a1b2c3"})["client"] == "remote_addr"


def test_a_code_is_a_status_only_with_three_digits() -> None:
    assert not found({"time": "2026-11-27T12:00:00Z", "url": "/a", "code": "E17"})


@pytest.mark.parametrize(
    "time",
    [
        1795780800,
        1795780800.123,
        "1795780800.123",
        1795780800123,
        1795780800123456,
        1795780800123456789,
        "2026-11-27T12:00:00.123456789Z",
        "2026-11-27 12:00:00,123",
        "27/Nov/2026:12:00:00.123 +0100",
        "Fri, 27 Nov 2026 12:00:00 GMT",
    ],
)
def test_times_of_any_form(time: object) -> None:
    assert fields({**USUAL, "time": time})["time_any"] == "time"


def test_a_key_is_a_time_only_if_all_its_values_are_plausible_ones() -> None:
    records = [{"status": 200, "url": "/a", "time": 0.012, "ts": 1795780800}, {**USUAL, "ts": 1795780801}]
    assert fields(*records)["time_any"] == "ts"
    assert not found({**USUAL, "time": 17})


def test_a_product_is_told_by_its_keys_and_preferred() -> None:
    record = {"EdgeResponseStatus": 200, "EdgeStartTimestamp": "2026-11-27T12:00:00Z", "ClientRequestURI": "/"}
    fmt = found(record)
    assert fmt and fmt.name == "cloudflare"


def test_a_log_with_the_telling_keys_but_another_request_is_no_products() -> None:
    record = {"@timestamp": "2026-11-27T12:00:00Z", "http.response.status_code": 200, "http.request.method": "GET"}
    assert fields({**record, "http.request.uri": "/a"})["target"] == "http.request.uri"


def test_users_are_read_only_if_asked_for() -> None:
    record = {**USUAL, "user": "alice", "session": "s1"}
    assert not {"user", "user_id"} & fields(record).keys()
    asked = fields(record, personal=PersonalFields("session", users=True))
    assert (asked["user"], asked["user_id"]) == ("user", "session")


@pytest.mark.parametrize(
    ("key", "values", "field"),
    [
        ("duration_ms", [5, 7], "milliseconds"),
        ("took_us", [5, 7], "microseconds"),
        ("latencyNs", [5, 7], "nanoseconds"),
        ("response_time_seconds", [5, 7], "seconds"),
        ("elapsed", ["12ms", "1.5s"], "seconds"),
        ("rt", ["0.000", "0.250"], "seconds"),
        ("elapsed", [125, 3], "milliseconds"),
        ("upstream_time", ["0.010, 0.020", "-"], "upstream_seconds"),
        ("upstream_duration_ms", [5, 7], "upstream_milliseconds"),
    ],
)
def test_durations_with_a_unit_by_name_or_by_proof(key: str, values: list[object], field: str) -> None:
    records = [{**USUAL, key: value} for value in values]
    assert fields(*records)[field] == key


def test_a_duration_that_could_be_of_several_units_is_named_and_not_read() -> None:
    records = [{**USUAL, "took": 0}, {**USUAL, "took": 2}]
    fmt = found(*records)
    assert fmt
    assert "took" not in fmt.keys
    assert unclear_keys(written(*records), fmt) == ["took"]
    assert unclear_keys(written({**USUAL, "took": 125}), fmt) == ["took"], "it is not read, whatever it could be"


def test_keys_that_a_name_cannot_hold() -> None:
    assert "agent" not in fields({**USUAL, "user=agent": "curl", "user,agent": "curl"})


def test_a_path_that_the_scanner_cannot_compare_is_no_key() -> None:
    assert fields({**USUAL, "_" * 250 + "agent": "curl"})["agent"]
    assert "agent" not in fields({**USUAL, "_" * 252 + "agent": "curl"})
