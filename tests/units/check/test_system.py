"""`logagg check --system`: each thing that a machine may lack is named, with what to do about it."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from logagg.check import system
from logagg.check.system import Finding, Machine, findings
from logagg.clock import RELEASED
from logagg.config import places
from logagg.config.sections import Config, Requests, Tail

NOW = RELEASED + 86_400


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine that has all that it needs, with a log."""
    proc = tmp_path / "proc"
    for name, text in {
        "sys/fs/inotify/max_user_watches": "65536\n",
        "self/mounts": f"/dev/a / ext4 rw 0 0\n/dev/b {tmp_path} xfs rw 0 0\n",
        "self/cgroup": "0::/\n",
    }.items():
        (proc / name).parent.mkdir(parents=True, exist_ok=True)
        (proc / name).write_text(text)
    log = tmp_path / "logs" / "access.log"
    log.parent.mkdir()
    log.write_text("x\n")
    for name in ("landlock_version", "has_seccomp", "_is_synchronized", "_can_watch"):
        monkeypatch.setattr(system, name, lambda: 4)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() or 1000)
    monkeypatch.setattr(os, "sysconf", lambda name: 1 << 20)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    monkeypatch.setattr(places, "SYSTEM", tmp_path / "etc")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "xdg"))
    monkeypatch.delenv("LOGAGG_SECRET", raising=False)
    monkeypatch.chdir(tmp_path)
    config = replace(Config(), path=tmp_path / "logagg.toml", requests=Requests(max_size=1))
    (tmp_path / "logagg.toml").touch()
    return Machine(config, tmp_path / "lake", [str(log)], NOW, proc)


def of(machine: Machine, subject: str) -> list[Finding]:
    return [one for one in findings(machine) if one.subject == subject]


def only(machine: Machine, subject: str) -> Finding:
    [found] = of(machine, subject)
    return found


def refusing(*shut: Path) -> Callable[..., bool]:
    return lambda path, mode, **_: Path(path) not in shut


def test_nothing_is_missing(machine: Machine) -> None:
    found = findings(machine)
    assert {one.level for one in found} == {"ok"}, [str(one) for one in found if one.level != "ok"]
    subjects = ["user", "configuration", "logs", "lake", "disk", "open files", "memory", "sandbox", "clock", "watches"]
    assert [one.subject for one in found] == subjects


def test_what_is_not_well_says_what_to_do(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("landlock_version", "has_seccomp", "_is_synchronized", "_can_watch"):
        monkeypatch.setattr(system, name, lambda: 0)
    bad = replace(machine, paths=[], now=0.0, config=replace(machine.config, path=None))
    found = [one for one in findings(bad) if one.level != "ok"]
    assert len(found) >= 5 and all(one.remedy for one in found if one.subject != "configuration")


def test_root_is_told_so(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert only(machine, "user").level == "note"


def test_no_configuration_is_found(machine: Machine) -> None:
    (machine.config.path or Path()).unlink()
    found = only(replace(machine, config=Config()), "configuration")
    assert found.level == "note" and f"no {places.SYSTEM}/logagg.toml" in found.text and "logagg init" in found.remedy


def test_a_configuration_that_another_one_hides(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    places.SYSTEM.mkdir()
    hidden = places.SYSTEM / "logagg.toml"
    hidden.touch()
    assert [one.level for one in of(machine, "configuration")] == ["ok", "note"]
    monkeypatch.setattr(os, "access", refusing(hidden))
    assert "may not be read" in of(machine, "configuration")[1].text
    monkeypatch.setattr(os, "access", refusing(places.SYSTEM))
    assert of(machine, "configuration")[-1].text == f"not allowed to enter {places.SYSTEM}"


def test_logs_that_may_not_be_read_name_their_group(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Path(machine.paths[0])
    monkeypatch.setattr(os, "access", refusing(log))
    log.chmod(0o640)
    assert "usermod -aG " in only(machine, "logs").remedy and "1 file may not be read" in only(machine, "logs").text
    log.chmod(0o600)
    assert "logrotate" in only(machine, "logs").remedy
    assert "[tail] paths" in only(replace(machine, paths=[]), "logs").remedy


def test_the_lake(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "can be made" in only(machine, "lake").text
    monkeypatch.setattr(os, "access", refusing(machine.lake.parent))
    assert only(machine, "lake").level == "wrong" and "StateDirectory=" in only(machine, "lake").remedy
    machine.lake.mkdir()
    monkeypatch.setattr(os, "access", refusing())
    assert "may be written" in only(machine, "lake").text
    monkeypatch.setattr(os, "access", refusing(machine.lake))
    assert only(machine, "lake").level == "wrong"
    (machine.lake / "secret").touch()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert "belongs to the user" in only(machine, "lake").text


def test_the_disk(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(machine.lake.parent)
    values = {name: getattr(real, name) for name in ("f_bavail", "f_frsize", "f_flag", "f_files", "f_favail")}

    def having(**changes: int) -> list[tuple[str, str]]:
        monkeypatch.setattr(os, "statvfs", lambda _: type("Found", (), values | changes))
        return [(one.level, one.text) for one in of(machine, "disk")]

    assert having(f_bavail=1, f_frsize=1)[0][0] == "wrong"
    assert having(f_bavail=1 << 40, f_frsize=1, f_flag=os.ST_RDONLY)[0][0] == "wrong"
    assert having(f_bavail=1 << 40, f_frsize=1, f_flag=0, f_files=9, f_favail=0)[1] == ("wrong", "no inodes are free")
    much = replace(machine, config=replace(machine.config, requests=Requests(max_size=1 << 50)))
    assert [one.level for one in of(much, "disk")][0] == "note"


@pytest.mark.parametrize("kind", ["nfs4", "tmpfs", "cifs"])
def test_a_file_system_for_no_lake(machine: Machine, kind: str) -> None:
    (machine.proc / "self/mounts").write_text(f"/dev/a / ext4 rw 0 0\nx {machine.lake.parent} {kind} rw 0 0\n")
    assert of(machine, "disk")[-1].level == "note" and kind in of(machine, "disk")[-1].text


def test_limits(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (64, 64))
    wrong = [one.subject for one in findings(machine) if one.level == "wrong"]
    assert wrong == ["open files", "size of files", "memory"]
    monkeypatch.undo()
    few = replace(machine, config=replace(machine.config, tail=Tail(memory=1 << 60)))
    assert only(few, "memory").level == "wrong"


def test_the_sandbox(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "landlock_version", lambda: 0)
    assert only(machine, "sandbox").level == "note" and "no Landlock" in only(machine, "sandbox").text
    monkeypatch.setattr(system, "has_seccomp", lambda: False)
    assert only(machine, "sandbox").level == "wrong"


def test_the_clock_and_file_watches(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(replace(machine, now=0.0), "clock").level == "wrong"
    (machine.proc / "sys/fs/inotify/max_user_watches").write_text("0\n")
    assert "max_user_watches=" in only(machine, "watches").remedy
    monkeypatch.setattr(system, "_can_watch", lambda: False)
    assert "max_user_instances" in only(machine, "watches").remedy


def test_the_secret(machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOGAGG_SECRET", str(tmp_path / "secret"))
    assert "LoadCredential=" in only(machine, "secret").remedy
    (tmp_path / "secret").write_bytes(b"x" * 32)
    assert only(machine, "secret").level == "ok"
