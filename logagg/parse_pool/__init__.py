"""In: chunks, in buffers of shared memory.
Out: for each chunk, a future of its events, parsed in another process.
Promise: the number and the size of buffers are fixed; if a parser dies, this process parses its chunks."""
