"""In: the newest snapshot of a lake.
Out: rows as tables, JSON, CSV and data frames.
Promise: read-only; every answer is a state that existed."""
