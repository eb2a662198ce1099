"""The pool of parser processes: chunks go there and classified events come back, through shared memory."""
