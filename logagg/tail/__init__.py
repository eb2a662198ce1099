"""The driver of a tail: one run, one read loop, and the sinks that it hands chunks to; the local one is here."""
