"""Lines come through a pipe, slowly and in pieces; the run must end with them.

Other programs take a pause for the end, or the end of a piece for the end of a line. logagg reads standard input until it is
closed, also with --once.
"""

import subprocess

import pytest

from tests.accidents.conftest import Site, settle


@pytest.mark.parametrize("once", [["--once"], []], ids=["once", "following"])
def test_all_are_counted(site: Site, once: list[str]) -> None:
    argv = site.logagg.argv("tail", "-q", *once, "-")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, env=site.logagg.env, cwd=site.logagg.folder) as tail:
        assert tail.stdin
        for _ in range(4):
            lines = site.lines(50)
            tail.stdin.write(lines[:777])
            tail.stdin.flush()
            settle(0.6)
            tail.stdin.write(lines[777:])
        tail.stdin.write(site.lines(1)[:-1])
        tail.stdin.close()
        assert tail.wait(60) == 0
