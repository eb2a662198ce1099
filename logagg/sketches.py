r"""The two sketches, as plain SQL that any DuckDB client can merge.

*Unique visitors*: the K smallest distinct 64-bit hashes, sorted (K-minimum-values; Bar-Yossef et al., 2002; Beyer et al.,
2007). Exact below K = 1024 visitors; above, the relative standard error is about 1/sqrt(K - 2), 3.1%. The union of two
sketches is the sketch of the union.

*Latency*: counts in logarithmic buckets (DDSketch; Masson et al., 2019). A quantile read from them is within 1% of the
true one, from 0.1 ms up; below that it is 0. Buckets merge by addition.
"""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

K = 1024
ALPHA = 0.01
GAMMA = (1 + ALPHA) / (1 - ALPHA)
SHORTEST = 1e-4  # seconds; shorter durations fall into the lowest bucket
LOWEST = math.ceil(math.log(SHORTEST) / math.log(GAMMA))


def latency_bucket(seconds: pa.Array) -> pa.Array:
    """Return the bucket of each duration (int16), null for null."""
    if seconds.null_count == len(seconds):
        return pa.nulls(len(seconds), pa.int16())
    null = seconds.is_null().to_numpy(zero_copy_only=False)
    values = np.where(null, SHORTEST, seconds.to_numpy(zero_copy_only=False))
    # Durations beyond a day are clipped, so buckets fit into 16 bits.
    buckets = np.ceil(np.log(np.clip(values, SHORTEST, 86_400.0)) / math.log(GAMMA))
    return pa.array(buckets.astype(np.int16), mask=null)


def merge_sql(sketch: str) -> str:
    """Return the aggregate that merges sketches."""
    return f"coalesce(list_slice(list_sort(list_distinct(flatten(list({sketch})))), 1, {K}), [])::UBIGINT[]"


def _estimate(sketch: str) -> str:
    # The K-th smallest hash, relative to 2^64, is the fraction of the hash space that K - 1 hashes lie in.
    return f"""
        CASE WHEN len({sketch}) < {K} THEN len({sketch})
        ELSE round({K - 1} * 18446744073709551616.0 / {sketch}[{K}]::DOUBLE)::BIGINT END"""


def _seconds(bucket: str) -> str:
    return f"CASE WHEN {bucket} <= {LOWEST} THEN 0.0 ELSE 2 * pow({GAMMA!r}, {bucket}) / ({GAMMA!r} + 1) END"


def _latency_p() -> str:
    """Return the aggregate `latency_p(q, bucket, hits)`: the first bucket that at least a fraction `q` of the hits is in or below.

    It collects the rows of a group in a list, and finds the bucket in it by bisection, in eleven steps. The steps add up to
    more buckets than there are. For 1 M rows it takes 0.2 s as one group and 0.5 s as 50,000; window functions, which
    no macro can hold, take 0.04 s and 0.5 s. (Walking through a sorted list: 5 s and 5 s.)
    """
    counted = "FILTER (bucket IS NOT NULL AND hits > 0)"
    rows = f"list({{'bucket': bucket, 'hits': hits}}) {counted}"
    # HAVING takes `struct_extract(_row, ...)`, where `_row.bucket` would be a column. The names of variables begin with _,
    # since a user's column of the same name would be taken for the variable.
    hits = "CASE WHEN struct_extract(_row, 'bucket') <= _below + _step THEN struct_extract(_row, 'hits') ELSE 0 END"
    # Dividing is exact where multiplying is not: 7 / 100 is 0.07, but 0.07 * 100 is more than 7.
    upto = f"list_sum(list_transform({rows}, lambda _row: {hits})) / (sum(hits) {counted})"
    steps = ", ".join(str(1 << bit) for bit in reversed(range(11)))
    below = f"""list_reduce([{LOWEST - 1}, {steps}],
        lambda _below, _step: CASE WHEN {upto} < q THEN _below + _step ELSE _below END)"""
    # A list of one makes a variable, so the bucket is looked for once. Without rows, it has no bucket, so no seconds.
    found = f"CASE WHEN count(*) {counted} > 0 THEN [greatest(min(bucket) {counted}, 1 + {below})] END"
    return f"""
        CASE WHEN q BETWEEN 0 AND 1 THEN list_transform({found}, lambda _found: {_seconds("_found")})[1]
        WHEN q IS NOT NULL THEN error('latency_p(q, bucket, hits): q is between 0 and 1, such as 0.95') END"""


# No macro can name columns of the query that uses it, so `latency_quantile(q)` reads the whole view. As a value it is
# right only where all rows of `latency` are asked, or none: with GROUP BY or WHERE it fails.
_OF_ALL = """
    CASE WHEN count(*) = (SELECT count(*) FROM latency) OR sum(count(*)) OVER () = 1
    THEN (SELECT latency_p(q, bucket, hits) FROM (SELECT bucket, sum(hits) AS hits FROM latency GROUP BY bucket))
    ELSE error('latency_quantile(q) is of all there is; of these rows or groups it is latency_p(q, bucket, hits)') END"""

MACROS = (
    f"CREATE MACRO merge_sketches(sketch) AS {merge_sql('sketch')}",
    f"CREATE MACRO sketch_count(sketch) AS ({_estimate('sketch')})",
    "CREATE MACRO uniques(sketch) AS sketch_count(merge_sketches(sketch))",
    "CREATE MACRO total(x) AS sum(x)::BIGINT",
    # Not by nullif: in it, DuckDB 1.4.0 knows no window functions.
    "CREATE MACRO share(x) AS CASE WHEN sum(sum(x)) OVER () <> 0 THEN sum(x) / sum(sum(x)) OVER () END",
    "CREATE MACRO ctr(impressions, clicks) AS clicks / nullif(impressions, 0)",
    f"CREATE MACRO latency_seconds(bucket) AS {_seconds('bucket')}",
    f"CREATE MACRO latency_p(q, bucket, hits) AS {_latency_p()}",
    f"CREATE MACRO latency_quantile(q) AS {_OF_ALL}",
    """CREATE MACRO latency_quantile(q) AS TABLE
        SELECT site, path, total(hits) AS hits, latency_p(q, bucket, hits) AS seconds
        FROM (SELECT site, path, bucket, sum(hits) AS hits FROM latency GROUP BY site, path, bucket)
        GROUP BY site, path""",
)
