"""The vendored lists: their rows, and how a host is found in them."""

from __future__ import annotations

import re

import pytest

from logagg.parse.channels.sources import AI, CATEGORIES, SEARCH, SOCIAL, Source, Sources, _rows, sources

LISTS = ("more_sources.tsv", "sources.tsv")
HOST = re.compile(r"(?:[a-z0-9_-]+|\{\})(?:\.(?:[a-z0-9_-]+|\{\}))+")


@pytest.mark.parametrize("name", LISTS)
def test_rows(name: str) -> None:
    rows = list(_rows(name))
    assert len(rows) > 50
    for category, title, hosts, *_ in rows:
        assert category in CATEGORIES
        assert title == title.strip() != ""
        assert hosts
        for host in hosts.split():
            assert HOST.fullmatch(host), host
            assert not host.startswith("www.")


def test_lists_say_where_they_are_from() -> None:
    for name in (*LISTS, "spam.tsv"):
        head = _head(name)
        assert "licence" in head or "CC0-1.0" in head or "public domain" in head


def _head(name: str) -> str:
    from pathlib import Path

    from logagg.parse.channels import sources as module

    return Path(module.__file__).with_name(name).read_text("utf-8").splitlines()[0]


def test_the_first_list_counts() -> None:
    assert sources().of_host("t.co") == Source("X", SOCIAL)
    assert sources().called("twitter") == Source("X", SOCIAL)
    assert sources().called("Twitter.com") == Source("X", SOCIAL)


def test_hosts_below_a_search_engine_are_others() -> None:
    assert sources().of_host("google.com") == sources().of_host("google.com.br") == Source("Google", SEARCH)
    assert sources().of_host("mail.google.com") != Source("Google", SEARCH)
    assert sources().of_host("play.google.com") is None
    assert sources().of_host("google.evil") is None


def test_hosts_below_others_are_the_same() -> None:
    assert sources().of_host("a.b.chatgpt.com") == Source("ChatGPT", AI)
    assert sources().of_host("xchatgpt.com") is None


@pytest.mark.parametrize("host", ["", ".", "..", "com", ".com", "a" * 5000, ".".join("a" * 3000), "{}", "google.{}x"])
def test_any_host(host: str) -> None:
    assert sources().of_host(host) is None
    assert not sources().is_spam(host)


def test_spam() -> None:
    found = Sources(spam=frozenset({"semalt.com"}))
    assert [found.is_spam(one) for one in ("semalt.com", "a.semalt.com", "xsemalt.com", "com")] == [
        True,
        True,
        False,
        False,
    ]
