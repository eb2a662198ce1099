"""The files of deploy/, with paths of this machine: systemd accepts the units, the commands run, the supervisor restarts them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import LOGAGG, ROOT, Command, combined, wait_until
from tests.gearmand import free_port

UNITS = {path.name: path.read_text() for path in sorted((ROOT / "deploy").glob("*.service"))}
UNITS |= {path.name: path.read_text() for path in (ROOT / "deploy").glob("*.timer")}
TEXTS = {str(path.relative_to(ROOT)): path.read_text() for path in ROOT.glob("deploy/*") if path.is_file()} | {
    str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "README.md", *ROOT.glob("docs/*.md"))
}
LINES = 50


class Place:
    """A folder in place of the directories of a machine, with a log in it."""

    def __init__(self, logagg: Command, gearmand: str) -> None:
        self.logagg, self.folder, self.port = logagg, logagg.folder, free_port()
        self.log = self.folder / "nginx" / "access.log"
        self.log.parent.mkdir()
        self.write(LINES)
        self._here = {
            "=gearmand ": f"={gearmand} ",
            "=logagg ": f"={LOGAGG} ",
            "/var/lib/logagg/lake": logagg.lake,
            "/etc/logagg/secret": logagg.lake / "secret",
            "%d/secret": logagg.lake / "secret",
            "/etc/logagg": self.folder,
            "/var/log/nginx": self.log.parent,
            "/var/log/logagg": self.folder,
            "/run/logagg": self.folder,
            "10.0.0.1": "127.0.0.1",
            "4730": self.port,
            "tail --serve\n": f"tail --serve 127.0.0.1:{free_port()}\n",
            "serve --wait\n": f"serve --wait --listen 127.0.0.1:{free_port()}\n",
        }
        del logagg.env["LOGAGG_LAKE"]  # the configuration names it
        (self.folder / "logagg.toml").write_text(self.moved(TEXTS["deploy/logagg.toml"]))

    def write(self, lines: int) -> None:
        with self.log.open("a") as file:
            file.write(combined([(f"/{number}", 200) for number in range(lines)]))

    def moved(self, text: str) -> str:
        """Return a configuration with the paths of this folder."""
        standing = sorted(self._here, key=len, reverse=True)
        return re.sub("|".join(map(re.escape, standing)), lambda found: str(self._here[found[0]]), text)


@pytest.fixture
def place(logagg: Command, tool: Callable[[str], str]) -> Place:
    return Place(logagg, tool("gearmand"))


@pytest.mark.parametrize("name", UNITS)
def test_systemd_accepts_the_units(place: Place, tool: Callable[[str], str], name: str) -> None:
    unit = place.folder / name.replace("@", "@0-3")
    unit.write_text(place.moved(UNITS[name]))
    done = subprocess.run(
        [tool("systemd-analyze"), "verify", "--man=no", unit], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_the_units_are_confined(tool: Callable[[str], str], name: str) -> None:
    argv = [tool("systemd-analyze"), "security", "--offline=yes", "--threshold=30", str(ROOT / "deploy" / name)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-200:]


def test_every_file_has_one_place() -> None:
    """What belongs to logagg is in these folders, in the units and in the documentation alike."""
    places = (
        *("/etc/logagg", "/etc/logagg/logagg.toml", "/etc/logagg/secret", "/etc/xdg/logagg/logagg.toml"),
        *("/etc/systemd/system/nginx.service.d/logagg.conf", "/var/lib/logagg", "/var/lib/logagg/lake"),
        *("/var/lib/logagg/lake/secret", "/var/log/logagg", "/run/logagg"),
        *("/usr/lib/logagg", "/opt/logagg", "/opt/logagg/bin/logagg", "/opt/logagg/bin/pip", "/usr/local/bin/logagg"),
    )
    for name, text in TEXTS.items():
        found = re.findall(r"(?<![\w.~])/(?:etc|var|run|opt|usr|srv)/[\w./-]*logagg[\w./-]*", text)
        wrong = [
            one for one in (path.rstrip("./") for path in found) if not one.startswith("/srv/") and one not in places
        ]
        assert not [one for one in wrong if not one.startswith(("/var/log/logagg/", "/run/logagg/"))], name
    assert all(not re.search(r"^Exec\w+=\S*/logagg", text, re.M) for text in UNITS.values())  # found by its name


@contextmanager
def started(place: Place, name: str, instance: str = "") -> Iterator[subprocess.Popen[str]]:
    """Start the command of a unit, in the environment of the unit; end it as systemd does."""
    unit = place.moved(UNITS[name]).replace("%i", instance)
    settings = dict(re.findall(r"^(ExecStart|Environment)=(.*)$", unit, re.M))
    env = place.logagg.env | dict([settings["Environment"].split("=", 1)] if "Environment" in settings else [])
    with (place.folder / "units.log").open("a") as log:
        argv = shlex.split(settings["ExecStart"])
        process = subprocess.Popen(argv, cwd=place.folder, env=env, stdout=log, stderr=log, text=True)
    try:
        yield process
        process.terminate()
        assert process.wait(60) == 0, (place.folder / "units.log").read_text()
    finally:
        process.kill()
        process.wait()


def test_the_commands_of_the_units_run(place: Place) -> None:
    with (place.folder / "logagg.toml").open("a") as file:
        file.write("shards = 4\n")  # of [tail], which is its last section
    with started(place, "logagg-gearmand.service"), started(place, "logagg-worker@.service", "0-3") as worker:
        wait_until(lambda: (place.logagg.lake / "logagg.duckdb").exists(), worker)
        with started(place, "logagg-tail.service") as tail:
            place.logagg.await_lines(LINES, tail)
    assert (place.logagg.lake / "shards").read_text().startswith("4 ")
    place.write(LINES)
    with started(place, "logagg.service") as tail, started(place, "logagg-serve.service"):
        place.logagg.await_lines(2 * LINES, tail)
    [command] = re.findall("ExecStart=(.*)", place.moved(UNITS["logagg-check.service"]))
    subprocess.run(shlex.split(command), cwd=place.folder, env=place.logagg.env, check=True)


@pytest.mark.slow
@pytest.mark.thorough
def test_under_the_supervisor(place: Place) -> None:
    """The supervisor restarts killed workers, and the totals are exact."""
    text = re.sub("^user=.*\n", "", (ROOT / "deploy/supervisord.conf").read_text(), flags=re.M)
    (place.folder / "supervisord.conf").write_text(place.moved(text))
    with (place.folder / "supervisord.out").open("w") as out:
        argv = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", "supervisord.conf"]
        daemon = subprocess.Popen(argv, cwd=place.folder, stdout=out, stderr=out, text=True, env=place.logagg.env)
    try:
        place.logagg.await_lines(LINES, daemon)
        before = running(place.folder)
        workers = [name for name in before if name.startswith("worker")]
        assert len(workers) == 2, before
        for name in workers:
            subprocess.run(["kill", "-9", before[name]], check=True)
        place.write(LINES)
        place.logagg.await_lines(2 * LINES, daemon)
        wait_until(
            lambda: all(running(place.folder).get(name, before[name]) != before[name] for name in workers), daemon
        )
    finally:
        daemon.terminate()
        daemon.wait(60)
    assert place.logagg.lines() == 2 * LINES


def running(folder: Path) -> Mapping[str, str]:
    """Return the process numbers of the programs of a supervisor."""
    argv = [sys.executable, "-m", "supervisor.supervisorctl", "-c", "supervisord.conf", "status"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=30)
    return dict(re.findall(r"^(\S+)\s+RUNNING\s+pid (\d+)", done.stdout, re.M))
