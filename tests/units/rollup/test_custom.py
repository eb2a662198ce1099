"""A user's own rollups: accepted ones, and refusals with a line number."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa
import pytest

from logagg.config.rules import RollupConfig
from logagg.config.toml import Location
from logagg.errors import ConfigError
from logagg.parse.schemas import EVENT_SCHEMA
from logagg.rollup.conditions import Sql
from logagg.rollup.custom import build
from logagg.rollup.definitions import DEFAULTS, Measure, Rollup
from logagg.rollup.shard import Shard, ShardSettings

PLACE = Location(
    "logagg.toml", {"": 3, "name": 4, "where": 5, "dimensions": 6, "measures": 7, "grain": 9, "measures.n": 8}
)


def built(**changes: Any) -> Rollup:
    fields: dict[str, Any] = {
        "name": "mine",
        "dimensions": ("path",),
        "measures": {"n": "count"},
        "place": PLACE,
    } | changes
    return build(RollupConfig(**fields), EVENT_SCHEMA)


def refusal(**changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        built(**changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_rollup() -> None:
    rollup = built(
        where="kind = 'pageview'",
        dimensions=("site", "status", "cache"),
        measures={"hits": "count", "slow": "count( seconds > 1 )", "sent": "sum(bytes)", "people": "uniques(visitor)"},
        grain=300,
    )
    (part,) = rollup.parts
    assert (rollup.name, rollup.dimensions, rollup.grain) == ("mine", ("site", "status", "cache"), 300)
    assert part.where == Sql("TRY((kind = 'pageview')::BOOLEAN)")
    assert part.measures == {
        "hits": Measure("count"),
        "slow": Measure("count", where=Sql("TRY((seconds > 1)::BOOLEAN)")),
        "sent": Measure("sum", "bytes"),
        "people": Measure("uniques"),
    }
    assert rollup.schema.field("status").type == pa.int16()


@pytest.mark.parametrize(
    "condition",
    [
        "status = 200 AND path LIKE '/shop/%'",
        "status IN (200, 304) OR NOT is_bot",
        "bytes BETWEEN 1 AND 10",
        "seconds IS NOT NULL",
        "lower(path) <> '/x' and starts_with(path, '/a')",
        "path LIKE '%--%' AND path <> '; /* x */'",
        "regexp_matches(path, '^/[0-9]+$')",
        "hour(time) >= 22",
        "CASE WHEN is_bot THEN false ELSE status < 400 END",
        "path::INTEGER > 3",
        "coalesce(cache, '') = 'HIT'",
    ],
)
def test_accepted_conditions(condition: str) -> None:
    where = built(where=condition).parts[0].where
    assert isinstance(where, Sql)
    row = {"time": 0, "visitor": 1, "kind": "x", "is_bot": False, "site": "-", "method": "GET", "path": "/"}
    row |= {"status": 200, "bytes": 1, "referrer": "", "campaign": "", "ad": "", "placement": "", "browser": ""}
    row |= {"os": "", "device": ""}
    events = pa.Table.from_pylist([row], schema=EVENT_SCHEMA)
    (count,) = duckdb.from_arrow(events).filter(where.text).count("*").fetchall()[0]
    assert count in (0, 1)


@pytest.mark.parametrize(
    "condition",
    [
        "(SELECT true)",
        "EXISTS (SELECT 1)",
        "path IN (SELECT 'a')",
        "count(*) > 1",
        "sum(bytes) OVER () > 1",
        "row_number() OVER () = 1",
        "read_text('/etc/passwd') = ''",
        "getenv('HOME') = ''",
        "current_setting('threads') = 1",
        "now() > time",
        "random() > 0.5",
        "error('x')",
        "unnest([true])",
        "list_filter([1], lambda x: x > 0) = []",
        "true; DROP TABLE events",
        "true) OR (true",
        "true FROM events",
        "true, false",
        "true AS x",
        "true WHERE true",
        "true -- and more",
        "true /* x */",
        "true\x00",
        "*",
        "COLUMNS(*)",
        "?",
        "$a",
        "#1",
        "nothing = 1",
        "seconds >",
        "bytes = 1 ORDER BY 1",
        "DISTINCT true",
        "true UNION SELECT false",
        "a.b.c(1)",
        "path = 'a",
    ],
)
def test_refused_conditions(condition: str) -> None:
    assert refusal(where=condition).startswith("logagg.toml:5: where: ")
    if condition != "*":
        assert refusal(measures={"n": f"count({condition})"}).startswith("logagg.toml:8: measures.n: ")


@pytest.mark.parametrize("name", ["", "a b", "Mine", "1a", "a;b", 'a"b', "../x", "select", "é", "a" * 64])
def test_invalid_names(name: str) -> None:
    assert refusal(name=name).startswith("logagg.toml:4: name: ")
    assert "is not a name in SQL" in refusal(measures={name: "count"})


@pytest.mark.parametrize(
    "name",
    [*(rollup.name for rollup in DEFAULTS), "requests", "sources", "commits", "rejects", "uncounted"]
    + [
        "visits",
        "flows",
        "visits_gap",
        "paths",
        "touches",
        "touches_shown",
        "matches",
        "attribution",
        "unmatched",
        "credits",
    ]
    + ["visits_materialized", "requests_since_paths"],
)
def test_names_that_are_taken(name: str) -> None:
    assert "is a table of logagg's own" in refusal(name=name)


@pytest.mark.parametrize("name", ["ts", "path"])
def test_measures_do_not_take_the_name_of_another_column(name: str) -> None:
    assert "is a column already" in refusal(measures={name: "count"})


def test_dimensions_are_columns_of_few_values() -> None:
    assert '"pth" is not a dimension; choose from kind, is_bot, site' in refusal(dimensions=("pth",))
    assert refusal(dimensions=("visitor",)).startswith("logagg.toml:6: dimensions: ")
    assert "listed twice" in refusal(dimensions=("path", "path"))
    assert built(dimensions=()).dimensions == ()


@pytest.mark.parametrize("measure", ["", "avg(bytes)", "sum(path)", "sum()", "count()", "uniques(path)", "count(1"])
def test_invalid_measures(measure: str) -> None:
    assert refusal(measures={"n": measure}).startswith("logagg.toml:8: measures.n: ")


@pytest.mark.parametrize("grain", [0, 30, 59, 90, 7 * 60, 86_401, 2 * 86_400])
def test_grains_that_do_not_divide_a_day(grain: int) -> None:
    assert refusal(grain=grain).startswith("logagg.toml:9: grain: ")


@pytest.mark.parametrize(
    "name", ["json_serialize_plan", "json_serialize_sql", "create_sort_key", "__internal_barrier", "make_type"]
)
def test_functions_that_read_sql_from_a_text_are_refused(name: str) -> None:
    """DuckDB says that they depend on their argument alone; but the first one plans it, and reads the files that it names."""
    assert f"the function {name}() is not allowed" in refusal(where=f"{name}('FROM ''/etc/passwd.csv''') <> ''")


def test_the_database_of_a_shard_reaches_no_file() -> None:
    shard = Shard(0, ShardSettings((built(where="status = 200"),)))
    for query in (
        "FROM read_text('/etc/passwd')",
        "FROM '/etc/passwd.csv'",
        "COPY (SELECT 1) TO '/tmp/x'",
        "FROM shard",
    ):
        with pytest.raises(duckdb.Error):
            shard._db.execute(query)
    shard.close()
