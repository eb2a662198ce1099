"""Configurations of web servers: which access logs nginx or Apache httpd write, in which format, for which site.

A lexer for each turns text into directives, a reader for each follows includes and inheritance to the contexts that write
logs; `logs` joins those to one record a log, and tells which are to be followed so that each request counts once.
"""
