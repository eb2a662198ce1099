"""`python -m logagg` is `logagg`, whose command this is, too."""

import os
from typing import NoReturn


def run() -> NoReturn:
    """Run the command; Ctrl-C ends it with status 130 while it is still being imported, too."""
    try:
        from logagg.cli import command
    except KeyboardInterrupt:
        os._exit(130)
    command()


if __name__ == "__main__":
    run()
