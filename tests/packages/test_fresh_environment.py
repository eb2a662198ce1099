"""A wheel of this checkout, installed where nothing else is, and run. `test_wheel.py` does it with the wheel that is published."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.packages.test_wheel import DEMO, rehearse, serves


@pytest.mark.timeout(900)
def test_a_new_user_begins(tmp_path: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / "source" / name)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(tmp_path / "source")]
    subprocess.run(build, env={**os.environ, "CFLAGS": "-O1"}, check=True)  # -O1: in half of the time
    [wheel] = tmp_path.glob("logagg-*.whl")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    subprocess.run([tmp_path / "venv/bin/pip", "install", "-q", "--only-binary", ":all:", wheel], check=True)
    shutil.copytree(DEMO, tmp_path / "demo")
    rehearse(tmp_path / "venv/bin/logagg", tmp_path)
    serves(tmp_path / "venv/bin/logagg", tmp_path)
