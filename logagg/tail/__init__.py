"""In: paths to follow, and a `Sink`: the shards of this process, or a cluster.
Out: commits, through one read loop and one run (signals, reload, display) for either sink.
Promise: a tail reads no more than its memory holds, and on SIGTERM commits what it has read."""
