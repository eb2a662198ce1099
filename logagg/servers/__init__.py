"""In: the configuration of nginx or Apache httpd.
Out: the access logs that it names, each with its format and site.
Promise: of logs that record the same request, one is followed, so that each request counts once; no server is run.

For each server, a lexer turns text into directives, and a reader follows includes and inheritance to the contexts that
write logs; `logs` joins these to one record a log, and decides which are followed.
"""
