"""The installed server's own report: the places of its files, and its version."""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache

_PLACES = os.pathsep.join(("/usr/local/sbin", "/usr/sbin", "/sbin"))  # not on the path of every user
_PATIENCE = 10.0  # seconds


@cache
def nginx() -> Mapping[str, str]:
    """Return the options that the installed nginx was configured with, such as `prefix`; empty if nginx is not
    installed."""
    return dict(re.findall(r"--([\w-]+)=('[^']*'|\S+)", _said(("nginx",), "-V")))


@cache
def apache() -> Mapping[str, str]:
    """Return what the installed Apache httpd was compiled with, such as `HTTPD_ROOT`, and its `version`."""
    said = _said(("apache2", "httpd"), "-V")
    found = dict(re.findall(r'-D (\w+)="([^"]*)"', said))
    version = re.search(r"Apache/([\d.]+)", said)
    return found | ({"version": version[1]} if version else {})


def _said(programs: Sequence[str], option: str) -> str:
    """Return the output of the first of these programs that is there."""
    for name in programs:
        if program := shutil.which(name, path=f"{os.environ.get('PATH', '')}{os.pathsep}{_PLACES}"):
            try:
                done = subprocess.run(
                    [program, option], capture_output=True, text=True, timeout=_PATIENCE, errors="replace"
                )
            except (OSError, subprocess.TimeoutExpired):
                continue
            return done.stdout + done.stderr
    return ""


def with_folder(path: str, roots: Sequence[str]) -> str:
    """Return a relative path below the only root, or the first that has its directory; empty if none has."""
    whole = [os.path.join(root, path) for root in roots]
    return next((one for one in whole if len(roots) == 1 or os.path.isdir(_fixed_folder(one))), "")


def _fixed_folder(path: str) -> str:
    """Return the directory of a path, as far as it has no wildcards."""
    folder = os.path.dirname(path)
    return _fixed_folder(folder) if glob.has_magic(folder) else folder
