"""Logs come and go for years: the records of them must not grow forever, and their counts must stay."""

from tests.accidents.conftest import Site


def test_a_source_is_forgotten_but_its_counts_stay(site: Site) -> None:
    site.rejects = {"format": 2}
    for number in (1, 2):
        log = site.log(f"{number}.access.log")
        log.write(10)
        log.write_bytes(b"garbage\n")
    site.once()
    for number in (1, 2):
        (site.folder / f"{number}.access.log").unlink()
    live = site.log()
    live.write(1)
    site.once()  # they have been deleted
    site.check()
    assert len(_paths(site)) == 3

    site.logagg.env["LOGAGG_TAIL_FORGET"] = "10ms"
    live.write(1)
    site.once()
    site.check()
    assert _paths(site) == ["(forgotten)", str(live.path)]
    assert site.logagg.read("SELECT sum(lines)::INT FROM sources") == [(24,)]
    live.write(1)
    site.once()
    assert site.logagg.read("SELECT sum(lines)::INT FROM sources") == [(25,)]


def _paths(site: Site) -> list[str]:
    return [path for (path,) in site.logagg.read("SELECT DISTINCT path FROM sources ORDER BY path")]
