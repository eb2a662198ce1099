"""The derivation `paths`: the touches that led to each conversion, the touches kept for later ones, and the impressions of clicks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from logagg.config.sections import Config
from logagg.lake_format import materialized
from logagg.quoting import literal
from logagg.rollup import attribution, derived
from logagg.rollup.attribution import Windows
from logagg.rollup.definitions import PATH, TIMESTAMP, Measure, Part, Rollup, Rows
from logagg.rollup.derived import Derivation, LiveView, Span

if TYPE_CHECKING:
    import duckdb

NAME = "paths"
TOUCHES, SHOWN = "touches", "touches_shown"  # impressions apart: they are many, and matter for days, not weeks
_NUMBERS = {"ts": TIMESTAMP, "position": pa.int64(), "visitor": pa.uint64(), "is_bot": pa.bool_()}
_NUMBERS |= {"value_micros": pa.int64(), "seconds": pa.int64(), "path": PATH}
PATH_COLUMNS = (
    *(
        "ts",
        "source",
        "position",
        "site",
        "order_id",
        "value_micros",
        "currency",
        "campaign",
        "ad",
        "placement",
        "is_bot",
    ),
    *("invalid", "via", "reason", "seconds", "path"),
)
MATCHES = Rollup(
    "matches", ("site", "campaign", "ad", "placement", "is_bot", "reason"), (Part({"clicks": Measure("count")}),)
)


def _schema(*names: str) -> pa.Schema:
    return pa.schema([pa.field(name, _NUMBERS.get(name, pa.string())) for name in names])


TABLES = (NAME, TOUCHES, SHOWN, MATCHES.name)


@dataclass(frozen=True, slots=True)
class Attribution(Derivation):
    """Touches, paths and matches, for the windows of a configuration."""

    windows: Windows = Windows()
    keep: float | None = 400 * 86_400.0  # seconds after which paths are dropped
    max_size: int = 256 << 20  # bytes of each of touches, impressions and paths, at most

    @classmethod
    def of(cls, config: Config) -> Attribution:
        """Return the derivation that a configuration asks for."""
        return cls(Windows.of(config), config.attribution.keep, config.attribution.max_size)

    @property
    def name(self) -> str:
        return NAME

    @property
    def tables(self) -> tuple[Rollup | Rows, ...]:
        schema, kept = _schema(*attribution.TOUCH), self.windows.kept
        return (
            Rows(TOUCHES, schema, keep=kept["click"], max_size=self.max_size),
            Rows(SHOWN, schema, keep=kept["impression"], max_size=self.max_size),
            Rows(NAME, _schema(*PATH_COLUMNS), keep=self.keep, max_size=self.max_size),
            MATCHES,
        )

    def rows(self, connection: duckdb.DuckDBPyConnection, span: Span) -> Iterator[tuple[str, pa.Table]]:
        connection.execute(f"CREATE TEMP TABLE new_touches AS FROM {attribution.touches('requests')}")
        kinds = dict(connection.execute("SELECT kind, count(*) FROM new_touches GROUP BY kind").fetchall())
        all_touches, since = (
            attribution.joined(TOUCHES, SHOWN, "new_touches"),
            f"TIMESTAMPTZ {literal(span.since.isoformat())}",
        )
        queries = {
            TOUCHES: "FROM new_touches WHERE kind <> 'impression'",
            SHOWN: "FROM new_touches WHERE kind = 'impression'",
        }
        connection.execute(f"CREATE TEMP TABLE new_conversions AS FROM {attribution.conversions('requests')}")
        if connection.execute("FROM new_conversions LIMIT 1").fetchall():
            queries[NAME] = f"FROM {attribution.paths('new_conversions', all_touches, _orders(NAME), self.windows)}"
        if "click" in kinds:
            queries["matches"] = _matches(all_touches, since, self.windows)
        for name, query in queries.items():
            columns = ", ".join(next(table for table in self.tables if table.name == name).schema.names)
            yield name, connection.sql(f"SELECT {columns} FROM ({query}) ORDER BY ts").to_arrow_table()

    def live(self) -> tuple[LiveView, ...]:
        recent, conversion = attribution.touches(derived.REQUESTS), attribution.conversions(derived.REQUESTS)
        touch, counted = attribution.joined(TOUCHES, SHOWN), _orders(materialized(NAME))
        # The first request since the watermark; infinity if there is none.
        begin = f"coalesce((SELECT min(ts) FROM {derived.REQUESTS}), 'infinity'::TIMESTAMPTZ)"
        return (
            LiveView("unmatched", f"FROM {attribution.unmatched(NAME, MATCHES.name)}"),
            LiveView("credits", f"FROM {attribution.credits(NAME, 'model')}", parameters=("model",)),
            LiveView("attribution", f"FROM {attribution.attribution('credits')}"),
            LiveView(MATCHES.name, _matches(touch, begin, self.windows)),
            LiveView(NAME, f"FROM {attribution.paths(conversion, touch, counted, self.windows)}"),
            LiveView(TOUCHES, f"FROM {recent} WHERE kind <> 'impression'"),
            LiveView(SHOWN, f"FROM {recent} WHERE kind = 'impression'"),
        )


def _orders(path: str) -> str:
    return f"(SELECT site, order_id FROM {path} WHERE order_id <> '' AND invalid = '')"


def _matches(touch: str, since: str, windows: Windows) -> str:
    minute = "to_timestamp((epoch_us(ts) // 60000000) * 60)"
    keys = ", ".join(MATCHES.dimensions)
    found = attribution.matches(touch, since, windows)
    return f"SELECT {minute} AS ts, {keys}, count(*) AS clicks FROM {found} GROUP BY ALL"
