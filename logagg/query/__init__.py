"""In: the newest snapshot of a lake.
Out: rows as tables, JSON, CSV, Parquet and data frames; the state of a lake; the log lines of requests.
Promise: read-only; every answer is the state of one commit."""
