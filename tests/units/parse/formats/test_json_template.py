"""Templates of JSON, nested and of both servers."""

import pytest

from logagg.errors import FormatError
from logagg.parse.formats.compile import compile_format
from logagg.parse.formats.format import NO_PERSONAL_FIELDS, PersonalFields
from logagg.parse.formats.json_template import json_template


def fields(text: str) -> dict[str, str]:
    """The path of each field."""
    return {field: path for path, field in json_template(text, NO_PERSONAL_FIELDS).items()}


def test_nested_objects_and_arrays() -> None:
    template = (
        '{"ts":"$msec","request":{"client_ip":"$remote_addr","method":"$request_method","host":"$host","uri":"$request_uri",'
        '"headers":{"User-Agent":["$http_user_agent"]}},"duration":$request_time,"size":$body_bytes_sent,"status":$status}'
    )
    assert fields(template) == {
        "time_epoch": "ts",
        "client": "request.client_ip",
        "method": "request.method",
        "host": "request.host",
        "target": "request.uri",
        "agent": "request.headers.User-Agent.0",
        "seconds": "duration",
        "bytes": "size",
        "status": "status",
    }


def test_blanks_braces_and_commas_too_many() -> None:
    assert fields(
        '{ "t" : "${time_iso8601}" , "s":${status}, "fixed": "nginx", "n": null, "r": "$request", "o":{}, "a":[1,2,] , }'
    ) == {"time_iso8601": "t", "status": "s", "request": "r"}


def test_the_json_that_guides_recommend_for_apache() -> None:
    line = (
        r'LogFormat "{ \"time\":\"%{%Y-%m-%d}tT%{%T}t.%{msec_frac}tZ\", \"process\":\"%D\", \"filename\":\"%f\", '
        r"\"remoteIP\":\"%a\", \"host\":\"%V\", \"request\":\"%U\", \"query\":\"%q\", \"method\":\"%m\", "
        r'\"status\":\"%>s\", \"userAgent\":\"%{User-agent}i\", \"referer\":\"%{Referer}i\" }" cloudwatch'
    )
    assert {field: path for path, field in compile_format(line).keys.items()} == {
        "time_any": "time",
        "microseconds": "process",
        "client": "remoteIP",
        "host": "host",
        "path": "request",
        "query": "query",
        "method": "method",
        "status": "status",
        "agent": "userAgent",
        "referrer": "referer",
    }


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("%t", "time_local"),
        ("%{%Y-%m-%dT%H:%M:%S%z}t", "time_any"),
        ("%{%d/%b/%Y:%T}t.%{msec_frac}t %{%z}t", "time_any"),
        ("%{msec}t", "time_any"),
        ("%{%H:%M}t", ""),
        ("%r", "request"),
        ("%m %U%q %H", "request"),
        ("$request_method $request_uri $server_protocol", "request"),
        ("$scheme://$host$request_uri", "target"),
        ("https://$host$uri", "target"),
        ("%U%q", "target"),
        ("$remote_addr:$remote_port", "client"),
        ("$remote_addr and $host", ""),
        ("constant", ""),
    ],
)
def test_values_made_of_several(value: str, field: str) -> None:
    assert list(json_template(f'{{"x":"{value}"}}', NO_PERSONAL_FIELDS).values()) == ([field] if field else [])


@pytest.mark.parametrize("text", ["{", '{"a"}', '{"a":"$status"', '{"a":"$status"}}', "{$status}", '{"a":["$status"}'])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="not a JSON object at"):
        compile_format(text)


def test_a_template_without_the_needed_fields_is_refused() -> None:
    with pytest.raises(FormatError, match="no status"):
        compile_format('{"request":{"t":"$msec","uri":"$request_uri"}}')


def test_values_that_identify_people_are_read_only_if_asked_for() -> None:
    template = '{"u":"$remote_user","c":"$cookie_uid"}'
    assert json_template(template, NO_PERSONAL_FIELDS) == {}
    assert json_template(template, PersonalFields("cookie_uid", users=True)) == {"u": "user", "c": "user_id"}
