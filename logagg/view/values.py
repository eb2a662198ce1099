"""Columns of Arrow -> the values that DuckDB's own `fetchall` gives: dates out of range, intervals, maps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

Convert = Callable[[Any], Any]
_INFINITE = {"timestamp": (1 << 63) - 1, "date": (1 << 31) - 1}


def rows_of(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of record batches."""
    for batch in batches:
        yield from zip(*map(values_of, batch.columns), strict=True)


def values_of(column: pa.Array) -> list[Any]:
    """Return the values of a column."""
    column = column.cast(_in_microseconds(column.type), safe=False)
    try:
        values = column.to_pylist()
    except (OverflowError, ValueError):  # a time that Python cannot say
        values = [_value(one) for one in column]
    convert = _converter(column.type)
    return values if convert is None else [None if value is None else convert(value) for value in values]


def _in_microseconds(kind: pa.DataType) -> pa.DataType:
    """Return the type with times of Python's precision: for others, pyarrow imports pandas."""
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    if pa.types.is_time64(kind):
        return pa.time64("us")
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_in_microseconds(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_in_microseconds(field.type)) for field in kind])
    return kind


def _value(value: pa.Scalar) -> Any:
    try:
        return value.as_py()
    except (OverflowError, ValueError):
        if isinstance(value, pa.StructScalar):
            return {name: _value(one) for name, one in value.items()}
        if isinstance(value, pa.ListScalar):
            return [_value(one) for one in value]
        return _moment(value) if isinstance(value, pa.TimestampScalar | pa.Date32Scalar) else str(value)


def _moment(value: Any) -> Any:
    """Return the last or the first moment of Python's for infinity, text for what else is out of its range."""
    is_date = isinstance(value, pa.Date32Scalar)
    most = _INFINITE["date" if is_date else "timestamp"]
    if abs(value.value) < most:
        return str(np.datetime64(value.value, "D" if is_date else value.type.unit))
    limits = (date.min, date.max) if is_date else (datetime.min, datetime.max)
    return limits[value.value > 0]


def _converter(kind: pa.DataType) -> Convert | None:
    """Return what makes DuckDB's value of Arrow's, where they differ."""
    if pa.types.is_decimal(kind) and kind.scale == 0:
        return int  # a HUGEINT, as sums are
    if pa.types.is_interval(kind):
        return _interval
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind):
        inner = _converter(kind.value_type)
        return None if inner is None else lambda values: [None if one is None else inner(one) for one in values]
    if pa.types.is_map(kind):
        keys, items = _converter(kind.key_type) or _same, _converter(kind.item_type) or _same
        return lambda pairs: {keys(key): None if item is None else items(item) for key, item in pairs}
    if pa.types.is_struct(kind):
        fields = {field.name: found for field in kind if (found := _converter(field.type)) is not None}
        return _struct(fields) if fields else None
    return None


def _struct(fields: dict[str, Convert]) -> Convert:
    def converted(value: dict[str, Any]) -> dict[str, Any]:
        return {
            name: fields[name](one) if one is not None and name in fields else one for name, one in value.items()
        }

    return converted


def _same(value: Any) -> Any:
    return value


def _interval(value: Any) -> timedelta:
    return timedelta(days=value.months * 30 + value.days, microseconds=value.nanoseconds // 1000)
