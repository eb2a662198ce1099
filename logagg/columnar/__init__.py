"""Columns of text and bytes: slices of a buffer, dictionary encoding, encoded text."""
