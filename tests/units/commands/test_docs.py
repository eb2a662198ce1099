"""The documentation in the terminal; `tests/packages` has the same of an installed wheel."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from logagg.commands.docs import Page, docs, pages, text_of
from logagg.errors import NotFound
from tests.conftest import ROOT

PAGES = {one.stem: one.read_text() for one in (ROOT / "docs").glob("*.md")}


def test_the_list_names_all_pages() -> None:
    said = CliRunner().invoke(docs).output.splitlines()
    assert {line.split()[0] for line in said} == PAGES.keys()
    assert "configuration  Configuration" in said


def test_a_page_by_any_of_its_names() -> None:
    for name in ("events", "events.md", "docs/events.md"):
        assert CliRunner().invoke(docs, [name]).output == PAGES["events"]


def test_a_section_ends_where_the_next_one_begins() -> None:
    section = text_of("docs/events.md#channels")
    assert section.startswith("## Channels\n") and section.count("\n## ") == 0 and section in PAGES["events"]
    assert text_of("operations#privacy").startswith("## Privacy\n")


def test_links_between_pages_name_sections_that_there_are() -> None:
    links = {link for text in PAGES.values() for link in re.findall(r"\]\((\w[\w-]*\.md#[^)]+)\)", text)}
    assert len(links) > 40
    for link in links:
        assert text_of(link).startswith("#"), link


def test_what_messages_and_help_name_is_there() -> None:
    sources = [*(ROOT / "logagg").rglob("*.py"), *(ROOT / "deploy/prometheus").iterdir()]
    named = {name for one in sources for name in re.findall(r"logagg docs ([a-z-]+)", one.read_text())}
    assert {"cluster", "configuration"} <= named <= PAGES.keys()


@pytest.mark.parametrize("page", ["x", "../README", "decisions/0001", "events#x", "/etc/passwd", ""])
def test_names_that_are_none(page: str) -> None:
    with pytest.raises(NotFound, match="there are"):
        text_of(page)


def test_pages_are_completed() -> None:
    assert [one.value for one in Page().shell_complete(None, None, "co")] == ["commands", "configuration"]  # type: ignore[arg-type]
    assert list(pages()) == sorted(PAGES)
