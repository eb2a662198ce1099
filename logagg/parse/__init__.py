"""In: a chunk of bytes and a log format.
Out: typed columns, then classified events; lines that do not parse, as rejects.
Promise: every line becomes one event or one reject; the same bytes give the same answer in any chunking."""
