"""A lake with secrets that a query must not see, and files beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from tests.units.query.conftest import write_catalog

SECRET = b"the-secret-of-the-visitors"


@dataclass(frozen=True)
class Place:
    """Paths that may be read, and paths that may not."""

    lake: Path
    named: Path  # a directory under --read
    outside: Path
    spill: Path

    @property
    def words(self) -> dict[str, str]:
        catalogs = sorted((self.lake / "catalog").iterdir())
        return {
            "lake": str(self.lake),
            "named": str(self.named),
            "outside": str(self.outside),
            "outside_name": self.outside.name,
            "spill": str(self.spill),
            "catalog": str(catalogs[-1]),
            "retired": str(self.lake / "data" / "traffic-1.parquet"),
            "part": str(self.lake / "data" / "traffic-2.parquet"),
            "victim": str(self.lake / "data" / "errors-2.parquet"),
            "parent": str(os.getppid()),
        }

    def filled(self, text: str) -> str:
        return text.format(**self.words)

    def tree(self) -> dict[str, tuple[int, int, bytes]]:
        """Return the state that must not change: content, owner and mode of every file except spilled ones."""
        paths = [path for top in (self.lake, self.named, self.outside) for path in sorted(top.rglob("*"))]
        found = [(path, path.lstat()) for path in paths]
        return {str(p): (s.st_mode, s.st_uid, p.read_bytes() if p.is_file() else b"") for p, s in found}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = made(tmp_path)
    spill_into(place, monkeypatch)
    return place


def spill_into(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Create the spill directory where the attacks look for it; in the product its name is random."""

    def mkdtemp(**_: object) -> str:
        place.spill.mkdir(0o700)
        return str(place.spill)

    monkeypatch.setattr("logagg.spill.tempfile.mkdtemp", mkdtemp)


def made(folder: Path) -> Place:
    place = Place(*(folder / name for name in ("lake", "named", "outside", "spill")))
    for name in ("data", "catalog", "quarantine", "pending"):
        (place.lake / name).mkdir(parents=True)
    write_catalog(place.lake, 1)
    write_catalog(place.lake, 2)
    with duckdb.connect(str((place.lake / "logagg.duckdb").resolve())) as connection:
        connection.execute("DELETE FROM files WHERE path LIKE '%-1.parquet'")
    for name in ("secret", "salts", "quarantine/job", "pending/0001"):
        (place.lake / name).write_bytes(SECRET + name.encode())
        (place.lake / name).chmod(0o600)
    _fill(place.named)
    _fill(place.outside)
    return place


def _fill(folder: Path) -> None:
    (folder / "empty").mkdir(parents=True)
    (folder / "names.csv").write_text(f"a,b\n1,{SECRET.decode()}\n")
    (folder / "names.json").write_text(f'{{"a": "{SECRET.decode()}"}}\n')
    (folder / "removed").write_text("here")
    (folder / "link").symlink_to(folder / "names.csv")
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 1 AS a) TO '{folder}/names.parquet'")
