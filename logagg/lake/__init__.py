"""In: deltas of all shards, and the sources that they come from.
Out: Parquet files under a catalog that any DuckDB client reads.
Promise: rows and positions become visible together or not at all; a snapshot stays readable for `lake.grace`."""
