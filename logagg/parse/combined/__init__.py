"""Writes the formats of the combined family from lines: who and when, the request in quotes, its status and size, and more.

Servers put the host, further addresses and values of their own before, between and behind the fields of `combined`. What a
value means is told by its shape, and a place is used only if the shapes of all its values prove it.
"""
