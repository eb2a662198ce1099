"""In: rows of `requests`, the sources that they name, and where logs may be.
Out: the line of each row, as its log has it, or why it is not shown.
Promise: a line is shown only from a file that holds what was read of its source, and only if it gives its row again."""
