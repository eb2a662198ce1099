"""In: jobs of one shard; for derivations, the requests of a span.
Out: a delta: rollup rows, positions, key state; for derivations, rows of their tables.
Promise: a job counts once, however often it is received; totals do not depend on how deltas are divided."""
