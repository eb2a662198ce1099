"""The driver of a tail: a run, its read loop, and the local sink for its chunks."""
