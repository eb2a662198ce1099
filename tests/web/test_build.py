"""The built page is what its sources give, and the logic of the page holds by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

STATIC = ROOT / "logagg/serve/static"


@pytest.fixture(scope="module")
def node() -> dict[str, str]:
    """Return the environment; without Node and its packages the tests are skipped, but fail if CI=1."""
    if not shutil.which("npm") or not (ROOT / "web/node_modules").exists():
        (pytest.fail if os.environ.get("CI") == "1" else pytest.skip)("npm is not installed, or make page was not run")
    return dict(os.environ)


def run(*argv: str, env: dict[str, str]) -> str:
    done = subprocess.run(argv, cwd=ROOT / "web", env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_built_page_is_that_of_its_sources(node: dict[str, str], tmp_path: Path) -> None:
    run("npm", "run", "--silent", "build", env=node | {"OUT": str(tmp_path)})
    for path in STATIC.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), f"{path.name}: run make page"


def test_state_windows_and_texts(node: dict[str, str]) -> None:
    run("npm", "test", "--silent", env=node)


def test_its_weight() -> None:
    """Return within what was promised: 50 kB of script."""
    import gzip

    assert len(gzip.compress((STATIC / "app.js").read_bytes(), 9)) <= 50_000


def test_licences_of_what_is_in_it() -> None:
    text = (STATIC / "THIRD-PARTY.txt").read_text()
    assert all(name in text for name in ("preact", "@preact/signals", "uplot")) and "MIT" in text
