"""The directory of a lake: what is in it beside data and catalogs."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from logagg.errors import LakeError
from logagg.lake import catalog, leases
from logagg.lake.files import write_secret

SECRET = "secret"  # the file with the key of the visitor hash
OTHERS = 0o027  # may read nothing of a lake, and its group write nothing, whatever the umask allows
SHARDS = "shards"  # the file that says for how many shards workers share a lake


def make(root: Path) -> None:
    """Make the directory of a lake. Raises LakeError when it is taken by something else, or cannot be written."""
    os.umask(os.umask(0o077) | OTHERS)
    try:
        root.mkdir(parents=True, exist_ok=True)
        found = {path.name for path in root.iterdir()}
    except OSError as error:
        raise LakeError(f"{root}: {error.strerror}", "choose another directory with --lake") from error
    if found and not found & {leases.LOCK, catalog.LINK}:
        raise LakeError(f"{root}: not a lake, and not empty", "choose another directory with --lake")


def secret(root: Path) -> bytes:
    """Return the key of the visitor hash, made with the lake."""
    path = root / SECRET
    if not path.exists():
        write_secret(path, secrets.token_bytes(32))
    return path.read_bytes()


def shards_of(root: Path) -> int | None:
    """Return for how many shards workers share a lake; None where they do not."""
    try:
        return int((root / SHARDS).read_text())
    except (OSError, ValueError):
        return None
