"""Templates of lines of keys and values."""

import pytest

from logagg.parse.detect import detect
from logagg.parse.formats.format import NO_PERSONAL_FIELDS
from logagg.parse.logfmt import logfmt_templates

pytestmark = pytest.mark.unit

NOW = 1_795_900_000.0
LINE = (
    'time=2026-11-27T08:00:00Z level=info method=GET path="/a b" status=200 bytes=12 duration=5ms remote_addr=192.0.2.1'
)
TEMPLATE = 'time=<time_any> level=<> method=<method> path="<target>" status=<status> bytes=<bytes> duration=<seconds> remote_addr=<client>'


def templates(*lines: str) -> list[str]:
    return list(logfmt_templates([line.encode() for line in lines], NOW, NO_PERSONAL_FIELDS))


def test_keys_make_a_template() -> None:
    assert templates(LINE, f"{LINE}\r", "noise") == [TEMPLATE]
    assert (fmt := detect([LINE.encode()], NOW)) and fmt.name == TEMPLATE


@pytest.mark.parametrize(
    "line",
    [
        LINE.replace("status=", "code_of="),
        LINE.replace("time=", "t0="),
        LINE.replace(" level=", " level "),
        LINE.replace("bytes=", "status="),
        f"GET {LINE}",
        "a=1",
        "",
    ],
)
def test_other_lines_make_none(line: str) -> None:
    assert templates(line) == []


def test_further_pairs_are_not_a_part_of_the_last_value() -> None:
    line = LINE.replace(" remote_addr=192.0.2.1", "")
    [template] = templates(line.replace(" duration=5ms", ""))
    assert template.endswith("bytes=<bytes:bare>")
