"""In: the newest snapshot of a lake.
Out: rows as tables, JSON, CSV and data frames.
Promise: read-only; every answer is the state of one commit."""
