"""Columns of text and bytes in few numbers: slices of a buffer, dictionary-encoded text, the dictionaries of both."""
