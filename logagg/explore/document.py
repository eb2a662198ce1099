"""The page of `logagg serve` as one file, with the answers for one window in it.

    files of the page, answers ──▶ document(...) ──▶ HTML that loads nothing, and runs no script but the page's

Answers contain values from logs, so the JSON is escaped: no value can end the script element that holds it.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from logagg import __version__
from logagg.errors import LogaggError
from logagg.explore.facts import Facts
from logagg.explore.page import lake_answer, page_answer, span, status_answer
from logagg.explore.query import Ask, asking
from logagg.explore.scope import Scope
from logagg.lake_format import MODELS
from logagg.query import status
from logagg.query.render import as_json
from logagg.query.reports import Bots
from logagg.query.snapshot import connect
from logagg.query.times import moment, zone_of

ROWS = 500  # rows of each panel
WINDOW = timedelta(hours=24)  # the default window, before the newest data

_LINK = re.compile(r"\s*<link\b(?![^>]*\bhref=[\"']data:)[^>]*>", re.IGNORECASE)
_SCRIPT = re.compile(r"\s*<script\b[^>]*\bsrc=[^>]*>\s*</script>", re.IGNORECASE)
_POLICY = re.compile(r"\s*<meta\b[^>]*Content-Security-Policy[^>]*>", re.IGNORECASE)
_HEAD = re.compile(r"<head\b[^>]*>(\s*<meta\s+charset[^>]*>)?", re.IGNORECASE)
_ENDS = re.compile(r"<(?=/script|!--)", re.IGNORECASE)  # ends a script element, or changes where a parser sees its end
_STYLE_ENDS = re.compile(r"<(?=/style|/script|!--)", re.IGNORECASE)
_UNSAFE = {ord(one): f"\\u{ord(one):04x}" for one in "<>&\u2028\u2029"}


@dataclass(frozen=True, slots=True)
class FileRequest:
    """What a file is to show."""

    since: str | None = None
    until: str | None = None
    compare: str = "none"
    site: str | None = None
    bots: Bots = "include"
    zone: str = "UTC"
    rows: int = ROWS
    model: str = MODELS[0]

    def scope(self, facts: Facts, ask: Ask, now: float) -> Scope:
        """Return the scope; without `since`, the window is the day before `until`, or before the newest data."""
        since, until = self.since, self.until
        if since is None:
            end = moment(until, now, "until", zone_of(self.zone)) if until else span(facts, ask)[1]
            if end is not None:
                since, until = (end - WINDOW).isoformat(), end.isoformat()
        is_ = [f"site:{self.site}"] if self.site is not None else []
        return Scope.of(
            now,
            since=since,
            until=until,
            compare=self.compare,
            bots=self.bots,
            is_=is_,
            zone=self.zone,
            model=self.model,
        )


def answers(root: Path, asked: FileRequest, now: float) -> dict[str, Any]:
    """Return the data for the page in a file: {"lake", "page", "status"}. Raises LogaggError, and duckdb.Error."""
    with connect(root) as connection:
        ask = asking(connection)
        facts = Facts.of(ask)
        scope = asked.scope(facts, ask, now)
        lake = lake_answer(root.resolve().name, facts, ask, __version__, since=scope.period.since)
        present = [panel["name"] for panel in lake["panels"] if panel["present"]]
        page = page_answer(scope, facts, ask, panels=present, limit=asked.rows)
        found = status.read(root, connection, now)
    return {"lake": lake, "page": page, "status": status_answer(found, facts.commit, lake["newest"])}


def document(data: Mapping[str, Any]) -> bytes:
    """Return the file. Raises LogaggError if the files of the page are missing."""
    html, script, style = (_text(name) for name in ("index.html", "app.js", "app.css"))
    script, style = _ENDS.sub(r"\\x3C", script), _STYLE_ENDS.sub(r"\\3C ", style)
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    for loaded in (_LINK, _SCRIPT, _POLICY):
        html = loaded.sub("", html)
    meta = f'\n<meta http-equiv="Content-Security-Policy" content="{policy}">'
    licences = _text("THIRD-PARTY.txt").replace("--", "- -")
    end = (
        f"<!--\n{licences}-->\n"
        f'<script type="application/json" id="logagg-data">{script_json(data)}</script>\n'
        f'<script type="module">{script}</script>\n'
    )
    html = _HEAD.sub(lambda found: f"{found[0]}{meta}", html, count=1)
    html = _before("</head>", f"<style>{style}</style>\n", html)
    return _before("</body>", end, html).encode("utf-8", "replace")


def script_json(data: object) -> str:
    """Return JSON without any text that would end a script element for an HTML parser."""
    return as_json(data).translate(_UNSAFE)


def files() -> Traversable:
    """Return the directory of the page's files."""
    return importlib.resources.files("logagg") / "serve" / "static"


def _text(name: str) -> str:
    try:
        text = (files() / name).read_text("utf-8")
    except OSError:
        text = ""
    if not text.strip():
        raise LogaggError(f"the page's {name} is missing in this installation", "install logagg again")
    # A browser replaces line ends in the same way before it computes the hash.
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _before(tag: str, text: str, html: str) -> str:
    """Put a text before a tag."""
    start, found, end = html.rpartition(tag)
    if not found:
        raise LogaggError(f"the page's index.html has no {tag}", "install logagg again")
    return f"{start}{text}{found}{end}"
