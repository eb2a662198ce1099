"""In: parsed chunks of tails on many machines, as messages over gearmand.
Out: jobs that shard workers roll up and commit into one lake.
Promise: a job counts once, whichever processes, job servers or messages are lost; a message without the lake's MAC is
refused."""
