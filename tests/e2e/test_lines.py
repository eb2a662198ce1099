"""`logagg lines` prints the lines behind requests wherever their logs are now, and no line that is another one now."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import logagg as package
from tests.accidents.conftest import AGENT, line
from tests.conftest import POWERLESS, ROOT, Command

COUNT = 60  # lines of a log, longer than two fingerprints


@pytest.fixture
def log(logagg: Command) -> Path:
    """A log that was read: /n/0 ... /n/59."""
    path = logagg.folder / "logs" / "access.log"
    path.parent.mkdir()
    path.write_bytes(written(range(COUNT)))
    read(logagg, path.parent)
    return path


def written(numbers: range) -> bytes:
    return b"".join(line(number) for number in numbers)


def read(logagg: Command, *paths: object) -> None:
    logagg.run("tail", "--once", "-q", *paths)


def printed(logagg: Command, *words: object, status: int = 0) -> tuple[bytes, str]:
    """What it prints: the lines as bytes, and what it says."""
    done = subprocess.run(
        logagg.argv("lines", "--limit", 1000, *words),
        cwd=logagg.folder,
        env=logagg.env,
        capture_output=True,
        timeout=100,
    )
    assert b"Traceback" not in done.stderr, done.stderr
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr.decode()


def objects(logagg: Command, *words: object, status: int = 0) -> list[dict[str, Any]]:
    return [json.loads(one) for one in printed(logagg, "--json", *words, status=status)[0].splitlines()]


def said_to_be(word: str, logagg: Command, *words: object) -> None:
    """Check that no line is shown, and that one reason is said for all of them."""
    out, said = printed(logagg, *words, status=1)
    assert out == b""
    assert re.fullmatch(rf"logagg: {COUNT} lines {word}: [^\n]+\n", said), said
    assert {(one["line"], one["reason"].split(":")[0]) for one in objects(logagg, *words, status=1)} == {(None, word)}


# what is printed


def test_the_newest_in_the_order_of_time(logagg: Command, log: Path) -> None:
    done = logagg.run("lines")
    assert (done.stdout, done.stderr) == (written(range(COUNT - 20, COUNT)).decode(), "")
    assert logagg.run("lines", "--limit", 2, "--where", "path <> '/n/58'").stdout == (line(57) + line(59)).decode()


def test_of_a_condition_and_a_time(logagg: Command, log: Path) -> None:
    words = [
        "--where",
        "path LIKE '%7' AND status < 500",
        "--since",
        "2026-03-02T00:00:10",
        "--until",
        "2026-03-02T00:00:40",
    ]
    assert printed(logagg, *words) == (line(17) + line(27) + line(37), "")
    assert printed(logagg, "--where", "status >= 500") == (b"", "")


def test_json_says_all_of_a_request(logagg: Command, log: Path) -> None:
    [one] = objects(logagg, "--where", "path = '/n/5'")
    [row] = logagg.sql("SELECT * FROM requests WHERE path = '/n/5'")
    assert one == {**row, "file": str(log), "line": line(5).decode().rstrip(), "reason": None}


def test_python(logagg: Command, log: Path) -> None:
    lake = package.open(logagg.lake)
    frame = lake.lines("path IN ('/n/3', '/n/4')", limit=5)
    assert frame["line"].tolist() == [line(3).decode().rstrip(), line(4).decode().rstrip()]
    assert [*lake.sql("FROM requests").columns, "file", "line", "reason"] == list(frame.columns)  # type: ignore[union-attr]
    assert frame["reason"].isna().all() and str(frame["ts"].dtype).startswith("datetime64")
    log.unlink()
    assert lake.lines(limit=1)["line"].isna().all() and "gone" in lake.lines(limit=1)["reason"][0]
    assert len(lake.lines("false")) == 0
    with pytest.raises(package.LogaggError, match="where: .*one condition"):
        lake.lines("true; SELECT 1")


def test_errors_are_one_line(logagg: Command, log: Path) -> None:
    for where in ("nonsense = 1", "true) OR (true", "true; SELECT 1", "EXISTS (FROM '/etc/passwd')", "sum(bytes) > 1"):
        done = logagg.run("lines", "--where", where, status=1)
        assert done.stdout == "" and re.fullmatch(r"logagg: where: [^\n]+\n", done.stderr), done.stderr
    assert "no lake there" in logagg.run("lines", "--lake", "nowhere", status=1).stderr
    assert "not a time" in logagg.run("lines", "--since", "x", status=1).stderr
    logagg.run("lines", "--limit", 0, status=2)


def test_bytes_are_as_they_are_and_a_terminal_is_safe(logagg: Command) -> None:
    odd = line(1, b"\xff\xfe \x1b[31mred\x07 \xc3\xa9")
    (logagg.folder / "access.log").write_bytes(odd + line(2))
    read(logagg, "access.log")
    assert printed(logagg) == (odd + line(2), "")
    assert "\ufffd\ufffd \x1b[31mred\x07 é" in objects(logagg)[0]["line"]
    shown = on_terminal(logagg, "lines")
    assert b"\x1b" not in shown and b"\x07" not in shown and rb"\x1b[31mred\x07 " + "é".encode() in shown


def on_terminal(logagg: Command, *words: object) -> bytes:
    ours, its = pty.openpty()
    with subprocess.Popen(logagg.argv(*words), cwd=logagg.folder, env=logagg.env, stdout=its) as process:
        os.close(its)
        shown = b"".join(pieces(ours))
    assert process.returncode == 0
    return shown


def pieces(descriptor: int) -> Iterator[bytes]:
    try:
        while piece := os.read(descriptor, 1 << 16):
            yield piece
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(descriptor)


def test_a_reader_that_leaves(logagg: Command, log: Path) -> None:
    command = f"{' '.join(logagg.argv('lines', '--limit', COUNT))} | head -1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], env=logagg.env, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, line(0), b"")


# logs of every kind


@pytest.mark.parametrize("name", ["json", "crlf", "nginx-escapes", "apache-escapes", "garbage", "offsets", "percent"])
def test_every_request_of_a_log_finds_its_line(logagg: Command, name: str) -> None:
    folder = ROOT / "fixtures" / name
    config = ["--config", folder / "logagg.toml"] if (folder / "logagg.toml").exists() else []
    logagg.run("tail", "--once", "-q", *config, folder)
    out, said = printed(logagg)
    assert said == "" and out.count(b"\n") == logagg.sql("SELECT count(*) AS n FROM requests")[0]["n"]
    logged = {one.lstrip(b"\0") for one in (folder / "access.log").read_bytes().split(b"\n")}
    assert set(out.split(b"\n")) <= logged


def test_a_log_in_a_format_of_its_own(logagg: Command) -> None:
    text = b"".join(b"02/Mar/2026:00:00:%02d +0000|%d|GET|/a/%d|7\n" % (n, 200 + n % 2, n) for n in range(5))
    (logagg.folder / "odd.txt").write_bytes(text)
    read(logagg, "--log-format", "$time_local|$status|$request_method|$uri|$body_bytes_sent", "odd.txt")
    assert printed(logagg) == (text, "")


def test_cut_values_and_a_byte_order_mark(logagg: Command) -> None:
    long = line(1).replace(b"/n/1", b"/n/" + b"x" * 1000)
    (logagg.folder / "access.log").write_bytes(b"\xef\xbb\xbf" + long + b"\0\0\0" + line(2) + line(3).rstrip())
    read(logagg, "access.log")
    assert printed(logagg) == (long + line(2) + line(3), "")


def test_a_log_shorter_than_a_fingerprint(logagg: Command) -> None:
    log = logagg.folder / "access.log"
    log.write_bytes(line(1))
    read(logagg, log)
    log.write_bytes(line(1) + line(2))
    assert printed(logagg) == (line(1), "")
    log.write_bytes(line(3) + line(2))
    assert printed(logagg, status=1)[0] == b""


# logs that have moved

PACKERS = {"gzip -9": ".gz", "bzip2": ".bz2", "xz": ".xz", "zstd -q --rm": ".zst"}


@pytest.mark.parametrize("packer", PACKERS)
def test_a_log_that_was_compressed(logagg: Command, log: Path, tool: Callable[[str], str], packer: str) -> None:
    tool(packer.split()[0])
    subprocess.run([*packer.split(), log], check=True)
    assert printed(logagg) == (written(range(COUNT)), "")
    assert objects(logagg)[0]["file"] == f"{log}{PACKERS[packer]}"


def test_a_log_that_was_moved_to_another_directory(logagg: Command, log: Path) -> None:
    archive = logagg.folder / "archive" / "2026"
    archive.mkdir(parents=True)
    log.rename(archive / "march")
    said_to_be("gone", logagg)
    for place in (archive, archive / "march", f"{archive}/m*"):
        assert printed(logagg, place) == (written(range(COUNT)), "")


LOGROTATE = "{log} {{\n rotate 9\n {options}\n}}\n"


@pytest.mark.parametrize(
    "options", ["compress", "dateext\n compress", "olddir {old}\n compress", "copytruncate", "create"]
)
def test_after_logrotate(logagg: Command, log: Path, tool: Callable[[str], str], options: str) -> None:
    old, config = logagg.folder / "old", logagg.folder / "logrotate.conf"
    old.mkdir()
    config.write_text(LOGROTATE.format(log=log, options=options.format(old=old)))
    for path in (config, log.parent, logagg.folder):
        path.chmod(0o755 if path.is_dir() else 0o644)
    rotations = 1 if "dateext" in options else 2  # there is one name for a day
    for more in (range(COUNT + 5 * number, COUNT + 5 * number + 5) for number in range(rotations)):
        words = [tool("logrotate"), "--force", "--state", str(config.with_suffix(".state")), str(config)]
        subprocess.run(words, check=True, capture_output=True)
        log.write_bytes(written(more))
    elsewhere = [old] if "olddir" in options else []
    assert printed(logagg, *elsewhere) == (written(range(COUNT)), "")
    read(logagg, log.parent, *elsewhere)
    assert printed(logagg) == (written(range(COUNT + 5 * rotations)), ""), "the tail says where the others are"


def test_a_log_that_grew_and_one_beside_it_that_begins_alike(logagg: Command, log: Path) -> None:
    (log.parent / "aaa.log").write_bytes(written(range(COUNT - 5)) + line(99) * 5)
    log.write_bytes(log.read_bytes() + line(98))
    log.rename(log.parent / "zzz")
    assert printed(logagg) == (written(range(COUNT)), "")


# logs that are not what they were


def test_a_deleted_log(logagg: Command, log: Path) -> None:
    log.unlink()
    said_to_be("gone", logagg)


def test_an_overwritten_log(logagg: Command, log: Path) -> None:
    with log.open("r+b") as file:
        file.write(written(range(100, 100 + COUNT)))
    said_to_be("changed", logagg)


def test_a_truncated_log(logagg: Command, log: Path) -> None:
    os.truncate(log, log.stat().st_size - 10)
    said_to_be("changed", logagg)
    os.truncate(log, 0)
    said_to_be("changed", logagg)


def test_another_log_by_its_name(logagg: Command, log: Path) -> None:
    log.rename(logagg.folder / "access.log")
    log.write_bytes(written(range(100, 200)))
    said_to_be("gone", logagg)


def test_a_line_that_was_edited_in_the_middle(logagg: Command, log: Path) -> None:
    """Each is as long as it was, so that the fingerprints hold."""
    edits = {30: (b"/n/30 ", b"/n/31 "), 31: (b" 200 10 ", b" 404 10 "), 32: (b"00:00:32", b"00:00:33")}
    text = written(range(COUNT))
    for number, (old, new) in edits.items():
        text = text.replace(line(number), line(number).replace(old, new))
    log.write_bytes(text)
    out, said = printed(logagg)
    assert out == b"".join(line(number) for number in range(COUNT) if number not in edits)
    assert re.fullmatch(r"logagg: 3 lines changed: [^\n]+\n", said)
    (log.parent / "backup").write_bytes(written(range(COUNT)))
    assert printed(logagg) == (written(range(COUNT)), ""), "a copy has them still"


def test_a_line_that_was_cut_in_the_middle(logagg: Command, log: Path) -> None:
    text = written(range(COUNT))
    at = text.index(line(30))
    log.write_bytes(text[: at - 1] + b" " + text[at:])
    assert line(29) not in printed(logagg)[0] and line(30) not in printed(logagg)[0]
    log.write_bytes(text[:at] + line(30)[:9] + b"\n" + line(30)[10:] + text[at + len(line(30)) :])
    assert printed(logagg)[0] == text.replace(line(30), b"")


def test_a_damaged_archive(logagg: Command, log: Path) -> None:
    log.write_bytes(os.urandom(1 << 16).hex().encode())  # so that gzip needs many blocks
    log.write_bytes(b"".join(line(number, os.urandom(100).hex().encode()) for number in range(1000)))
    read(logagg, log)
    subprocess.run(["gzip", log], check=True)
    packed = log.with_name("access.log.gz")
    with packed.open("r+b") as file:
        file.seek(packed.stat().st_size // 2)
        file.write(b"\xff" * 100)
    out, said = printed(logagg, status=1)
    assert out == b"" and "unreadable" in said and "corrupt gz" in said


def test_a_log_that_this_user_may_not_read(logagg: Command, log: Path) -> None:
    log.chmod(0)
    words = [*(POWERLESS if os.geteuid() == 0 else []), *logagg.argv("lines")]
    done = subprocess.run(words, cwd=logagg.folder, env=logagg.env, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert f"unreadable: {log}: Permission denied" in done.stderr


def test_standard_input_keeps_nothing(logagg: Command, log: Path) -> None:
    shutil.rmtree(logagg.lake)
    logagg.run("tail", "--once", "-q", "-", input=written(range(COUNT)).decode())
    said_to_be("gone", logagg)


def test_quiet(logagg: Command, log: Path) -> None:
    log.unlink()
    assert printed(logagg, "-q", status=1) == (b"", "")


def test_a_thousand_lines_of_an_archive_in_no_order(logagg: Command) -> None:
    """The order of times is not that of positions; the archive is decompressed once."""
    numbers = [(number * 577) % 5000 for number in range(5000)]
    log = logagg.folder / "access.log"
    log.write_bytes(b"".join(map(line, numbers)))
    read(logagg, log)
    subprocess.run(["gzip", log], check=True)
    out = printed(logagg, "--limit", 5000)[0]
    assert out == b"".join(line(number) for number in range(5000))
    assert AGENT in out
