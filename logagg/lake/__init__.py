"""In: deltas of all shards, and the sources they came from.
Out: Parquet files under a catalog that any DuckDB client reads.
Promise: rows and positions become visible together or not at all; what was visible stays readable for a while."""
