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


_SECONDS = f"CASE WHEN bucket <= {LOWEST} THEN 0.0 ELSE 2 * pow({GAMMA!r}, bucket) / ({GAMMA!r} + 1) END"

# A macro cannot refer to columns of the query that uses it, so `latency_quantile(q)` reads the whole view: as a scalar
# macro over all rows, as a table macro for each path.
MACROS = (
    f"CREATE MACRO merge_sketches(sketch) AS {merge_sql('sketch')}",
    f"CREATE MACRO sketch_count(sketch) AS ({_estimate('sketch')})",
    "CREATE MACRO uniques(sketch) AS sketch_count(merge_sketches(sketch))",
    "CREATE MACRO ctr(impressions, clicks) AS clicks / nullif(impressions, 0)",
    f"CREATE MACRO latency_seconds(bucket) AS {_SECONDS}",
    """CREATE MACRO latency_quantile(q) AS (
        SELECT latency_seconds(min(bucket)) FROM (
            SELECT bucket, sum(sum(hits)) OVER (ORDER BY bucket) AS upto, sum(sum(hits)) OVER () AS total
            FROM latency GROUP BY bucket)
        WHERE upto >= q * total)""",
    """CREATE MACRO latency_quantile(q) AS TABLE
        SELECT site, path, any_value(total)::BIGINT AS hits, latency_seconds(min(bucket) FILTER (upto >= q * total)) AS seconds
        FROM (
            SELECT site, path, bucket, sum(sum(hits)) OVER (PARTITION BY site, path ORDER BY bucket) AS upto,
                sum(sum(hits)) OVER (PARTITION BY site, path) AS total
            FROM latency GROUP BY site, path, bucket)
        GROUP BY site, path""",
)
