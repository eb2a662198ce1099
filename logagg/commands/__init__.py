"""In: options and arguments, checked by click.
Out: the answer of one command, on standard output; its module is imported only when the command runs.
Promise: a failure is one line on standard error and an exit status, never a traceback without `--debug`."""
