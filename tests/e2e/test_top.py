"""`logagg top` as it is installed, in a real terminal: tmux, by keys and captured screens; and printed to a pipe."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command, combined, wait_until
from tests.e2e.test_hostile import CONTROLS, is_harmless, target

COLOR = re.compile(r"\x1b\[(?:[\d;]*;)?(?:3[0-8]|4[0-8]|9\d|10\d)(?:;[\d;]*)?m")  # any but the terminal's own


class Tmux:
    """A command in a terminal of some size, with a server of its own."""

    def __init__(self, program: str, logagg: Command, *arguments: object, size: tuple[int, int], **env: str) -> None:
        self._tmux = [program, "-L", uuid.uuid4().hex, "-f", "/dev/null"]
        settings = {**logagg.env, **env, "TERM": "tmux-256color"}
        for name in ("COLUMNS", "LINES", *(name for name, value in env.items() if not value)):
            settings.pop(name, None)
        width, height = map(str, size)
        argv = ["env", "-i", *(f"{name}={value}" for name, value in settings.items()), *logagg.argv("top", *arguments)]
        script = f"{shlex.join(argv)}; echo exit status $?; sleep 100"  # tmux itself does not always learn the status
        self._run(
            "start-server",
            ";",
            "set",
            "-g",
            "set-clipboard",
            "on",
            ";",
            "new-session",
            "-d",
            "-x",
            width,
            "-y",
            height,
            script,
        )

    def _run(self, *argv: str) -> str:
        return subprocess.run([*self._tmux, *argv], check=True, capture_output=True, text=True, timeout=30).stdout

    def press(self, *keys: str) -> None:
        for key in keys:
            self._run("send-keys", key)

    def click(self, screen: str, text: str) -> None:
        """Click with the left button where a text is on the screen, as a terminal reports it (SGR)."""
        lines = screen.splitlines()
        y = next(number for number, line in enumerate(lines) if text in line)
        at = f"{lines[y].index(text) + 1};{y + 1}"
        self._run("send-keys", "-l", f"\x1b[<0;{at}M\x1b[<0;{at}m")

    def copied(self) -> str:
        return self._run("show-buffer")

    def screen(self, *, escapes: bool = False) -> str:
        return self._run("capture-pane", "-p", *(["-e"] if escapes else []))

    def expect(self, holds: Callable[[str], object]) -> str:
        seen = ""

        def is_there() -> bool:
            nonlocal seen
            seen = self.screen()
            return bool(holds(seen))

        try:
            wait_until(is_there)
        except AssertionError:
            raise AssertionError(f"the screen is\n{seen}") from None
        return seen

    def status(self) -> str:
        """Return the exit status of a command that has ended."""
        return self.expect(lambda screen: "exit status" in screen).rpartition("exit status ")[2].strip()

    def end(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, timeout=30)


Terminal = Callable[..., Tmux]


@pytest.fixture
def terminal(logagg: Command, tool: Callable[[str], str]) -> Iterator[Terminal]:
    started: list[Tmux] = []
    program = tool("tmux")

    def start(*arguments: object, size: tuple[int, int] = (80, 24), **env: str) -> Tmux:
        started.append(Tmux(program, logagg, *arguments, size=size, **env))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.fixture
def tail(logagg: Command) -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """Start tails, which end with the test."""
    started = []

    def start(log: Path) -> subprocess.Popen[str]:
        started.append(logagg.start("tail", "--flush", "0.2", log))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.wait()


def now(count: int, path: str) -> str:
    """Return lines of this minute."""
    stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    return "".join(
        line.replace(line[line.index("[") + 1 : line.index("]")], stamp)
        for line in combined([(path, 200)] * count).splitlines(True)
    )


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_it_follows_a_log_and_its_keys(
    size: tuple[int, int], logagg: Command, terminal: Terminal, tail: Callable[[Path], subprocess.Popen[str]]
) -> None:
    log = logagg.folder / "access.log"
    log.write_text(now(3, "/first.html"))
    logagg.await_lines(3, tail(log))
    top = terminal("--since", "1h", size=size)
    screen = top.expect(lambda screen: "/first.html" in screen and "Live" in screen)
    assert len(screen.rstrip("\n").splitlines()) <= size[1]
    with log.open("a") as file:
        file.write(now(4, "/second.html"))
    top.expect(lambda screen: "/second.html" in screen)
    top.press("Enter")
    screen = top.expect(lambda screen: "Path = /second.html ×" in screen and "/first.html" not in screen)
    assert not COLOR.search(top.screen(escapes=True))  # NO_COLOR
    top.press("v")
    top.expect(lambda screen: "Requests" in screen and screen.count("/second.html") >= 4)
    top.press("Enter")
    top.expect(lambda screen: '"GET /second.html HTTP/1.1" 200' in screen)
    top.press("Escape")  # a key that follows at once would be one with Alt
    top.expect(lambda screen: "at byte" not in screen and "newest first" in screen)
    top.press("BSpace", "?")
    top.expect(lambda screen: "menu of windows" in screen)
    top.press("q", "q")
    assert top.status() == "0"


DAYS = ("--since", "2026-03-03", "--until", "2026-03-05")


def test_what_the_page_can_do(demo: Command, terminal: Terminal) -> None:
    top = terminal(*DAYS, size=(120, 40))

    def pressed(*keys: str, shows: str, hides: str = "Trouble") -> str:
        top.press(*keys)
        return top.expect(lambda screen: shows in screen and hides not in screen)

    pressed(shows="Views▼")
    pressed("m", shows="Visitors▼", hides="Views▼")
    pressed("r", shows="Visitors▲")
    pressed("r", "M", shows="Views▼")
    pressed("/", *"tea", "Enter", shows="/articles/tea.html", hides="/articles/bread.html")
    pressed("BSpace", shows="/articles/bread.html")
    pressed("x", shows="Path ≠ ")
    pressed("BSpace", "c", shows="vs. the window before", hides="Path ≠ ")
    pressed("b", shows="· people")
    pressed("b", shows="· robots")
    pressed("b", "d", shows="■ 2xx", hides="■ pageview")
    pressed("Space", shows="Paused")
    pressed("Space", "f", shows="Pages", hides="2 Referrers")
    pressed("f", "t", shows="last 7 days")
    pressed("q", "[", shows="Sun 1 Mar – Mon 2 Mar", hides="last 7 days")
    pressed("]", "o", shows="Tue 3 Mar – Wed 4 Mar")
    screen = pressed("o", shows="1-10 of 19")
    top.click(screen, "Visitors")  # of the totals
    pressed(shows="╭─ Visitors")
    screen = pressed("q", shows="1-10 of 19", hides="╭─ Visitors")
    top.click(screen, "/articles/rain.html")
    top.press("Enter")
    pressed(shows="Path = /articles/rain.html ×", hides="/cups")
    pressed("y", shows="y copies it")
    pressed("y", shows="The SQL is copied")
    assert "/articles/rain.html" in demo.run("sql", "--format", "csv", top.copied()).stdout
    top.press("q", "q")
    assert top.status() == "0"


def test_a_terminal_of_300_columns(demo: Command, terminal: Terminal) -> None:
    top = terminal(*DAYS, size=(300, 60))
    screen = top.expect(lambda screen: "4 " in screen and "Views▼" in screen)
    heads = next(line for line in screen.splitlines() if re.match("1 Pages ", line))
    assert re.search(r" 2 \w.* 3 \w", heads), heads  # side by side
    top.press("q")
    assert top.status() == "0"


def test_a_hostile_log_in_colour(logagg: Command, terminal: Terminal) -> None:
    log = logagg.folder / "access.log"
    paths = [
        "/[red]red[/red]",
        f"/{CONTROLS}".replace("\u2028", ""),
        "/" + "x" * 1_000_000,
        f"/imp?campaign={target(CONTROLS)}",
        "/漢字/" + "語" * 90,
    ]
    log.write_text(combined([(path, 200) for path in paths]))
    logagg.run("tail", "--once", "-q", log)
    top = terminal("--by", "path", size=(80, 24), NO_COLOR="")
    screen = top.expect(lambda screen: "[red]red[/red]" in screen)
    assert is_harmless(screen) and "\\x1b]0;owned" in screen and "漢字" in screen
    assert COLOR.search(top.screen(escapes=True))
    top.press("f", "v", "Enter")
    assert is_harmless(top.expect(lambda screen: "Request" in screen))
    top.press("C-c")
    assert top.status() == "0"


def test_a_picture_for_a_pipe(demo: Command) -> None:
    done = demo.run(
        "top", "--since", "2026-03-03", "--until", "2026-03-05", "--where", "status = 404", "--by", "path,site"
    )
    assert is_harmless(done.stdout) and "By path, site" in done.stdout and "status = 404" in done.stdout
    rows = demo.sql(
        "SELECT path, site, count(*) AS hits FROM requests WHERE status = 404 AND ts >= '2026-03-03' AND ts < '2026-03-05' "
        "GROUP BY ALL ORDER BY hits DESC, path, site LIMIT 3"
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    for row in rows:
        assert any(line[:3] == [row["path"], row["site"], str(row["hits"])] for line in lines), row
    assert "Wed 4 Mar" in demo.run("top", "--plain").stdout  # the last day of the lake


def test_days_are_those_of_the_zone(demo: Command) -> None:
    shown = demo.run("top", *DAYS, "--tz", "Asia/Kathmandu").stdout.splitlines()  # 5:45 before UTC
    when = "ts >= TIMESTAMPTZ '2026-03-02 18:15+00' AND ts < TIMESTAMPTZ '2026-03-04 18:15+00'"
    [row] = demo.sql(f"SELECT total(hits) AS hits FROM traffic WHERE {when}")
    assert shown[0].startswith("lake Tue 3 Mar – Wed 4 Mar · Asia/Kathmandu")
    assert shown[3].split()[0] == f"{row['hits']:,}"


REFUSED = (
    (("--where", "status = 404; DROP TABLE x"), "where"),
    (("--where", "getenv('HOME') = ''"), "getenv"),
    (("--where", "nothing = 1"), "nothing"),
    (("--by", "nothing"), "there are site"),
    (("--since", "nonsense"), "is not a time"),
    (("--lake", "nowhere"), "no lake there"),
)


def test_what_is_refused_is_said_in_one_line(demo: Command) -> None:
    for argv, said in REFUSED:
        done = demo.run("top", *argv, status=2 if "--by" in argv else 1)
        assert done.stderr.startswith("logagg: ") and said in done.stderr, argv
        assert done.stderr.count("\n") == 1 and not done.stdout


def test_a_condition_reads_the_snapshot_only(demo: Command) -> None:
    outside = ROOT / "fixtures/demo/access.log"
    done = demo.run("top", "--where", f"path IN (SELECT content FROM '{outside}')", status=1)
    assert done.stderr.count("\n") == 1
    assert demo.run("top", "--since", "2026-03-01", "--where", "path IN (SELECT path FROM pages)").stdout


def test_other_commands_do_not_pay_for_it(logagg: Command) -> None:
    code = "import sys; from logagg.cli import main; sys.argv = ['logagg', 'report', '--help']\ntry: main()\nfinally: print([m for m in sys.modules if 'textual' in m or 'rich' in m], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=logagg.env)
    assert done.stderr.splitlines()[-1] == "[]"
