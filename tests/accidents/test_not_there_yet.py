"""A log, its directory or its file system appears after the tail has started: in a container's first seconds, or at boot; or its name is mistyped.

Fluent Bit and Filebeat poll a pattern without matches, and never report it; `tail -F` retries a file, but exits if there is
none; a supervisor restarts a tail that exits forever. logagg waits, reports each missing path once, and
reads new logs from their start.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.accidents.conftest import Site, settle
from tests.conftest import wait_until
from tests.e2e.failures import failure_line, mode, without_power


def waits_for(site: Site, *messages: str) -> None:
    """Wait until the tail has reported the missing paths; it continues, and reports them only once."""
    assert site.process
    wait_until(lambda: site.notices().count(" waiting: ") >= len(messages), site.process)
    settle(1.2)
    assert [text for text in messages if text not in site.notices()] == []
    assert (site.notices().count(" waiting: "), site.process.poll()) == (len(messages), None), site.notices()


def test_an_empty_directory(site: Site) -> None:
    site.start()
    waits_for(site, f"{site.folder}: no access logs in this directory; reading begins when it comes")
    log = site.log()
    log.write(20)
    site.expect()
    log.rotate()
    log.reopen()
    log.write(20)
    site.expect()
    assert site.notices().count("waiting") == 1 and "watch" not in site.notices()


def test_a_directory_with_other_files(site: Site) -> None:
    (site.folder / "error.log").write_text("[error]\n")
    site.start()
    waits_for(site, "no access logs in this directory")
    site.log().write(20)
    site.expect()


@pytest.mark.parametrize("missing", [".", "a", "a/b/c"])
@pytest.mark.parametrize("name", ["", "access.log", "*.log", "*/access.log"])
def test_missing_paths(site: Site, missing: str, name: str) -> None:
    """A directory, a file or the matches of a glob, and their parents, are missing."""
    folder = site.folder / missing
    if missing != ".":
        first = site.folder / Path(missing).parts[0]
        asked = Path(missing, name).parts
        expected = f"there is no {first}" if len(asked) > 1 else "no such file or directory"
    else:
        expected = (
            "no access logs in this directory"
            if not name
            else "matches no file now"
            if "*" in name
            else "no such file or directory"
        )
    site.start(f"{folder}/{name}" if name else folder)
    waits_for(site, expected)
    if name.startswith("*/"):
        folder = folder / "x"
    folder.mkdir(parents=True, exist_ok=True)
    log = site.log(str((folder / "access.log").relative_to(site.folder)))
    log.write(20)
    site.expect()
    log.write(20)
    site.expect()


def test_one_of_several(site: Site) -> None:
    here, later = site.log("here.log"), site.folder / "later"
    here.write(10)
    site.start(here.path, later, site.folder / "x" / "*.log")
    waits_for(site, f"{later}: no such file or directory", "matches no file now")
    site.expect()
    later.mkdir()
    site.log("later/access.log").write(10)
    here.write(10)
    site.expect()


def test_a_directory_that_is_put_in_place_with_all_its_generations(site: Site) -> None:
    """By one rename, as an unpacked volume is."""
    target = site.folder / "logs"
    site.start(target)
    waits_for(site, "no such file or directory")
    (site.folder / "draft").mkdir()
    (site.folder / "draft" / "access.log.1").write_bytes(site.lines(30))
    (site.folder / "draft" / "access.log").write_bytes(site.lines(30))
    (site.folder / "draft").rename(target)
    site.expect()


def test_a_link_whose_target_does_not_exist_yet(site: Site) -> None:
    (site.folder / "access.log").symlink_to("volume/access.log")
    site.start(site.folder / "access.log")
    waits_for(site, "it is a link to")
    (site.folder / "volume").mkdir()
    site.log("volume/access.log").write(20)
    site.expect()


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """Mounts a file system in memory, which needs root."""
    mounted: list[Path] = []

    def at(folder: Path) -> None:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"cannot mount: {done.stderr.strip()}")
        mounted.append(folder)

    yield at
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("name", ["", "/access.log", "/*.log"])
def test_a_file_system_that_is_mounted_later(site: Site, mount: Callable[[Path], None], name: str) -> None:
    point = site.folder / "mnt"
    point.mkdir()
    site.start(f"{point}{name}")
    waits_for(site, str(point))
    mount(point)
    log = site.log("mnt/access.log")
    log.write(20)
    site.expect()
    log.write(20)
    site.expect()


@pytest.mark.parametrize("name", ["", "access.log", "*.log", "*/access.log"])
def test_a_directory_that_cannot_be_entered_yet(site: Site, tool: Callable[[str], str], name: str) -> None:
    folder = site.folder / "closed"
    (folder / "x").mkdir(parents=True)
    log = site.log("closed/x/access.log" if name.startswith("*/") else "closed/access.log")
    log.write(20)
    with without_power(site.logagg, tool), mode(folder, 0):
        site.start(f"{folder}/{name}" if name else folder)
        assert site.process
        wait_until(lambda: " unreadable: " in site.notices(), site.process)
        settle(1.2)
        assert site.notices().count(" unreadable: ") == 1 and str(folder) in site.notices(), site.notices()
        assert "waiting" not in site.notices() and site.process.poll() is None
        site.status()  # the lake exists, and has the status
    site.expect()


def test_once_does_not_wait(site: Site) -> None:
    folder = site.folder
    (folder / "here.log").write_bytes(site.lines(10))
    for path, message in {
        "nothing.log": "nothing.log: no such file or directory; check the path",
        "a/nothing.log": "no such file or directory: there is no a; check the path",
        "*.nothing": "*.nothing: matches no file now; check the pattern",
        "a/*.log": "a/*.log: matches no file now: no such file or directory: there is no a; check the path",
        str(folder): "",
    }.items():
        if message:
            assert message in failure_line(site.logagg, "tail", "--once", "-q", folder, path)
            assert not site.logagg.lake.exists(), "a run that fails before it starts leaves no files"
    site.once(folder)
    site.check()


def test_a_pipe_is_not_waited_for(site: Site) -> None:
    assert "not a regular file; read a pipe as standard input" in failure_line(site.logagg, "tail", "/dev/null")
