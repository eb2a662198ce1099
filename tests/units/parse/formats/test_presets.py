"""The table of named formats."""

from __future__ import annotations

import pytest

from logagg.errors import FormatError
from logagg.parse.formats.compile import compile_format
from logagg.parse.formats.format import missing_of
from logagg.parse.formats.json_presets import JSON_PRESETS
from logagg.parse.formats.presets import PRESETS, Preset
from tests.conftest import ROOT

BY_OTHERS = {
    "combined-time": "nginx-timed",
    "vhost-common": "cases",
    "php-reason": "php",
}  # fixtures of formats that have none of their name
STATUSLESS = {"w3c", "ssl-request"}  # the first one's columns are in the log


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_each_format_compiles_and_has_a_fixture(preset: Preset) -> None:
    name = f"docker+{preset.name}" if preset.outer_time else preset.name
    fmt = compile_format(name)
    assert fmt.name == name
    times = {"time_any"} if preset.outer_time else set()
    assert not missing_of(fmt.fields | times) or preset.name in STATUSLESS
    folder = BY_OTHERS.get(preset.name, preset.name)
    assert any((ROOT / "fixtures" / where).exists() for where in (folder, f"formats/{folder}"))


def test_names_are_of_one_format_each() -> None:
    names = [name for one in (*PRESETS, *JSON_PRESETS) for name in (one.name, *one.aliases)]
    assert len(names) == len(set(names))
    assert all(name == name.lower() for name in names)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("combind", "the names are combined, "),
        ("HAPROXI", "the names are haproxy, "),
        ("nonsense", "neither a name nor a string; the names are w3c, alb, "),
        ("uvicorn", "its lines have no time"),
        ("combined@Europe/Berlin", "its times say their offset; leave out @Europe/Berlin"),
        ("haproxy@Europe/Nowhere", "there is no time zone Europe/Nowhere"),
        ("<client> [<tim_any>] <request> <status>", "there is no field <tim_any>; did you mean <time_any>?"),
    ],
)
def test_what_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(FormatError) as refused:
        compile_format(text)
    assert complaint in str(refused.value) and "\n" not in str(refused.value)


def test_the_zone_is_a_part_of_the_name() -> None:
    fmt = compile_format("haproxy@Europe/Berlin")
    assert (fmt.name, fmt.zone) == ("haproxy@Europe/Berlin", "Europe/Berlin")
    assert compile_format("syslog+haproxy@Europe/Berlin").zone == "Europe/Berlin"


def test_a_template_may_have_a_zone() -> None:
    text = "<client> [<time_zoneless>] <request> <status>@Asia/Tokyo"
    assert (compile_format(text).name, compile_format(text).zone) == (text, "Asia/Tokyo")
