"""In: rows of `requests`, the sources that they name, and the places where logs may be.
Out: the log line of each row, or the reason why it is not shown.
Promise: a line is shown only from a file that holds the bytes that were read, and only if it parses to the same row."""
