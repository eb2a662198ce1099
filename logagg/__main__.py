"""`python -m logagg` is `logagg`."""

from logagg.cli import command

command()
