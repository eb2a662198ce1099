"""The page as a file: nothing in its data ends a script element, and only its own script runs."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.errors import LogaggError
from logagg.explore import document
from logagg.explore.document import FileRequest, answers, script_json
from logagg.explore.facts import Facts
from logagg.explore.query import Ask
from tests.units.explore.conftest import HOSTILE

NOW = datetime(2026, 11, 30, tzinfo=UTC)
INDEX = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>logagg</title>
  <link rel="icon" href="icon.svg">
  <link rel="stylesheet" href="app.css">
  <script type="module" src="app.js"></script>
</head>
<body><main id="app"></main></body>
</html>
"""
SCRIPT = "const a = '</script><!--';\r\nif (1 <\t/script/.length) document.title = a // \u2028\n"
STYLE = 'main::after { content: "</style><script>alert(1)</script>" }\n'
FILES = {"index.html": INDEX, "app.js": SCRIPT, "app.css": STYLE, "THIRD-PARTY.txt": "Some licence --> here\n"}


@pytest.fixture
def page_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, newline="")
    monkeypatch.setattr(document, "files", lambda: tmp_path)
    return tmp_path


class Read(HTMLParser):
    """The elements of a document in their order, and the text of scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[dict[str, str | None]] = []
        self.texts: dict[int, str] = {}
        self.comments: list[str] = []
        self.ended = True
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ended = False
        self.tags.append(tag)
        self.attributes.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        self.ended = True

    def handle_data(self, data: str) -> None:
        if not self.ended:
            place = len(self.tags) - 1
            self.texts[place] = self.texts.get(place, "") + data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def texts_of(self, tag: str) -> list[str]:
        return [self.texts.get(place, "") for place, one in enumerate(self.tags) if one == tag]


HOSTILE_DATA = {"x": HOSTILE, HOSTILE: ["<!--<script>", "]]>", "\u2028\u2029", "</SCRIPT >", "&lt;"]}


def test_a_document_has_its_data_and_runs_its_own_script_only(page_files: Path) -> None:
    read = Read(document.document(HOSTILE_DATA).decode())
    assert read.tags == ["html", "head", "meta", "meta", "title", "style", "body", "main", "script", "script"]
    assert read.comments == ["\nSome licence - -> here\n"]
    data, script = read.texts_of("script")
    assert json.loads(data) == HOSTILE_DATA
    assert read.attributes[8] == {"type": "application/json", "id": "logagg-data"}
    assert read.attributes[9] == {"type": "module"} and r"\x3C/script>\x3C!--" in script and "\r" not in script
    [style] = read.texts_of("style")
    policy = str(read.attributes[3]["content"])
    for text in (script, style):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy and "http" not in policy


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
@pytest.mark.slow
def test_any_data_stay_in_their_element(data: object) -> None:
    text = script_json(data)
    assert json.loads(text) == data
    assert not {"<", ">", "&", "\u2028", "\u2029"} & set(text)


@pytest.mark.parametrize("name", FILES)
def test_missing_files_are_reported(page_files: Path, name: str) -> None:
    (page_files / name).write_text("\n")
    with pytest.raises(LogaggError, match=f"the page's {name} is missing"):
        document.document({})
    (page_files / name).unlink()
    with pytest.raises(LogaggError, match=f"the page's {name} is missing"):
        document.document({})


@pytest.mark.slow
def test_a_hostile_lake_is_only_text(page_files: Path, hostile_root: Path) -> None:
    data = answers(hostile_root, FileRequest(compare="previous"), NOW.timestamp())
    html = document.document(data)
    read = Read(html.decode())
    [text, _] = read.texts_of("script")
    [row] = json.loads(text)["page"]["panels"]["pages"]["rows"]
    assert row["path"] == f"/{HOSTILE}"
    assert read.tags.count("script") == 2 and HOSTILE.encode() not in html


def test_the_window_is_the_day_before_the_newest_data(ask: Ask, facts: Facts) -> None:
    now, newest = NOW.timestamp(), datetime(2026, 3, 5, tzinfo=UTC)
    day = timedelta(days=1)

    def window(**options: str) -> tuple[datetime, datetime]:
        period = FileRequest(**options).scope(facts, ask, now).period  # type: ignore[arg-type]
        return period.since, period.until

    assert window() == (newest - day, newest)
    assert window(until="2026-03-04T12:00") == (newest - 1.5 * day, newest - 0.5 * day)
    assert window(since="2026-03-01") == (datetime(2026, 3, 1, tzinfo=UTC), NOW)
    assert window(since="2d", until="1d") == (NOW - 2 * day, NOW - day)


@pytest.mark.slow
def test_site_and_robots_narrow_the_page(demo_lake: Path, ask: Ask) -> None:
    asked = FileRequest("2026-03-02", "2026-03-05", site="shop.example.com", bots="exclude", rows=3)
    data = answers(demo_lake, asked, NOW.timestamp())
    [(hits,)] = ask("SELECT sum(hits) FROM traffic WHERE site = 'shop.example.com' AND NOT is_bot").rows
    assert data["page"]["totals"]["now"]["hits"] == hits
    assert max(len(panel["rows"]) for panel in data["page"]["panels"].values()) == 3
    assert "countries" not in data["page"]["panels"] and data["lake"]["name"] == "lake"
    assert data["status"]["newest"] == data["lake"]["newest"]
