"""The output on a terminal, and in a log file."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Command, combined, wait_until

LINES = combined([(f"/page/{number}", 200) for number in range(100)])


class Terminal:
    """A command on a terminal of its own, and all of its output."""

    def __init__(self, logagg: Command, *arguments: object, columns: int = 120) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.sent = ""
        self.process = subprocess.Popen(
            logagg.argv(*arguments),
            cwd=logagg.folder,
            env={key: value for key, value in logagg.env.items() if key != "COLUMNS"} | {"TERM": "xterm"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)

    def read(self) -> str:
        """Return all output up to now."""
        while select.select([self._master], [], [], 0.05)[0]:
            try:
                data = os.read(self._master, 1 << 16)
            except OSError:  # no process has the other end open
                break
            self.sent += data.decode()
        return self.sent

    def expect(self, holds: Callable[[str], object]) -> None:
        wait_until(lambda: bool(holds(self.read())))

    def screen(self) -> list[str]:
        """Return the visible lines: each line as last drawn."""
        lines = self.read().replace("\r\n", "\n").split("\n")
        return [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line.rpartition("\r")[2]) for line in lines]

    def end(self) -> int:
        self.expect(lambda _: self.process.poll() is not None)
        return self.process.wait()

    def hang_up(self) -> None:
        os.close(self._master)
        self._master = -1

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self._master >= 0:
            os.close(self._master)


@pytest.fixture
def terminal(logagg: Command) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*arguments: object, columns: int = 120) -> Terminal:
        opened.append(Terminal(logagg, *arguments, columns=columns))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    log = tmp_path / "access.log"
    log.write_text(LINES)
    return log


def append(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def test_one_status_line_is_redrawn(logagg: Command, log: Path, terminal: Callable[..., Terminal]) -> None:
    tail = terminal("tail", "--flush", "0.1", log)
    tail.expect(lambda sent: "100 lines," in sent)
    append(log, LINES + "garbage\n")
    tail.expect(lambda sent: "201 lines," in sent)
    assert len(tail.screen()) == 1 and re.fullmatch(r"201 lines, [\d,]+/s, 1 reject", tail.screen()[0])
    tail.process.send_signal(signal.SIGHUP)  # a notice gets a line of its own
    tail.expect(lambda sent: sent.rpartition("says nothing new")[2].count("201 lines"))
    notice, status = tail.screen()
    assert re.fullmatch(r"20\S+Z reload: the configuration says nothing new", notice)
    assert status.startswith("201 lines, 0/s")
    os.write(tail._master, b"\x03")
    assert tail.end() == 0
    assert tail.screen()[1:] in (["^C"], [""])  # the status line is erased


def test_the_status_line_fits_the_terminal(log: Path, terminal: Callable[..., Terminal]) -> None:
    tail = terminal("tail", log, columns=12)
    tail.expect(lambda sent: "100 lines" in sent)
    assert tail.screen() == ["100 lines, "]


def test_quiet_is_quiet(logagg: Command, log: Path, terminal: Callable[..., Terminal]) -> None:
    tail = terminal("tail", "-q", "--flush", "0.1", log)
    tail.expect(lambda _: (logagg.lake / "logagg.duckdb").exists() and logagg.lines() == 100)
    tail.process.send_signal(signal.SIGTERM)
    assert tail.end() == 0 and tail.sent == ""


def test_a_bar_while_catching_up(log: Path, terminal: Callable[..., Terminal]) -> None:
    log.write_text(LINES * 20_000)  # enough for the bar to be drawn again
    tail = terminal("tail", "--once", log)
    assert tail.end() == 0
    bar, summary = tail.sent.partition("2,000,000 lines (")[::2]
    assert "━" in bar and re.search(r"[1-9][\d,]* lines", bar)
    assert summary and "\x1b[?25h" in bar  # the cursor is visible again
    assert re.search(r"\x1b\[1A\x1b\[2K[^━]*$", bar)  # and the bar is erased


def test_no_bar_and_no_status_line_elsewhere(logagg: Command, log: Path) -> None:
    done = logagg.run("tail", "--once", log)
    assert done.stderr == "" and done.stdout.startswith("100 lines")
    assert "\x1b" not in done.stdout
    assert logagg.run("tail", "--once", "-q", log).stdout == ""


def test_plain_lines_in_a_log_file(logagg: Command, log: Path) -> None:
    """Each line is written as soon as there is output, without a terminal."""
    tail = logagg.start("tail", "-v", "--flush", "0.05", log)
    output = log.parent / "tail.log"
    try:
        wait_until(lambda: " commit: " in output.read_text(), tail)
        tail.send_signal(signal.SIGTERM)
        assert tail.wait(30) == 0
    finally:
        tail.kill()
        tail.wait()
    lines = output.read_text().splitlines()
    assert all(re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ [a-z]+: \S", line) for line in lines), lines


def test_a_terminal_that_hangs_up_ends_it_normally(
    logagg: Command, log: Path, terminal: Callable[..., Terminal]
) -> None:
    tail = terminal("tail", "--flush", "1h", log)
    tail.expect(lambda sent: "100 lines," in sent)
    append(log, LINES)
    tail.expect(lambda _: reads(tail.process.pid, log))
    tail.hang_up()
    assert tail.process.wait(30) == 0
    logagg.run("tail", "--once", "-q", log)
    assert logagg.lines() == 200


def reads(pid: int, log: Path) -> bool:
    return any(os.path.realpath(one) == str(log) for one in Path(f"/proc/{pid}/fd").iterdir())


def test_an_immediate_end_restores_the_cursor(log: Path, terminal: Callable[..., Terminal]) -> None:
    log.write_text(LINES * 20_000)
    tail = terminal("tail", "--once", log)
    tail.expect(lambda sent: re.search(r"[1-9][\d,]* lines", sent))
    tail.process.send_signal(signal.SIGTERM)
    tail.process.send_signal(signal.SIGINT)
    assert tail.end() in (128 + signal.SIGINT, 128 + signal.SIGTERM)
    assert tail.sent.rindex("\x1b[?25h") > tail.sent.rindex("\x1b[?25l")


def test_standard_streams_that_are_closed(logagg: Command, log: Path) -> None:
    script = '"$@" >&- 2>&- <&-'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *logagg.argv("tail", "--once", log)], cwd=logagg.folder, env=logagg.env
    )
    assert done.returncode == 0 and logagg.lines() == 100


@pytest.mark.parametrize(
    ("argv", "completed"),
    [("logagg rep", "report"), ("logagg tail --on", "--once"), ("logagg check --log", "--log-format")],
)
def test_completion(logagg: Command, argv: str, completed: str) -> None:
    logagg.env |= {"_LOGAGG_COMPLETE": "bash_complete", "COMP_WORDS": argv, "COMP_CWORD": str(argv.count(" "))}
    assert f"plain,{completed}" in logagg.run().stdout.splitlines()


def test_debug_shows_the_traceback(logagg: Command) -> None:
    for arguments in (("--debug", "status"), ("status", "--debug")):
        done = subprocess.run(
            logagg.argv(*arguments), cwd=logagg.folder, env=logagg.env, capture_output=True, text=True
        )
        assert done.returncode == 1 and "Traceback" in done.stderr
        assert done.stderr.splitlines()[-1].startswith("logagg: ") and "no lake there" in done.stderr


def test_versions_and_usage(logagg: Command) -> None:
    assert re.fullmatch(r"logagg, version \d+\.\d+\.\d+\n", logagg.run("--version").stdout)
    for arguments in (("tail",), ("nothing",), ("sql", "--nothing"), ("report", "--limit", "x"), ("--nothing",)):
        said = logagg.run(*arguments, status=2).stderr
        assert said.startswith("logagg: ") and said.count("\n") == 1
