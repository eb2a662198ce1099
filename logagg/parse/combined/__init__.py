"""Writes the formats of the combined family from lines: client, time, the request in quotes, its status and size, and more.

Servers put the host, further addresses and values of their own before, between and behind the fields of `combined`. The
shape of a value decides its meaning, and a place is used only if the shapes of all its values prove it.
"""
