"""A flipped bit in any file that counts is found, and the file is named."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logagg.clock import SystemClock
from logagg.config.sections import Config
from logagg.lake import catalog, digests, layout
from logagg.lake.lake import Lake
from logagg.lake.salts import Salts
from logagg.lake.verify import verify
from logagg.rollup.configured import tables_of
from tests.conftest import put_back
from tests.laws import sums

LINE = '192.0.2.%d - - [02/Mar/2026:%02d:00:00 +0000] "GET /%d HTTP/1.1" 200 10 "-" "Mozilla/5.0"\n'
DAMAGES = 100


NOT_KEPT = ("lock", "tail.json")  # files without rows; the heartbeat is replaced every few seconds


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small lake with two commits, a salt, and the state of workers that have shared it."""
    folder = tmp_path_factory.mktemp("made")
    log, lake = folder / "access.log", folder / "lake"
    for hours in (range(12), range(12, 24)):
        with log.open("a") as file:
            file.writelines(LINE % (hour, hour, hour) for hour in hours)
        sums.read(lake, [log], Config())
    Salts(lake, layout.secret(lake), SystemClock()).key(2_000_000_000)
    layout.write_shards(lake, 4)
    return lake


@pytest.fixture
def lake(made: Path, tmp_path: Path) -> Iterator[Path]:
    """The lake at its own path, which its catalog names, to be damaged; it is restored afterwards."""
    with put_back(made, tmp_path / "saved"):
        yield made


def counting(lake: Path) -> list[Path]:
    """The files that count: all but the locks, which are empty."""
    return sorted(
        path for path in lake.rglob("*") if path.is_file() and not path.is_symlink() and path.name not in NOT_KEPT
    )


def flip(path: Path, bit: int) -> Callable[[], None]:
    """Flip a bit of a file; return a function that flips it back."""
    before = path.read_bytes()
    data = bytearray(before)
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)

    def restore() -> None:
        path.write_bytes(before)

    return restore


def problems(lake: Path) -> list[str]:
    found = verify(lake)
    assert found
    return list(map(str, found.problems))


def flip_many(lake: Path, times: int, seed: int) -> list[str]:
    """Flip one bit after another, in each file equally often; return those that are not found under the file's name."""
    chance, missed = random.Random(seed), []
    files = counting(lake)
    assert len({path.parent.name for path in files}) > 5 and {"secret", "salts", "shards"} < {
        path.name for path in files
    }
    for number in range(times):
        path = files[number % len(files)]
        bit = chance.randrange(8 * path.stat().st_size)
        mend = flip(path, bit)
        found = problems(lake)
        if not any(str(path) in one for one in found):
            missed.append(f"{path}, bit {bit}: {found}")
        mend()
    assert problems(lake) == []
    return missed


@pytest.mark.thorough
def test_each_flipped_bit_is_found_and_named(lake: Path) -> None:
    assert flip_many(lake, DAMAGES, seed=DAMAGES) == []


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_thousand_flipped_bits_are_found_and_named(lake: Path) -> None:
    assert flip_many(lake, 1000, seed=1000) == []


@pytest.mark.thorough
def test_without_digests_bits_flip_unseen(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "is_intact", lambda path: True)
    monkeypatch.setattr(catalog, "is_intact", lambda path: True)
    assert flip_many(lake, 40, seed=40) != []


def test_the_rows_in_a_damaged_part_are_described(lake: Path) -> None:
    newest = catalog.newest(lake)
    assert newest
    part = next(part for part in catalog.read(newest).parts if part.rollup == "pages")
    flip(lake / part.path, 80)
    (problem,) = problems(lake)
    assert problem.startswith(f"{lake / part.path}: ")
    assert "12 rows of pages, all shards, from 2026-03-02 00:00 to 2026-03-02 11:00 UTC" in problem
    assert f"logagg check --repair --lake {lake}" in problem


def test_the_digest_in_a_name_is_that_of_coreutils(lake: Path, tool: Callable[[str], str]) -> None:
    b2sum = tool("b2sum")
    named = [path for path in counting(lake) if path.suffix in (".parquet", ".duckdb")]
    assert len(named) > 10
    output = subprocess.run(
        [b2sum, "--length", "128", *named], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert [line.split()[0] for line in output] == [digests.digest_in(path.name) for path in named]


def test_a_replaced_file_is_checked_too(lake: Path) -> None:
    """Snapshots that were opened before a merge still read the files that it replaced."""
    writer = Lake.open(lake, tables_of(Config()), clock=SystemClock(), config=Config())
    before = [lake / part.path for part in writer.state.parts]
    assert writer.compact_all()
    writer.close()
    flip(before[0], 800)
    (problem,) = problems(lake)
    assert problem.startswith(f"{before[0]}: ") and problem.endswith("nothing is lost: delete it")
