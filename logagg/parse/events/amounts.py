"""Amounts of money as query strings write them, as whole millionths."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

DECIMALS = 6
# Below a billion, so that sums of nine billion orders fit into 64 bits. Further decimals are cut.
_AMOUNT = rf"^(?P<sign>-?)(?P<whole>[0-9]{{1,9}})(?:\.(?P<part>[0-9]{{0,{DECIMALS}}})[0-9]*)?$"


def amounts(values: pa.Array) -> pa.Array:
    """Return amounts (int64) such as `12.50`; null for what is none: `1,250.00` may be one thing or another."""
    found = pc.extract_regex(pc.if_else(pc.less_equal(pc.binary_length(values), 40), values, ""), _AMOUNT)
    whole = pc.struct_field(found, "whole").cast(pa.int64())
    part = pc.utf8_rpad(pc.fill_null(pc.struct_field(found, "part"), ""), DECIMALS, "0").cast(pa.int64())
    micros = pc.add(pc.multiply(whole, 10**DECIMALS), part)
    return pc.if_else(pc.equal(pc.struct_field(found, "sign"), "-"), pc.negate(micros), micros)
