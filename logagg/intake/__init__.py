"""In: paths, directories and globs; the lake's records of their sources.
Out: line-aligned chunks, oldest first, each with its place in its source.
Promise: every byte that can be read is in exactly one chunk, through rotation, truncation and restarts."""
