"""In: jobs of one shard.
Out: a delta: rollup rows, positions, key state.
Promise: a job counts once, however often it is received; totals do not depend on how deltas are divided."""
