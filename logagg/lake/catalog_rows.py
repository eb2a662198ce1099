"""The state of a lake in the tables of its catalog: records -> rows, and rows -> records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from logagg.lake.parts import part_of
from logagg.lake.state import COMMITS, NEVER, CommitInfo, LostPart, State
from logagg.lake.uncounted import Range
from logagg.lake.watermarks import Watermark
from logagg.lake_format import DERIVATIONS, EVICTED, LOST, UNCOUNTED, VERSION
from logagg.records import Fingerprint, KnownSource, Progress, Reject, Source
from logagg.rollup.definitions import PATH

_FIRST, _LAST = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (1900, 9000))
_TIME = pa.timestamp("us", "UTC")
SQL_TYPES = {pa.string(): "VARCHAR", pa.int64(): "BIGINT", pa.int16(): "SMALLINT", pa.bool_(): "BOOLEAN"} | {
    pa.float64(): "DOUBLE",
    _TIME: "TIMESTAMPTZ",
    pa.list_(pa.uint64()): "UBIGINT[]",
    pa.uint64(): "UBIGINT",
    PATH: f"STRUCT(ts TIMESTAMPTZ, {', '.join(f'{one.name} VARCHAR' for one in list(PATH.value_type)[1:])})[]",
}


Row = Mapping[str, Any]
ALWAYS = ("lake", "commits", "rejects", "reject_samples", "files")  # tables that are read whole
SOMETIMES = ("click_state", LOST, UNCOUNTED, DERIVATIONS, EVICTED)  # those that an earlier logagg did not write
PROGRESS = ("source", "shard", "position", "lines", "mark_length", "mark_digest")  # columns of `sources`


def state_of(where: Path, tables: Mapping[str, pa.Table]) -> State:
    """Return the state that the tables of a catalog say; `progress` has the columns PROGRESS. Raises LakeError."""
    rows = {name: table.to_pylist() for name, table in tables.items() if name not in ("progress", "click_state")}
    [lake] = rows["lake"]
    progress = zip(*tables["progress"].to_pydict().values(), strict=True)
    return State(
        lake["id"],
        lake["root"],
        lake["created_at"],
        tuple(part_of(where, row) for row in rows["files"]),
        {row["source"]: _source(row) for row in rows["sources"]},
        _group(_progress(*row) for row in progress),
        _group((row["source"], row["reason"], row["lines"]) for row in rows["rejects"]),
        tuple((row["source"], Reject(row["position"], row["reason"], row["bytes"])) for row in rows["reject_samples"]),
        tuple(CommitInfo(**row) for row in rows["commits"]),
        tables.get("click_state"),
        {name: _schema(columns) for name, columns in json.loads(lake["rollups"]).items()},
        _uncounted(rows.get(UNCOUNTED, ())),
        lake.get("requests_from") or NEVER,
        tuple((lake.get("requests_kinds") or "").split()),
        lake["gone"],
        lake.get("steady") or NEVER,
        lake.get("secret", ""),
        tuple(LostPart(**row) for row in rows.get(LOST, ())),
        {row["name"]: _watermark(row) for row in rows.get(DERIVATIONS, ())},
        tuple((bucket, at) for bucket, at in json.loads(lake.get("reached") or "[]")),
        lake.get("late") or 0,
        {row["rollup"]: row["rows"] for row in rows.get(EVICTED, ())},
    )


def tables_of(state: State) -> dict[str, pa.Table]:
    """Return the tables of a state by name; `click_state` is absent where it has none."""
    lake = {
        "version": VERSION,
        "id": state.id,
        "root": state.root,
        "created_at": state.created_at,
        "gone": state.gone,
        "secret": state.secret,
        "rollups": json.dumps(
            {name: [[one.name, str(one.type)] for one in schema] for name, schema in state.rollups.items()}
        ),
        "steady": state.steady,
        "requests_from": state.requests_from,
        "requests_kinds": " ".join(state.requests_kinds),
        "reached": json.dumps(state.reached),
        "late": state.late,
    }
    tables = {
        "sources": pa.Table.from_pylist(list(_source_rows(state)), SOURCES_SCHEMA),
        "commits": _columns(state.commits[-COMMITS:], COMMITS_SCHEMA),
        "rejects": pa.Table.from_pylist(list(_reject_rows(state)), REJECTS_SCHEMA),
        "reject_samples": pa.Table.from_pylist([_sample_row(*one) for one in state.samples], SAMPLES_SCHEMA),
        "files": _columns(state.parts, FILES_SCHEMA),
        "lake": pa.Table.from_pylist([lake]).cast(LAKE_SCHEMA),
        LOST: _columns(state.lost, LOST_SCHEMA),
        UNCOUNTED: pa.Table.from_pylist(list(_uncounted_rows(state)), UNCOUNTED_SCHEMA),
        DERIVATIONS: pa.Table.from_pylist(list(_derivation_rows(state)), DERIVATIONS_SCHEMA),
        EVICTED: pa.Table.from_pylist(
            [{"rollup": name, "rows": rows} for name, rows in state.evicted.items()], EVICTED_SCHEMA
        ),
    }
    return tables | ({"click_state": state.clicks} if state.clicks is not None else {})


def _columns(values: Sequence[object], schema: pa.Schema) -> pa.Table:
    """Return objects as a table of their attributes; a dictionary for each would take four times as long."""
    return pa.table({name: [getattr(value, name) for value in values] for name in schema.names}, schema)


LAKE_SCHEMA = pa.schema(
    [("version", pa.int32()), ("id", pa.int64()), ("root", pa.string()), ("created_at", _TIME), ("gone", _TIME)]
    + [("secret", pa.string()), ("rollups", pa.string()), ("steady", _TIME)]
    + [("requests_from", _TIME), ("requests_kinds", pa.string()), ("reached", pa.string()), ("late", pa.int64())]
)
COMMITS_SCHEMA = pa.schema(
    [("id", pa.int64()), ("committed_at", _TIME), ("kind", pa.string())]
    + [(name, pa.int64()) for name in ("rows", "files", "bytes", "lines")]
)
FILES_SCHEMA = pa.schema(
    [("rollup", pa.string()), ("path", pa.string()), ("level", pa.string()), ("grain", pa.int64())]
    + [("rows", pa.int64()), ("bytes", pa.int64()), ("min_ts", _TIME), ("max_ts", _TIME)]
    + [("damaged", pa.bool_()), ("lacks", pa.string())]
)
LOST_SCHEMA = pa.schema(
    [("rollup", pa.string()), ("path", pa.string()), ("rows", pa.int64())]
    + [("min_ts", _TIME), ("max_ts", _TIME), ("given_up", _TIME)]
)
UNCOUNTED_SCHEMA = pa.schema(
    [("rollup", pa.string()), ("source", pa.string())]
    + [(name, pa.int64()) for name in ("start", "end", "shards", "shard")]
)
DERIVATIONS_SCHEMA = pa.schema(
    [("name", pa.string()), ("until", _TIME), ("tables", pa.string()), ("live", pa.string())]
)
EVICTED_SCHEMA = pa.schema([("rollup", pa.string()), ("rows", pa.int64())])
REJECTS_SCHEMA = pa.schema(
    [("source", pa.string()), ("path", pa.string()), ("reason", pa.string()), ("lines", pa.int64())]
)
SAMPLES_SCHEMA = pa.schema(
    [("source", pa.string()), ("position", pa.int64()), ("reason", pa.string())]
    + [("line", pa.string()), ("bytes", pa.binary())]
)
SOURCES_SCHEMA = pa.schema(
    [("source", pa.string()), ("path", pa.string()), ("shard", pa.int32()), ("position", pa.int64())]
    + [("size", pa.int64()), ("lines", pa.int64()), ("finished", pa.bool_()), ("format", pa.string())]
    + [
        ("compression", pa.string()),
        ("modified", _TIME),
        ("note", pa.string()),
        ("nul_bytes", pa.int64()),
        ("gone", _TIME),
    ]
    + [(name, pa.int64()) for name in ("device", "inode", "head_length")]
    + [("head_digest", pa.string()), ("mark_length", pa.int64()), ("mark_digest", pa.string())]
    + [("tailer", pa.string()), ("origin", pa.int64()), ("site", pa.string())]
)


_PLAIN = ("size", "finished", "format", "compression", "note", "nul_bytes", "tailer", "origin", "site")


def _source_rows(state: State) -> Iterator[dict[str, object]]:
    for id_, shards in state.progress.items():
        source = state.sources[id_]
        of_all = {
            **{name: getattr(source, name) for name in _PLAIN},
            "source": id_,
            "path": _name(source.path),
            "gone": _moment(source.gone) if source.gone else None,
            "modified": _moment(source.modified),
            "device": _signed(source.device),
            "inode": _signed(source.inode),
            "head_length": source.head.length,
            "head_digest": source.head.digest,
        }
        for shard, progress in shards.items():
            yield {
                **of_all,
                "shard": shard,
                "position": progress.position,
                "lines": progress.lines,
                "mark_length": progress.fingerprint.length,
                "mark_digest": progress.fingerprint.digest,
            }


def _uncounted_rows(state: State) -> Iterator[dict[str, object]]:
    for rollup, sources in state.uncounted.items():
        for source, ranges in sources.items():
            for one in ranges:
                yield {"rollup": rollup, "source": source, **asdict(one)}


def _uncounted(rows: Iterable[Row]) -> dict[str, dict[str, tuple[Range, ...]]]:
    found: dict[str, dict[str, tuple[Range, ...]]] = {}
    for row in rows:
        one = Range(row["start"], row["end"], row["shards"], row["shard"])
        ranges = found.setdefault(row["rollup"], {})
        ranges[row["source"]] = (*ranges.get(row["source"], ()), one)
    return found


def _derivation_rows(state: State) -> Iterator[dict[str, object]]:
    for name, mark in state.derived.items():
        yield {"name": name, "until": mark.until, "tables": " ".join(mark.tables), "live": mark.digest}


def _watermark(row: Row) -> Watermark:
    return Watermark(row["until"], tuple(row["tables"].split()), row["live"])


def _moment(seconds: float) -> datetime:
    """Return a file's time: some file systems keep any 64 bits, whatever the year."""
    return datetime.fromtimestamp(min(max(seconds, _FIRST), _LAST), UTC)


def _name(path: str) -> str:
    """Return a path as text: a name may be any bytes."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _signed(number: int) -> int:
    """Keep the 64 bits of a device or inode number, which may be unsigned, in a signed column."""
    return number - (1 << 64) if number >= 1 << 63 else number


def known_source(shards: Sequence[Row]) -> KnownSource:
    """Return a source from its rows in the table `sources`, one for each shard."""
    [(_, progress)] = _group(_progress(*(row[name] for name in PROGRESS)) for row in shards).items()
    return KnownSource(_source(shards[0]), progress)


def _source(row: Row) -> Source:
    head = Fingerprint(row["head_length"], row["head_length"], row["head_digest"])
    gone = row["gone"].timestamp() if row["gone"] else 0.0
    plain = {name: row[name] for name in _PLAIN if name in row} | {"gone": gone}
    numbers = {name: row[name] % (1 << 64) for name in ("device", "inode")}
    return Source(
        id=row["source"], path=row["path"], head=head, modified=row["modified"].timestamp(), **numbers, **plain
    )


def _progress(
    source: str, shard: int, position: int, lines: int, length: int, digest: str
) -> tuple[str, int, Progress]:
    return source, shard, Progress(position, lines, Fingerprint(position, length, digest))


def _reject_rows(state: State) -> Iterator[dict[str, object]]:
    for id_, reasons in state.rejects.items():
        for reason, lines in reasons.items():
            yield {"source": id_, "path": _name(state.sources[id_].path), "reason": reason, "lines": lines}


def _sample_row(source: str, reject: Reject) -> dict[str, object]:
    text = reject.line.decode("utf-8", "backslashreplace")
    return {"source": source, "position": reject.position, "reason": reject.reason, "line": text, "bytes": reject.line}


Inner = TypeVar("Inner")
Value = TypeVar("Value")


def _group(rows: Iterable[tuple[str, Inner, Value]]) -> dict[str, dict[Inner, Value]]:
    grouped: dict[str, dict[Inner, Value]] = {}
    for outer, inner, value in rows:
        grouped.setdefault(outer, {})[inner] = value
    return grouped


_TYPES = {str(type_): type_ for type_ in SQL_TYPES}


def _schema(columns: list[list[str]]) -> pa.Schema:
    return pa.schema([pa.field(name, _TYPES[type_]) for name, type_ in columns])
