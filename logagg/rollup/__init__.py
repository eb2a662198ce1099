"""In: jobs of one shard.
Out: a delta: rollup rows, positions, key state.
Promise: a job counts once however often it comes; deltas add up to the same totals however they are cut."""
