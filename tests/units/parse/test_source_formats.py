"""The format of a source: its own, the given one, the remembered one, or what its lines look like."""

from __future__ import annotations

import time

import pytest

from logagg.clock import ManualClock
from logagg.config.logs import LogConfig
from logagg.config.toml import Location
from logagg.errors import ConfigError
from logagg.parse.formats.format import OR
from logagg.parse.source_formats import SourceFormats, check_formats
from logagg.records import Chunk, Fingerprint
from tests.conftest import combined

OWN = {"a": "common", "b": '%h %l %u %t "%r" %>s', "c": "combined"}


def chunk(source: str, data: str) -> Chunk:
    return Chunk(source, 0, 0, len(data), data.encode(), Fingerprint(0, 0, ""))


def formats(given: str = "", known: dict[str, str] | None = None) -> tuple[SourceFormats, list[str]]:
    refused: list[str] = []
    own = lambda source: OWN.get(source, "")  # noqa: E731
    return SourceFormats(given, known or {}, ManualClock(time.time()), refused.append, own=own), refused


def name_of(found: SourceFormats, source: str, data: str) -> str:
    fmt = found.format_of(chunk(source, data))
    return fmt.name if fmt else ""


def test_a_format_of_its_own_goes_before_any_other() -> None:
    line = combined([("/", 200)])
    short = line[: line.index(" 200 ") + 4] + "\n"
    found, refused = formats("combined", {"c": "common", "d": "combined"})
    assert name_of(found, "c", line) == "combined"
    assert name_of(found, "b", short) == OWN["b"], "which no detection would find"
    assert name_of(found, "d", line) == "combined"
    assert (name_of(found, "e", short), name_of(found, "a", "odd\n"), refused) == ("", "", ["e", "a"])


def test_the_remembered_format_is_tried_too() -> None:
    found, _ = formats(known={"c": "common", "d": "common"})
    line = combined([("/", 200)])
    assert (name_of(found, "c", line), name_of(found, "d", line)) == (f"combined{OR}common", "common")


def test_a_log_with_no_line_of_its_own_format_is_read_if_another_is_detected() -> None:
    found, refused = formats()
    assert name_of(found, "a", combined([("/", 200)])) == "common", "the parser finds combined, and says it"
    assert not refused
    strict, refused = formats("vhost-combined")
    assert name_of(strict, "a", combined([("/", 200)])) == "" and refused == ["a"]


def test_a_format_that_cannot_be_understood_names_its_line() -> None:
    place = Location("logagg.toml", {"format": 7})
    with pytest.raises(ConfigError, match=r"logagg\.toml:7: format: log format '\$status': there is no time in it"):
        check_formats([LogConfig("/a", "json"), LogConfig("/b"), LogConfig("/c", "$status", place=place)])


def test_another_header_of_csv_is_in_force_in_the_next_chunk() -> None:
    found, _ = formats()
    header = "time,ip,path,status,bytes\n"
    line = "2026-11-20T00:00:00Z,192.0.2.1,/a,200,404\n"
    swapped = "time,ip,path,bytes,status\n"
    first = name_of(found, "s", header + line + swapped + line)
    assert first == f"csv:time_any,client,target,status,bytes:{header.strip()}"
    assert name_of(found, "s", line) == f"csv:time_any,client,target,bytes,status:{swapped.strip()}"
