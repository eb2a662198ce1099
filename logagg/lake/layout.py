"""The directory of a lake: the files in it besides data and catalogs."""

from __future__ import annotations

import os
import re
import secrets
import shlex
from pathlib import Path

from logagg.errors import LakeError
from logagg.lake import locks
from logagg.lake.digests import digest_of_bytes
from logagg.lake.durable import replace_text, write_secret
from logagg.lake.ownership import SECRET, keep_modes, refuse_others
from logagg.lake_format import LINK

_SECRET = "logagg secret"  # what its digest is for
SHARDS = "shards"  # the file that says for how many shards workers share a lake


def make(root: Path) -> None:
    """Create the directory of a lake. Raises LakeError if it has other content or another owner, or is not writable."""
    refuse_others(root)
    keep_modes(root)
    try:
        Path(os.path.realpath(root)).mkdir(parents=True, exist_ok=True)  # a link may lead to where a lake is to be
        found = {path.name for path in root.iterdir()}
    except OSError as error:
        raise LakeError(f"{root}: {error.strerror}", "choose another directory with --lake") from error
    if found and not found & {locks.LOCK, LINK}:
        raise LakeError(f"{root}: not a lake, and not empty", "choose another directory with --lake")


def prepare_to_write(root: Path) -> None:
    """Prepare to write into an existing lake. Raises LakeError if the lake is missing, or belongs to another user."""
    if not (root / LINK).is_symlink() and not (root / LINK).exists():
        raise LakeError(f"{root}: no lake there", "`logagg tail` makes one")
    refuse_others(root)
    keep_modes(root)


def secret(root: Path) -> bytes:
    """Return the key of the visitor hash, made with the lake."""
    path = root / SECRET
    if not path.exists():
        write_secret(path, secrets.token_bytes(32))
    return path.read_bytes()


def secret_for(root: Path, expected: str) -> str:
    """Return the digest of the key of the visitor hash, which is created if it does not exist.

    Raises LakeError if another key is expected: with this one, all visitors would be new.
    """
    there = (root / SECRET).exists()
    found = digest_of_bytes(secret(root), _SECRET)
    if there and expected not in ("", found):
        raise LakeError(*other_secret(root))
    return found


def other_secret(root: Path) -> tuple[str, str]:
    """Return problem and remedy for a lake that was written with another secret."""
    hint = f"restore it from a backup; or, to go on with this one, {repair_command(root)}"
    return (
        f"{root / SECRET}: is not the secret that the lake was written with: all visitors would count as new ones",
        hint,
    )


def has_secret(root: Path, expected: str) -> bool:
    """Tell whether the secret is the one that a lake was written with, as far as that is known. Raises OSError."""
    return is_secret((root / SECRET).read_bytes(), expected)


def is_secret(secret: bytes, expected: str) -> bool:
    """Tell whether a secret is the one that a lake was written with, as far as that is known."""
    return expected in ("", digest_of_bytes(secret, _SECRET))


def repair_command(root: Path) -> str:
    """Return the command that repairs a lake."""
    return shlex.join(["logagg", "check", "--repair", "--lake", str(root)])


def write_shards(root: Path, shards: int) -> None:
    """Record the number of shards of a shared lake. Raises OSError."""
    replace_text(root / SHARDS, f"{shards} {_check(shards)}\n")


def shards_of(root: Path) -> int | None:
    """Return the number of shards of a shared lake; None if it is not shared. Raises LakeError if the record is damaged."""
    path = root / SHARDS
    try:
        text = path.read_bytes()
    except OSError:
        return None
    found = _SHARDS.fullmatch(text)
    if not found or (found[2] and found[2].decode() != _check(int(found[1]))):
        raise LakeError(f"{path}: damaged", f"stop the workers, and write how many shards there are: echo N > {path}")
    return int(found[1])


_SHARDS = re.compile(rb"(\d+)(?: ([0-9a-f]{32}))?\n")  # an earlier logagg wrote the number alone


def _check(shards: int) -> str:
    return digest_of_bytes(str(shards).encode(), "logagg shards")
