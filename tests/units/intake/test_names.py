"""The stream and the age of a log, according to its name."""

from __future__ import annotations

import pytest

from logagg.intake.names import are_of_two_sites, are_related, describe, is_dated

ROTATIONS = {
    "access.log": (
        "access.log.1 access.log.1.gz access.log.0 access.log.0.bz2 access.log.12345.gz access.log.2.xz access.log.3.zst access.log.gz "
        "access.log-20261129 access.log-20261129.gz access.log-20261129-1732838400.gz access.log-2026-11-29-10:30 access.log_20261129 "
        "access.log.20261129T101500Z access.log-2026112913 access.log.2026-11-29-00_00_00 access.log.1732838400 access.log.202611.gz "
        "access.log.2026-W48.gz access.log.2026-11-29.1.gz access.log.2026-11-29-1732838400.gz access-20261129.log access-20261129.log.gz "
        "access-2026-11-29T00-00-00.000.log.gz access.2026-11-29.log.gz access-2026-11-29-1.log.gz access.2026-11.log access.log.bak.gz "
        "access.log.old access.log~ access.log.Sun access.log.Nov.gz access.log.save"
    ),
    "access_log": "access_log.Sun.gz access_log.1 access_log.2026-11-29",
    "localhost_access_log.txt": "localhost_access_log.2026-11-29.txt",
    "u_ex.log": "u_ex261129.log u_ex26112913.log u_ex2611.log",
}
LIVE = "access.log site-1.log site.2026.log 1.log .gz app.1.log 10.0.0.1.access.log current @400000006749a3b1.s old-access.log"


@pytest.mark.parametrize(
    ("stream", "name"), [(stream, name) for stream, names in ROTATIONS.items() for name in names.split()]
)
def test_the_names_of_rotations(stream: str, name: str) -> None:
    found = describe(f"/x/{name}")
    assert (found.stream, found.live) == (f"/x/{stream}", False)


@pytest.mark.parametrize("name", LIVE.split())
def test_other_names_are_live_logs(name: str) -> None:
    found = describe(f"/x/{name}")
    assert (found.stream, found.live) == (f"/x/{name}", True)


@pytest.mark.parametrize(
    "names",
    [
        "access.log.10.gz access.log.2.gz access.log.1 access.log.0 access.log",
        "access.log-20261128.gz access.log-20261128-1732838400 access.log-20261129 access.log.1 access.log.gz access.log",
        "access-2026-11-28T10-00-00.000.log access-2026-11-29T09-00-00.000.log.gz",
        "u_ex26112822.log u_ex26112900.log",
        "access.log.1732838400 access.log.1732924800",
        "access.log.2026-W47 access.log.2026-W48",
    ],
)
def test_ages_sort_the_oldest_first(names: str) -> None:
    ages = [describe(f"/x/{name}").age for name in names.split()]
    assert sorted(ages) == ages
    assert len(set(ages)) == len(ages)


def test_a_date_is_that_of_a_plain_file() -> None:
    assert is_dated(describe("access.log.2026-11-29"))
    assert not is_dated(describe("access.log.2026-11-29.gz"))
    assert not is_dated(describe("access.log.1"))


@pytest.mark.parametrize(
    ("one", "other", "related"),
    [
        ("/a/access.log", "/b/access.log.1.gz", True),
        ("/a/access.log", "/a/old-access.log.gz", True),
        ("/a/access.log.bak", "/a/access.log.2", True),
        ("/a/site1.access.log", "/a/site2.access.log", False),
        ("/a/site1.access.log.1.gz", "/a/site2.access.log.1", False),
    ],
)
def test_names_of_one_log_are_related(one: str, other: str, related: bool) -> None:
    assert are_related(one, other) is related
    assert are_related(other, one) is related


@pytest.mark.parametrize(
    ("one", "other", "two"),
    [
        ("/a/shop.access.log", "/a/blog.access.log", True),
        ("/a/shop.example.com.access.log", "/a/access.log", True),
        ("/a/old.access.log", "/a/access.log", False),
        ("/a/access.log", "/b/access.log", False),
        ("/a/access.log.1", "/a/access.log", False),
        ("/a/x-access.log", "/a/access.log", False),
    ],
)
def test_a_log_is_named_after_its_site(one: str, other: str, two: bool) -> None:
    assert are_of_two_sites(one, other) is two
    assert are_of_two_sites(other, one) is two
