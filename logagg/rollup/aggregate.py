"""Rollup rows: from events, and from other rows of the same rollup.

    roll_up(rollup, part, events) ──▶ rows ──▶ in_order(rows, rows, ...) ──▶ fold(rollup, rows, keys) ──▶ written
    roll_up_all(rollups, of, columns) ──▶ the rows of each part of each rollup
                                                                 read ──▶ merge(rollup, rows) ──▶ fewer rows

Rows are tables in the rollup's schema, except that text is dictionary-encoded until it is written. They are ordered by
`ts`. Several rows of one key mean their sum: a flush leaves them as they are, compaction adds them up. The excess of a
sum over 64 bits is carried over into further rows of its key, so sums never saturate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logagg.columnar.dictionary import spread
from logagg.columnar.encoded import without_unused
from logagg.rollup.columns import Columns, only, ordered, taken
from logagg.rollup.conditions import Condition, decide
from logagg.rollup.definitions import SKETCH, Measure, Part, Rollup
from logagg.rollup.group_by import rank
from logagg.rollup.grouping import Grouping, Hashes, Ints, KeyCodes, Mask, Rows, Totals

if TYPE_CHECKING:
    import duckdb

OTHER = "(other)"
# Dimensions that can have few values only: folding a long tail leaves them as they are.
_KEPT = frozenset({"kind", "status", "is_bot", "bucket"})
_SECOND = 1_000_000  # microseconds

Numbers = npt.NDArray[Any]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Events:
    """Events (or booked clicks) to roll up, with the intermediate results that rollups share."""

    columns: Columns
    hashes: Hashes  # of visitors
    ranked: Rows  # the rows in the order of these hashes
    holds: Mapping[Condition, Mask]
    _dimensions: dict[str, tuple[pa.Array, KeyCodes]] = field(default_factory=dict)
    _buckets: dict[int, tuple[Ints, KeyCodes]] = field(default_factory=dict)  # by grain

    @classmethod
    def of(cls, columns: Columns, parts: Sequence[Part], database: Callable[[], duckdb.DuckDBPyConnection]) -> Events:
        """Prepare events for some parts; `database` is called only if a condition is SQL."""
        wanted = [part.where for part in parts] + [one.where for part in parts for one in part.measures.values()]
        hashes = columns["visitor"].to_numpy()
        return cls(columns, hashes, rank(hashes), decide(filter(None, wanted), columns, database))

    def dimension(self, name: str) -> tuple[pa.Array, KeyCodes]:
        """Return a column, text dictionary-encoded, and its codes."""
        if name not in self._dimensions:
            column = _encoded(self.columns[name])
            self._dimensions[name] = column, KeyCodes.of(column)
        return self._dimensions[name]

    def buckets(self, grain: int) -> tuple[Ints, KeyCodes]:
        """Return the bucket of each event (its time in whole grains), and the codes of the buckets."""
        if grain not in self._buckets:
            buckets = self.numbers("time") // (grain * _SECOND)
            self._buckets[grain] = buckets, KeyCodes.of_integers(buckets)
        return self._buckets[grain]

    def numbers(self, name: str) -> Numbers:
        column = self.columns[name]
        column = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        return column.to_numpy(zero_copy_only=False)


def roll_up(rollup: Rollup, part: Part, events: Events) -> pa.Table:
    """Return the rows that one part of a rollup makes of events."""
    where = events.holds[part.where] if part.where else None
    if where is not None and not where.any():
        return rollup.schema.empty_table()
    names = part.columns or {}
    buckets, numbered = events.buckets(rollup.grain)
    dimensions = [events.dimension(names.get(name, name)) for name in rollup.dimensions]
    groups = Grouping.by([numbered, *(codes for _, codes in dimensions)], where, events.ranked)
    ts = spread(buckets, groups.example) * (rollup.grain * _SECOND)
    keys = _keys(groups.example, ts, [column for column, _ in dimensions])
    measures = [_measure(events, groups, part.measures.get(name), like) for name, like in rollup.measures.items()]
    return _assembled(rollup, keys, measures)[0]


def roll_up_all(
    rollups: Sequence[Rollup],
    of: Literal["events", "clicks"],
    columns: Columns,
    database: Callable[[], duckdb.DuckDBPyConnection],
) -> Iterator[tuple[Rollup, pa.Table]]:
    """Yield the rows that events, or booked clicks, add to rollups, part by part; parts without rows are left out."""
    parts = [(rollup, part) for rollup in rollups for part in rollup.parts if part.of == of]
    events = Events.of(columns, [part for _, part in parts], database)
    for rollup, part in parts:
        if (rows := roll_up(rollup, part, events)).num_rows:
            yield rollup, rows


def in_order(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of tables of one schema, of which there is at least one, in the order of `ts`."""
    rows = Columns(tables).table()
    ts = rows["ts"].cast(pa.int64()).to_numpy()
    if (np.diff(ts) >= 0).all():
        return rows
    order = ordered(ts)
    return pa.table([taken(only(column), order) for column in rows.columns], schema=rows.schema)


def merge(rollup: Rollup, rows: pa.Table, grain: int | None = None) -> pa.Table:
    """Add up rows to one row per key, plus rows that are carried over; a coarser `grain` (seconds) merges buckets."""
    return _merged(rollup, rows, grain)[0]


def _merged(rollup: Rollup, rows: pa.Table, grain: int | None = None) -> tuple[pa.Table, Indices | None]:
    """Return the sum of rows; if rows are carried over, also the number of each row's key."""
    rows = Columns([rows]).table()
    micros = rows["ts"].cast(pa.int64()).to_numpy()
    step = (grain or rollup.grain) * _SECOND
    buckets = micros // step
    dimensions = [_encoded(only(rows[name])) for name in rollup.dimensions]
    groups = Grouping.by([KeyCodes.of_integers(buckets), *map(KeyCodes.of, dimensions)])
    if groups.size == rows.num_rows and not grain:
        columns = [only(rows["ts"]), *dimensions, *(only(rows[name]) for name in rollup.measures)]
        return pa.table(columns, names=rollup.column_names).take(pa.array(groups.order)), None
    keys = _keys(groups.example, spread(buckets, groups.example) * step, dimensions)
    return _assembled(rollup, keys, [_added(groups, one, only(rows[name])) for name, one in rollup.measures.items()])


def fold(rollup: Rollup, rows: pa.Table, keys: int) -> pa.Table:
    """Keep the `keys` largest keys of each bucket and fold the others into `(other)`.

    Totals stay the same, and the number of keys is bounded, whatever clients request.
    """
    if _fullest(rows) <= keys:
        return rows
    rows, numbers = _merged(rollup, rows)
    beyond = _places(rollup, rows, numbers) >= keys
    if not beyond.any():
        return rows
    for number, name in enumerate(rows.schema.names):
        if name in rollup.dimensions and name not in _KEPT:
            folded = pc.if_else(pa.array(beyond), OTHER, rows[name].cast(pa.string()))
            rows = rows.set_column(number, name, folded)
    return merge(rollup, rows)


def _measure(events: Events, groups: Grouping, measure: Measure | None, like: Measure) -> pa.Array | Totals:
    """Return a measure by group; zeros of the type of `like` if the part does not have it."""
    if measure is None or measure.kind == "from_other_part":
        return _zeros(groups.size, like.type)
    where = events.holds[measure.where] if measure.where else None
    if measure.kind == "count":
        return pa.array(groups.counts(where))
    if measure.kind == "uniques":
        return groups.sketches(events.hashes, where)
    return groups.totals(events.numbers(measure.of), where)  # null is NaN here, which adds nothing


def _assembled(
    rollup: Rollup, keys: Sequence[pa.Array], measures: Sequence[pa.Array | Totals]
) -> tuple[pa.Table, Indices | None]:
    """Return rows of keys and measures; if rows are carried over, also the number of each row's key."""
    held = [pa.array(one.held) if isinstance(one, Totals) else one for one in measures]
    rows = pa.table([*keys, *held], names=rollup.column_names)
    named = zip(rollup.measures, measures, strict=True)
    beyond = {name: one for name, one in named if isinstance(one, Totals) and one.carries is not None}
    return _with_carried(rollup, rows, beyond) if beyond else (rows, None)


def _with_carried(rollup: Rollup, rows: pa.Table, beyond: Mapping[str, Totals]) -> tuple[pa.Table, Indices]:
    """Add the rows that are carried over, each after the row of the same key."""
    tables, numbers = [rows], [np.arange(rows.num_rows)]
    for name, totals in beyond.items():
        assert totals.carries is not None
        of = np.repeat(numbers[0], np.abs(totals.carries))
        more = rows.take(pa.array(of))
        for measure, like in rollup.measures.items():
            zeros = _zeros(len(of), like.type)
            carried = pa.array(np.sign(totals.carries[of]) * totals.carry).cast(like.type) if measure == name else zeros
            more = more.set_column(more.schema.get_field_index(measure), measure, carried)
        tables.append(more)
        numbers.append(of)
    order = np.argsort(np.concatenate(numbers), kind="stable")
    return Columns(tables).table().take(pa.array(order)), np.concatenate(numbers)[order]


def _keys(rows: Rows, ts: Ints, dimensions: Sequence[pa.Array]) -> list[pa.Array]:
    """Return the key columns of groups: `ts` (microseconds), and the dimensions of one row of each group."""
    some = pa.array(rows)
    return [pa.array(ts).cast(pa.timestamp("us", "UTC")), *(_slim(column.take(some)) for column in dimensions)]


def _slim(column: pa.Array) -> pa.Array:
    """Drop unused dictionary entries where that saves memory."""
    large = pa.types.is_dictionary(column.type) and len(column.dictionary) > 2 * len(column)
    return without_unused(column) if large else column


def _added(groups: Grouping, measure: Measure, values: pa.Array) -> pa.Array | Totals:
    return groups.merged(values) if measure.type == SKETCH else groups.totals(values.to_numpy(zero_copy_only=False))


def _zeros(size: int, type_: pa.DataType) -> pa.Array:
    if type_ == SKETCH:
        return pa.ListArray.from_arrays(pa.array(np.zeros(size + 1, np.int32)), pa.array([], pa.uint64()))
    return pa.array(np.zeros(size, type_.to_pandas_dtype()))


def _encoded(column: pa.Array) -> pa.Array:
    return column.dictionary_encode() if pa.types.is_string(column.type) else column


def _fullest(rows: pa.Table) -> int:
    """Return the number of rows of the largest bucket; `ts` is in order."""
    ts = rows["ts"].cast(pa.int64()).to_numpy()
    return int(np.diff(np.flatnonzero(np.diff(ts, prepend=ts[:1] - 1)), append=len(ts)).max(initial=0))


def _places(rollup: Rollup, rows: pa.Table, numbers: Indices | None) -> npt.NDArray[np.int64]:
    """Return each row's rank in its bucket by the first measure, the largest being 0; rows of one key share the best rank."""
    largest = rows[next(iter(rollup.measures))].to_numpy()
    ts = rows["ts"].cast(pa.int64()).to_numpy()
    places = np.empty(len(ts), np.int64)
    places[np.lexsort((-largest, ts))] = np.arange(len(ts))
    places -= np.searchsorted(ts, ts)
    if numbers is None:
        return places
    firsts = np.flatnonzero(np.diff(numbers, prepend=-1))
    return np.minimum.reduceat(places, firsts)[numbers]
