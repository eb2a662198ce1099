"""`logagg report` as a command: its formats, its files, terminals of any width, and the page as one file."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import termios
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import Command, combined

DAYS = ("--since", "2026-03-02", "--until", "2026-03-05")
MOST_BYTES = 2_000_000


def test_all_formats_have_the_same_values(demo: Command, tmp_path: Path) -> None:
    def report(form: str) -> str:
        return demo.run("report", "pages", "--limit", 7, "--format", form).stdout

    rows = json.loads(report("json"))
    assert len(rows) == 7
    assert [json.loads(line) for line in report("jsonl").splitlines()] == rows
    for form, dialect in (("csv", "excel"), ("tsv", "excel-tab")):
        found = csv.DictReader(report(form).splitlines(), dialect=dialect)
        assert list(found) == [{name: str(value) for name, value in row.items()} for row in rows]
    head, rule, *lines = report("markdown").splitlines()
    assert head == f"| {' | '.join(rows[0])} |" and rule.count("---:") == 6
    assert [line.split(" | ")[1] for line in lines] == [row["path"] for row in rows]
    demo.run("report", "pages", "--limit", 7, "--format", "parquet", "--output", tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.to_pylist() == rows
    assert (table.schema.field("bytes").type, table.schema.field("bots").type) == (pa.int64(), pa.float64())


def test_times_and_booleans_keep_their_types(demo: Command, tmp_path: Path) -> None:
    for name, column, kind in (("errors", "first", pa.timestamp("us", tz="UTC")), ("agents", "is_bot", pa.bool_())):
        demo.run("report", name, "--format", "parquet", "--output", tmp_path / name)
        assert pq.read_schema(tmp_path / name).field(column).type == kind
    shown = demo.run("report", "agents", "--bots", "only", "--format", "csv").stdout.splitlines()[1]
    assert shown.split(",")[3] == "true"


def test_a_zone_says_whose_days_are_meant(demo: Command) -> None:
    """The machine's for people, UTC for programs, unless an option or the setting says another one."""
    query = "SELECT date_trunc('day', max(ts)) AS day, max(ts) AS last, hour(max(ts)) AS hour FROM traffic"
    berlin = [{"day": "2026-03-05T00:00:00+01:00", "last": "2026-03-05T00:59:00+01:00", "hour": 0}]
    assert demo.sql(query) == [{"day": "2026-03-04T00:00:00Z", "last": "2026-03-04T23:59:00Z", "hour": 23}]
    assert json.loads(demo.run("sql", "--json", "--tz", "Europe/Berlin", query).stdout) == berlin
    demo.env |= {"TZ": "Asia/Tokyo"}
    assert demo.run("sql", query).stdout.splitlines()[1] == "2026-03-05 00:00:00  2026-03-05 08:59:00     8"
    hits = {
        zone: json.loads(demo.run("report", "--json", "--since", "2026-03-04", "--tz", zone).stdout)[0]["hits"]
        for zone in ("UTC", "Asia/Tokyo")
    }
    assert 0 < hits["UTC"] < hits["Asia/Tokyo"], "their day began nine hours earlier"
    demo.env |= {"LOGAGG_TZ": "Europe/Berlin"}
    assert json.loads(demo.run("sql", "--json", query).stdout) == berlin
    [line] = map(json.loads, demo.run("lines", "--json", "--limit", 1, "--where", "hour(ts) = 0").stdout.splitlines())
    assert line["ts"].startswith("2026-03-05T00:")
    said = demo.run("report", "--tz", "Berlin", status=1).stderr
    assert said == 'logagg: tz: \'Berlin\' is not a time zone; write a time zone such as "UTC" or "Europe/Berlin"\n'


def test_an_output_appears_when_it_is_complete(demo: Command, tmp_path: Path) -> None:
    output = tmp_path / "answer"
    assert demo.run("report", "pages", "--json", "--output", output).stdout == ""
    assert len(json.loads(output.read_text())) == 20
    before = output.read_bytes()
    failed = demo.run("report", "sources", "--site", "x", "--output", output, status=1)
    assert "cannot be filtered by site" in failed.stderr and output.read_bytes() == before
    for option in ("--output", "--html"):
        assert "in the lake" in demo.run("report", option, demo.lake / "secret", status=1).stderr
    assert {path.name for path in tmp_path.glob(".*")} == set()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--formula-guard",), "--formula-guard is for csv and tsv, not for table"),
        (("--compare", "week"), "--compare is for --html"),
        (("pages", "--html", "x"), "--html is the whole page"),
        (("--json", "--html", "x"), "--html is the whole page"),
    ],
)
def test_options_that_do_not_go_together(logagg: Command, options: tuple[str, ...], message: str) -> None:
    assert message in logagg.run("report", *options, status=2).stderr


def on_terminal(logagg: Command, columns: int, *words: object) -> tuple[int, list[str]]:
    """Run a command on a terminal of this width; return its exit status and the lines that it shows."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {key: value for key, value in logagg.env.items() if key != "COLUMNS"} | {"TERM": "xterm"}
    with subprocess.Popen(logagg.argv(*words), cwd=logagg.folder, env=env, stdout=slave, stderr=slave) as command:
        os.close(slave)
        text = b"".join(chunks(master))
    os.close(master)
    return command.returncode, re.sub(r"\x1b\[[0-9;]*m", "", text.decode().replace("\r\n", "\n")).splitlines()


def chunks(descriptor: int) -> Iterator[bytes]:
    while True:
        try:
            yield os.read(descriptor, 1 << 16)
        except OSError:  # no process has the other end open
            return


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_a_terminal_of_any_width_shows_every_number(demo: Command, columns: int) -> None:
    for words in (
        ("overview",),
        ("pages", "--limit", 5),
        ("ads", "--limit", 5),
        ("latency", "--limit", 5),
        ("sources",),
    ):
        status, lines = on_terminal(demo, columns, "report", *words)
        assert status == 0 and max(map(len, lines)) <= columns
        text = "\n".join(lines)
        for row in json.loads(demo.run("report", *words, "--json").stdout):
            assert all(column in text for column in row)
            assert all(f"{value:,}" in text for value in row.values() if type(value) is int)


def test_parquet_is_not_for_a_terminal(demo: Command) -> None:
    for words in (("report", "pages"), ("sql", "SELECT 1"), ("lines",)):
        status, lines = on_terminal(demo, 80, *words, "--format", "parquet")
        assert (status, lines) == (1, ["logagg: parquet is not for a terminal; say --output FILE"])


def test_lines_as_a_table_of_any_format(demo: Command) -> None:
    found = [json.loads(line) for line in demo.run("lines", "--limit", 3, "--json").stdout.splitlines()]
    assert [
        json.loads(line) for line in demo.run("lines", "--limit", 3, "--format", "jsonl").stdout.splitlines()
    ] == found
    rows = list(csv.DictReader(demo.run("lines", "--limit", 3, "--format", "csv").stdout.splitlines()))
    assert [row["line"] for row in rows] == [row["line"] for row in found]
    raw = subprocess.run(
        demo.argv("lines", "--limit", 3, "--format", "parquet"), cwd=demo.folder, env=demo.env, capture_output=True
    ).stdout
    assert pq.read_table(pa.BufferReader(raw)).column("line").to_pylist() == [row["line"] for row in found]


class Data(HTMLParser):
    """The data of a page, and the tags of the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text, self._inside = "", False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._inside = ("id", "logagg-data") in attrs

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        self.text += data if self._inside else ""


def page_of(logagg: Command, *options: object) -> dict[str, Any]:
    """Write the page of a lake and return its data."""
    file = logagg.folder / "page.html"
    assert logagg.run("report", "--html", file, *options).stdout == ""
    assert file.stat().st_size < MOST_BYTES
    read = Data(file.read_text())
    assert read.tags.count("script") == 2 and not {"img", "iframe", "base"} & set(read.tags)
    assert "src=" not in file.read_text().partition("<style>")[0]
    data: dict[str, Any] = json.loads(read.text)
    return data


def test_the_page_has_the_numbers_of_sql(demo: Command) -> None:
    data = page_of(demo, *DAYS, "--compare", "previous", "--model", "first")
    assert data["page"]["panels"]["attribution"]["note"] == "credit goes to: the first touch"
    assert data.keys() == {"lake", "page", "status"}
    assert (data["page"]["since"], data["page"]["until"]) == ("2026-03-02T00:00:00Z", "2026-03-05T00:00:00Z")
    totals = data["page"]["totals"]["now"]
    [expected] = json.loads(demo.run("report", "overview", *DAYS, "--json").stdout)
    for name in ("hits", "views", "visitors", "impressions", "clicks", "ctr", "conversions", "errors", "bytes"):
        assert totals[name] == expected[name]
    [(p95,)] = demo.read("SELECT latency_p(0.95, bucket, hits) FROM latency")
    assert totals["p95"] == p95
    for panel, key, query in (
        (
            "pages",
            "path",
            "SELECT path, sum(views)::BIGINT, uniques(visitors), sum(bytes)::BIGINT FROM pages GROUP BY path",
        ),
        (
            "referrers",
            "referrer",
            "SELECT referrer, sum(hits)::BIGINT, uniques(visitors) FROM referrers GROUP BY referrer",
        ),
        ("statuses", "status", "SELECT status, sum(hits)::BIGINT, uniques(visitors) FROM traffic GROUP BY status"),
        ("extensions", "ext", "SELECT ext, count(*), count(DISTINCT visitor) FROM requests GROUP BY ext"),
    ):
        rows = {row[key] or "": row for row in data["page"]["panels"][panel]["rows"]}
        names = ("views", "visitors", "bytes") if panel == "pages" else ("hits", "visitors")
        found = {(value, *(row[name] for name in names)) for value, row in rows.items()}
        assert found == set(demo.read(query)) and not data["page"]["panels"][panel]["more"]
    hits = sum(map(sum, data["page"]["series"]["groups"].values()))
    assert hits == totals["hits"] and data["page"]["totals"]["before"]["hits"] == 0


def test_the_page_of_a_lake_without_recent_data_is_its_last_day(demo: Command) -> None:
    data = page_of(demo)
    assert (data["page"]["since"], data["page"]["until"]) == ("2026-03-04T00:00:00Z", "2026-03-05T00:00:00Z")
    [(hits,)] = demo.read("SELECT sum(hits)::BIGINT FROM traffic WHERE ts >= '2026-03-04 00:00Z'")
    assert data["page"]["totals"]["now"]["hits"] == hits
    assert data["status"]["state"] == "warn" and data["lake"]["newest"] == "2026-03-05T00:00:00Z"


def test_an_empty_lake_has_a_page(logagg: Command, tmp_path: Path) -> None:
    (tmp_path / "empty.log").write_text("")
    logagg.run("tail", "--once", "-q", tmp_path / "empty.log")
    data = page_of(logagg)
    assert data["page"]["totals"]["now"]["hits"] == 0 and data["lake"]["newest"] is None


HOSTILE = ["/</script><script>document.title='owned'</script>", "/<!--<img/src=x/onerror=document.title='owned'>"]


def test_a_browser_shows_the_file_and_runs_nothing_of_a_log(logagg: Command, tmp_path: Path) -> None:
    if not (chromium := shutil.which("chromium")):
        pytest.skip("chromium is not installed")
    (tmp_path / "access.log").write_text(combined([(path, 200) for path in HOSTILE * 617]))
    logagg.run("tail", "--once", "-q", tmp_path / "access.log")
    page_of(logagg)
    argv = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    argv += ["--virtual-time-budget=5000", "--enable-logging=stderr", "--dump-dom", f"file://{tmp_path / 'page.html'}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100)
    shown = done.stdout.rpartition("</noscript>")[0]
    assert "1,234" in shown
    assert "&lt;/script&gt;&lt;script&gt;document.title='owned'" in shown and "<img" not in shown
    assert "<title>owned" not in done.stdout
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line]
