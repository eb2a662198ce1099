"""The wheel, the source distribution and the Debian package: built, installed where nothing else is, and run."""

from __future__ import annotations

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]
DEMO = ROOT / "fixtures/demo"


def pythons() -> Iterator[str]:
    """Yield the oldest and the newest Python at hand that logagg runs on."""
    homes = [*Path.home().glob(".pyenv/versions/*/bin"), Path(sys.executable).parent, Path("/usr/bin")]
    found: dict[int, str] = {}
    for minor in range(11, 20):
        for place in homes:
            if (python := place / f"python3.{minor}").exists():
                found.setdefault(minor, str(python))
    yield from dict.fromkeys([found[min(found)], found[max(found)]])


@pytest.fixture(scope="module")
def dist() -> Path:
    """Build what is published."""
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    subprocess.run(["make", "-s", "wheels"], cwd=ROOT, check=True)
    return ROOT / "dist"


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    [found] = dist.glob("*.whl")
    return found


def clean() -> dict[str, str]:
    return {"PATH": "/usr/sbin:/usr/bin:/bin", "HOME": "/nonexistent", "TZ": "UTC", "LANG": "C.UTF-8", "COLUMNS": "120"}


def rehearse(program: Path | str, folder: Path, under: tuple[str, ...] = ()) -> None:
    """Do what a new user does first."""

    def run(*arguments: object) -> str:
        argv = [*under, str(program), *map(str, arguments)]
        done = subprocess.run(argv, cwd=folder, env=clean(), capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{argv}\n{done.stdout}{done.stderr}"
        return done.stdout

    assert run("--version").startswith("logagg, version ")
    lake = ("--lake", "lake")
    run("tail", "--once", *lake, "--config", "demo/logagg.toml", "demo")
    assert "6,482" in run("report", *lake)
    assert run("sql", *lake, "--format", "csv", "SELECT total(hits) AS hits FROM traffic") == "hits\n6482\n"
    assert "GET /articles/tea.html" in run("lines", *lake, "--where", "path = '/articles/tea.html'", "--limit", 1)
    run("check", *lake, "--config", "demo/logagg.toml")
    assert "Referrers" in run("top", *lake)  # a picture, since there is no terminal
    assert "evaluations" in run("alert", "test", "errors", *lake)
    run("init")
    assert run("alert", "list", "--json", *lake) == "[]\n"  # what init writes changes nothing
    assert run("docs", "docs/events.md#visits").startswith("## Visits\n")


def serves(program: Path, folder: Path) -> None:
    argv = [str(program), "serve", "--lake", "lake", "--listen", "127.0.0.1:0"]
    server = subprocess.Popen(argv, cwd=folder, env=clean(), stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        [address] = re.findall(r"http://\S+", server.stdout.readline())
        for path in ("", "api/totals?since=2026-03-02&until=2026-03-05", "metrics"):
            with urllib.request.urlopen(address.rstrip("/") + "/" + path, timeout=30) as answer:
                assert answer.status == 200
    finally:
        server.terminate()
        assert server.wait(30) == 0
        server.stdout.close()  # type: ignore[union-attr]


@pytest.mark.parametrize("python", [*pythons()])
def test_the_wheel_runs_where_nothing_else_is(python: str, wheel: Path, tmp_path: Path) -> None:
    subprocess.run([python, "-m", "venv", tmp_path / "venv"], check=True)
    subprocess.run([tmp_path / "venv/bin/pip", "install", "-q", "--only-binary", ":all:", wheel], check=True)
    shutil.copytree(DEMO, tmp_path / "demo")
    rehearse(tmp_path / "venv/bin/logagg", tmp_path)
    serves(tmp_path / "venv/bin/logagg", tmp_path)
    script = "import logagg; print(logagg.open('lake').report('ads', limit=0).impressions.sum())"
    done = subprocess.run([tmp_path / "venv/bin/python", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "2177\n", done.stderr


def project_urls() -> dict[str, str]:
    """Return the addresses of the project, which has none before it is published."""
    found: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("urls", {})
    return found


def test_what_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        names = files.namelist()
        metadata = email.message_from_bytes(files.read(next(one for one in names if one.endswith("/METADATA"))))
        libraries = [one for one in names if one.endswith(".so")]
        assert not [one for one in libraries if b".debug_info" in files.read(one)]
    assert {one.split("/")[0].split("-")[0] for one in names} <= {"logagg", "logagg.libs"}
    sources = [one.relative_to(ROOT) for one in (ROOT / "logagg").rglob("*.pyx")]
    assert len(libraries) == len(sources) + 1  # and what they share
    for kind in ("*.py", "*.pyi", "*.sql", "*.tsv", "py.typed"):
        wanted = {str(one.relative_to(ROOT)) for one in (ROOT / "logagg").rglob(kind)}
        assert wanted <= set(names), wanted - set(names)
    assert {f"logagg/{one.relative_to(ROOT)}" for one in (ROOT / "docs").glob("*.md")} <= set(names)
    text, addresses = str(metadata.get_payload()), project_urls()
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert all(link.startswith(("https://", "#")) for link in links)
    assert bool(links) == bool(addresses)  # without a public address, no link leads to it
    assert "docs/sql.md" in text
    assert {one.split(",")[0] for one in metadata.get_all("Project-URL", [])} == set(addresses)
    assert not addresses or set(addresses) >= {"Source", "Documentation", "Changelog"}
    assert "manylinux" in wheel.name


def test_the_source_distribution_is_complete(dist: Path) -> None:
    """The wheel was built of it; its tests, tools and documents must be there as well."""
    [path] = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    kept = {one for one in listed if one and not one.startswith(".") and (ROOT / one).exists()}
    assert not sorted(kept - found)


@pytest.fixture(scope="module")
def deb(wheel: Path) -> Path:
    subprocess.run(
        [ROOT / "scripts/deb", wheel, ROOT / "dist"], check=True, env=os.environ | {"DEB_COMPRESSION": "zstd"}
    )
    [found] = (ROOT / "dist").glob("*.deb")
    return found


def test_the_debian_package_runs_in_a_system_of_its_own(deb: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    debootstrap = shutil.which("debootstrap", path="/usr/sbin:/usr/bin")
    if debootstrap is None or os.geteuid():
        pytest.skip("takes root, and debootstrap")
    suite = re.search(r"(?m)^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text())
    assert suite
    include = "--include=python3,libstdc++6"
    subprocess.run(
        [debootstrap, "--variant=minbase", include, suite[1], root, *mirror(suite[1])],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    shutil.copy(deb, root / "tmp/logagg.deb")
    within = ("chroot", str(root))
    subprocess.run([*within, "dpkg", "-i", "/tmp/logagg.deb"], check=True)
    shutil.copytree(DEMO, root / "tmp/demo")
    folder = ("chroot", str(root), "env", "-C", "/tmp")
    subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)
    try:
        rehearse("logagg", root / "tmp", folder)
    finally:
        subprocess.run(["umount", root / "proc"], check=True)
    for path in (
        "usr/share/man/man1/logagg-tail.1.gz",
        "usr/share/bash-completion/completions/logagg",
        "etc/logagg/logagg.toml",
    ):
        assert (root / path).is_file(), path
    assert list((root / "usr/lib/systemd/system").glob("logagg*.service"))
    assert "logagg" in (root / "etc/passwd").read_text()
    subprocess.run([*within, "dpkg", "--purge", "logagg"], check=True)
    assert not (root / "usr/lib/logagg").exists()


def mirror(suite: str) -> list[str]:
    """Return where this system has Debian's packages from."""
    asked = [
        "apt-get",
        "indextargets",
        "--format",
        "$(REPO_URI)",
        "Created-By: Packages",
        "Origin: Debian",
        f"Codename: {suite}",
    ]
    return subprocess.run(asked, capture_output=True, text=True).stdout.split()[:1]
