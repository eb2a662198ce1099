"""The lake's secret, in a file on each machine with a tail."""

from __future__ import annotations

from pathlib import Path

from logagg.errors import ClusterError

LEAST = 16  # bytes


def read_secret(path: Path) -> bytes:
    """Read the secret from a file. Raises ClusterError."""
    try:
        secret = path.read_bytes()
    except OSError as error:
        hint = "copy the file secret out of the lake, and name it with --secret"
        raise ClusterError(f"{path}: the lake's secret cannot be read: {error.strerror}", hint) from error
    if len(secret) < LEAST:
        raise ClusterError(f"{path}: too short to be the secret of a lake", "copy it again")
    return secret
