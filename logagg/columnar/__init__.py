"""In: a buffer of bytes, and the positions of values in it.
Out: slices, and columns encoded as their distinct values and a code for each row.
Promise: no Python code runs for each row; equal values of a column are stored once."""
