"""De-duplication of clicks.

A click's *key* is its visitor and its ad: site, campaign and ad. In the order of time, a click is a *duplicate* when
the previous click of its key is less than a window away; the first click of such a chain counts (COUNTER R5, section
7.2, counts the last: for attribution the first is the stable one). Clicks of one key at one time are ordered by
placement, then people before robots.

Lines arrive in any order, so a late click can turn a counted click into a duplicate. Then a correction is booked in the
minute and dimensions of the counted click: -1 click, +1 duplicate. A duplicate never turns into a counted click, since
further clicks only bring its predecessor nearer. So totals do not depend on the order or the batches in which clicks
arrive, as long as the neighbouring clicks are remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logagg.rollup.group_by import rank
from logagg.rollup.grouping import Hashes

Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]

_EVENT_FIELDS = [
    pa.field("time", pa.timestamp("us", "UTC"), nullable=False),
    pa.field("visitor", pa.uint64(), nullable=False),
    pa.field("site", pa.string(), nullable=False),
    pa.field("campaign", pa.string(), nullable=False),
    pa.field("ad", pa.string(), nullable=False),
    pa.field("placement", pa.string(), nullable=False),
    pa.field("is_bot", pa.bool_(), nullable=False),
]

# Recent clicks, in the order of arrival.
STATE_SCHEMA = pa.schema(
    [
        *_EVENT_FIELDS,
        pa.field("source", pa.string(), nullable=False),
        pa.field("duplicate", pa.bool_(), nullable=False),  # as booked
    ]
)

# The rows that clicks add to rollups: one per click, and one per correction.
BOOKED_SCHEMA = pa.schema(
    [
        *_EVENT_FIELDS,
        pa.field("clicks", pa.int64(), nullable=False),  # 1 or 0; -1 in a correction
        pa.field("clicks_dup", pa.int64(), nullable=False),  # 0 or 1
    ]
)

COLUMNS = [field.name for field in _EVENT_FIELDS]  # columns of events that describe a click
KEY = ("visitor", "site", "campaign", "ad")
_ROW = 40  # bytes of a click in the state, without its texts
_FORGET_NEVER = np.iinfo(np.int64).min


def absorb(state: pa.Table | None, clicks: pa.Table, sources: pa.Array, window_us: int) -> tuple[pa.Table, pa.Table]:
    """Add clicks (event columns) with their sources; return the new state and the rows they book (`BOOKED_SCHEMA`)."""
    state = STATE_SCHEMA.empty_table() if state is None else state
    fresh = _remembered(clicks, sources)
    touched = np.flatnonzero(_array(pc.is_in(state["visitor"], value_set=pc.unique(fresh["visitor"]))))
    rows = pa.concat_tables([state.take(pa.array(touched)), fresh]).combine_chunks()
    was = _array(rows["duplicate"])
    now = was | _repeats(rows, window_us)
    return _extended(state, touched, fresh, now), _booked(rows, len(touched), was, now)


def prune(
    state: pa.Table, newest_by_source: Mapping[str, int], horizon_us: int, limit_rows: int, limit_bytes: int = 1 << 30
) -> pa.Table:
    """Forget clicks older than the newest event (µs) of their own source by more than the horizon.

    A source that is not named keeps its clicks. Beyond the limits on rows and bytes, the latest arrivals are kept.
    """
    sources = state["source"].combine_chunks().dictionary_encode()
    bounds = [
        newest_by_source[name] - horizon_us if name in newest_by_source else _FORGET_NEVER for name in _names(sources)
    ]
    recent = _array(state["time"].cast(pa.int64())) >= np.array(bounds, np.int64)[_array(sources.indices)]
    kept = state.filter(pa.array(recent))
    return kept.slice(max(0, kept.num_rows - limit_rows, _beyond(kept, limit_bytes))).combine_chunks()


def _beyond(rows: pa.Table, limit: int) -> int:
    """Return how many of the first rows must go for the rest to fit into a number of bytes."""
    if rows.nbytes <= limit:
        return 0
    texts = [field.name for field in STATE_SCHEMA if pa.types.is_string(field.type)]
    sizes = sum((_array(pc.binary_length(rows[name])) for name in texts), start=np.full(rows.num_rows, _ROW, np.int64))
    return int(np.count_nonzero(np.cumsum(sizes[::-1]) > limit))


def _remembered(clicks: pa.Table, sources: pa.Array) -> pa.Table:
    """Return clicks as rows of the state, not booked yet."""
    columns = [clicks[field.name].cast(field.type) for field in _EVENT_FIELDS]
    columns += [sources.cast(pa.string()), pa.repeat(False, clicks.num_rows)]
    return pa.Table.from_arrays(columns, schema=STATE_SCHEMA)


def _repeats(rows: pa.Table, window_us: int) -> Mask:
    """Return a mask of the rows that follow a row of the same key within the window."""
    repeats = np.zeros(rows.num_rows, np.bool_)
    some = _not_alone(_array(rows["visitor"]), _times(rows), window_us)
    repeats[some] = _repeats_among(rows.take(pa.array(some)), window_us)
    return repeats


def _not_alone(visitors: Hashes, times: Indices, window_us: int) -> Indices:
    """Return the rows of visitors who click again within the window: few, and only these need sorting by the whole key.

    If times are not in order, all visitors who click again are taken.
    """
    order = rank(visitors)
    again, later = np.diff(visitors[order]) == 0, np.diff(times[order])
    if (later[again] >= 0).all():
        again &= later < window_us
    some = np.zeros(len(order), np.bool_)
    some[1:] |= again
    some[:-1] |= again
    return np.sort(order[some])


def _repeats_among(rows: pa.Table, window_us: int) -> Mask:
    times = _times(rows)
    keys = [_ranks(rows[name]) for name in KEY]
    order = np.lexsort((_array(rows["is_bot"]), _ranks(rows["placement"]), times, *keys))
    near = np.diff(times[order]) < window_us
    for key in keys:
        near &= key[order[1:]] == key[order[:-1]]
    repeats = np.zeros(rows.num_rows, np.bool_)
    repeats[order[1:]] = near
    return repeats


def _times(rows: pa.Table) -> Indices:
    return _array(rows["time"].cast(pa.int64()))


def _ranks(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """Return numbers that order and compare as the column's values do."""
    if not pa.types.is_string(column.type):
        return _array(column)
    encoded = column.combine_chunks().dictionary_encode()
    ranks: npt.NDArray[Any] = _array(pc.rank(encoded.dictionary))[_array(encoded.indices)]
    return ranks


def _booked(rows: pa.Table, known: int, was: Mask, now: Mask) -> pa.Table:
    """Return the bookings of rows: corrections of the first `known`, which were booked before; the others are new."""
    is_new = np.arange(rows.num_rows) >= known
    changed = np.flatnonzero(is_new | (now != was))
    counted = np.where(is_new, ~now, -1)[changed].astype(np.int64)
    repeated = now[changed].astype(np.int64)
    events = rows.select(COLUMNS).take(pa.array(changed))
    return pa.Table.from_arrays([*events.columns, pa.array(counted), pa.array(repeated)], schema=BOOKED_SCHEMA)


def _extended(state: pa.Table, touched: Indices, fresh: pa.Table, now: Mask) -> pa.Table:
    """Return the state with the touched rows as booked now, and the fresh ones after it."""
    booked = _array(state["duplicate"]).copy()
    booked[touched] = now[: len(touched)]
    extended = pa.concat_tables([state, fresh])
    place = STATE_SCHEMA.get_field_index("duplicate")
    return extended.set_column(place, STATE_SCHEMA.field(place), pa.array(np.append(booked, now[len(touched) :])))


def _names(sources: pa.DictionaryArray) -> list[str]:
    names: list[str] = sources.dictionary.to_pylist()
    return names


def _array(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[Any]:
    return np.asarray(column.to_numpy(zero_copy_only=False))
