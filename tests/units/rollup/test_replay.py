"""Requests become events again: all that a rollup may ask for is as it was."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from logagg.config.sections import Config, Privacy, Requests
from logagg.parquet.writer import Writer
from logagg.parse.events.classify import Classifier
from logagg.parse.formats.compile import compile_format
from logagg.parse.lines import fast
from logagg.parse.schemas import EVENT_SCHEMA
from logagg.records import Chunk, Fingerprint
from logagg.rollup import requests
from logagg.rollup.columns import Columns
from logagg.rollup.conditions import Sql
from logagg.rollup.definitions import DEFAULTS, Measure, Part, Rollup
from logagg.rollup.replay import Replay, columns_of, events, looks_back
from tests.laws.logs import AGENTS, FORMATS, PAGES, QUERIES, REFERRERS, Request

NOW = datetime(2026, 3, 4, tzinfo=UTC).timestamp()


@pytest.fixture(params=[Config(), Config(privacy=Privacy(users=True), requests=Requests(query=True))])
def classified(request: pytest.FixtureRequest) -> pa.Table:
    """Events of a log, in the order of their times."""
    agents = list(AGENTS)
    made = [
        Request(
            n,
            "192.0.2.1",
            agents[n % 5],
            [*PAGES, *(f"/click{query}" for query in QUERIES)][n % 12],
            status=(200, 404, 302)[n % 3],
            referrer=REFERRERS[n % 5],
            took=("0.012", "-", "86400", "0.00001")[n % 4],
        )
        for n in range(200)
    ]
    text = "".join(f"{one.line('timed')}\n" for one in made).encode()
    chunk = Chunk("s", 0, 0, len(text), text, Fingerprint(len(text), 0, ""))
    batch = fast.parse(chunk, compile_format(FORMATS["timed"]), NOW, 1 << 20)
    return Classifier.of(request.param, b"0123456789abcdef").classify(batch.table)


def through_a_file(rows: pa.Table) -> pa.Table:
    """Write requests as a flush does, and read them as a merge does."""
    out = io.BytesIO()
    writer = Writer(out, rows.schema, requests.encodings())
    writer.write(rows)
    writer.close()
    return pq.ParquetFile(out, read_dictionary=requests.TEXTS).read()


def test_events_come_back_as_they_were(classified: pa.Table) -> None:
    source = pa.array(["s"] * classified.num_rows).dictionary_encode()
    back = events(through_a_file(requests.rows(Columns([classified]), source)))
    assert back.schema == EVENT_SCHEMA
    for name in EVENT_SCHEMA.names:
        assert back[name].to_pylist() == classified[name].to_pylist(), name


def test_a_rollup_makes_of_them_what_it_would_have_made(classified: pa.Table) -> None:
    source = pa.array(["s"] * classified.num_rows).dictionary_encode()
    back = events(through_a_file(requests.rows(Columns([classified]), source)))
    for rollup in DEFAULTS:
        replay = Replay(rollup)
        one, other = replay.rows(classified), replay.rows(back)
        assert one.to_pylist() == other.to_pylist(), rollup.name
        replay.close()


def test_only_a_rollup_of_booked_clicks_looks_back() -> None:
    assert [one.name for one in DEFAULTS if looks_back(one)] == ["ads"]


def test_the_columns_that_a_rollup_asks_for() -> None:
    pages = next(one for one in DEFAULTS if one.name == "pages")
    assert columns_of(pages) == {"site", "path", "is_bot", "from_path", "kind", "status", "bytes"}
    own = Rollup("own", ("country",), (Part({"seconds": Measure("sum", "seconds")}, Sql("TRY((QUERY LIKE 'a%'))")),))
    assert columns_of(own) == {"country", "seconds", "query"}
