"""In: events, dealt by visitor into one job per shard.
Out: jobs, to the shard that owns them.
Promise: each source's jobs reach a shard in order; a full queue makes the sender wait."""
