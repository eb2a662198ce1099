"""In: chunks, in buffers of shared memory.
Out: a future of the events of each, parsed in processes of their own.
Promise: the buffers have a fixed number and size; if a parser dies, its chunks are parsed by this process."""
