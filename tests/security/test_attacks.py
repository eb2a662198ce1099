"""No attack succeeds, no result or error reveals a secret, and no file changes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from logagg.errors import LogaggError
from logagg.query import sandbox, sandbox_kernel
from logagg.query.sandbox import QueryLimits, Sandbox
from tests.conftest import ROOT
from tests.security import confined
from tests.security.attacks import DEEDS_TRIED, OTHERS, STATEMENTS
from tests.security.conftest import SECRET, Place, made, spill_into

LIMITS = QueryLimits(seconds=60, memory=256 << 20, rows=1000)


def test_there_are_many_attacks() -> None:
    texts = [attack.sql for attack in STATEMENTS] + list(OTHERS)
    assert len(set(texts)) == len(texts) >= 60


def told(place: Place, query: str, *, arrow: bool = False) -> str:
    """Return the error of a query. Raises AssertionError if the query succeeds."""
    with pytest.raises(LogaggError) as failure:
        with Sandbox(place.lake, readable=[place.named], limits=LIMITS).run(query, arrow=arrow) as answer:
            list(answer.batches() if arrow else answer.rows())
    return str(failure.value)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return made(tmp_path_factory.mktemp("attacked"))


@pytest.fixture
def unchanged(shared: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    place, before = shared, shared.tree()
    spill_into(place, monkeypatch)
    yield place
    assert place.tree() == before
    assert not place.spill.exists()


@pytest.mark.parametrize("text", [attack.sql for attack in STATEMENTS] + list(OTHERS))
def test_an_attack_fails_and_reveals_nothing(unchanged: Place, text: str) -> None:
    said = told(unchanged, unchanged.filled(text))
    assert SECRET.decode() not in said and SECRET.hex() not in said.lower()
    assert "internal" not in said and "please report" not in said


@pytest.mark.parametrize("text", ["FROM '{outside}/names.csv'", "SELECT 1; SELECT 2", "FROM answer", "FROM connection"])
def test_an_attack_reveals_nothing_in_arrow(unchanged: Place, text: str) -> None:
    assert SECRET.decode() not in told(unchanged, unchanged.filled(text), arrow=True)


def test_a_query_cannot_find_out_which_files_exist(unchanged: Place) -> None:
    query = "FROM read_text('{}')"
    there, missing = (told(unchanged, query.format(unchanged.outside / name)) for name in ("names.csv", "nothing"))
    assert there.replace("names.csv", "nothing") == missing


@pytest.mark.parametrize("path", ["{lake}", "{lake}/secret", "{lake}/data", "{lake}/..", "/", "/dev/null"])
def test_a_directory_that_contains_the_lake_cannot_be_named(place: Place, path: str) -> None:
    from pathlib import Path

    with pytest.raises(LogaggError, match="--read"):
        Sandbox(place.lake, readable=[Path(place.filled(path))])


def test_a_link_out_of_a_named_directory_leads_nowhere(place: Place) -> None:
    (place.named / "out.csv").symlink_to(place.outside / "names.csv")
    assert SECRET.decode() not in told(place, f"FROM '{place.named}/out.csv'")


@pytest.fixture
def without_landlock(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(sandbox_kernel, "landlock_version", lambda: 0)
    return place


def test_without_landlock_no_attack_gets_through(without_landlock: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place, before = without_landlock, without_landlock.tree()
    texts = [attack.sql for attack in STATEMENTS if attack.guards != {"files"}] + list(OTHERS)
    things = [{"sql": place.filled(text)} for text in texts]
    monkeypatch.setattr(sandbox, "BOOTSTRAP", confined.bootstrap((), things, str(ROOT), landlock=0))
    with Sandbox(place.lake, limits=LIMITS).run("") as answer:
        rows = list(answer.rows())
    assert [(thing, said) for thing, (worked, said) in zip(things, rows, strict=True) if worked] == []
    assert SECRET.decode() not in str(rows) and place.tree() == before


def test_without_landlock_nothing_can_be_written(without_landlock: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place, before = without_landlock, without_landlock.tree()
    deeds = [one for one in DEEDS_TRIED if one.deed not in ("read", "list", "allocate", "core_dumps")]
    things = [{"deed": one.deed, "arguments": [place.filled(text) for text in one.arguments]} for one in deeds]
    monkeypatch.setattr(sandbox, "BOOTSTRAP", confined.bootstrap((), things, str(ROOT), landlock=0))
    with Sandbox(place.lake, limits=LIMITS).run("") as answer:
        rows = list(answer.rows())
    assert [(one.name, said) for one, (worked, said) in zip(deeds, rows, strict=True) if worked] == []
    assert place.tree() == before and not place.spill.exists()


def test_without_landlock_a_directory_is_not_read_but_a_file_is(
    without_landlock: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = without_landlock
    monkeypatch.setattr(sandbox, "BOOTSTRAP", confined.bootstrap((), (), str(ROOT), landlock=0))
    assert "no Landlock" in told(place, "SELECT 1")
    with Sandbox(place.lake, readable=[place.named / "names.csv"]).run(
        f"SELECT a FROM '{place.named}/names.csv'"
    ) as one:
        assert list(one.rows()) == [[1]]


def test_without_landlock_and_seccomp_no_query_runs(without_landlock: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    text = confined.bootstrap((), (), str(ROOT), landlock=0)
    text = text.replace("confined.main", "confined.sandbox_child.kernel._MACHINES.clear(); confined.main")
    monkeypatch.setattr(sandbox, "BOOTSTRAP", text)
    with pytest.raises(LogaggError, match="neither Landlock nor seccomp"):
        Sandbox(without_landlock.lake).run("SELECT 1")


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5, 6])
def test_an_older_landlock_keeps_the_files(place: Place, monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    if sandbox_kernel.landlock_version() < version:
        pytest.skip("the kernel has an older Landlock")
    monkeypatch.setattr(sandbox_kernel, "landlock_version", lambda: version)
    before = place.tree()
    deeds = [one for one in DEEDS_TRIED if "files" in one.guards]
    things = [{"deed": one.deed, "arguments": [place.filled(text) for text in one.arguments]} for one in deeds]
    things.append({"sql": "SELECT count(*) > 0 FROM traffic"})
    monkeypatch.setattr(sandbox, "BOOTSTRAP", confined.bootstrap((), things, str(ROOT), landlock=version))
    with Sandbox(place.lake, readable=[place.named], limits=LIMITS).run("") as answer:
        *rows, [answered, _] = answer.rows()
    assert answered and [(one.name, said) for one, (worked, said) in zip(deeds, rows, strict=True) if worked] == []
    assert place.tree() == before


def test_a_nul_hides_nothing(place: Place) -> None:
    assert "a text with a NUL" in told(place, "SELECT 1\0; COPY (SELECT 1) TO 'x'")
