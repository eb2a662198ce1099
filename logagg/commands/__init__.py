"""In: options and arguments, checked by click.
Out: the work of one command, on standard output; its module is imported when it is used.
Promise: a failure is one line on standard error and an exit status, never a traceback without `--debug`."""
