"""Lines to typed columns: the fast parser, and the reference that it must agree with."""
