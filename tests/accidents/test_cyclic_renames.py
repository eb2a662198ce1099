"""Names rotate among the same files: out.log -> out.lo1 -> out.lo2 -> out.log.

Vector #20512 reads them again, or not at all. For logagg a name is only where a source was last seen.
"""

from tests.accidents.conftest import Site


def test_each_file_keeps_its_place(site: Site) -> None:
    names = ["out.log", "out.lo1", "out.lo2"]
    logs = [site.log(name) for name in names]
    for log in logs:
        log.write(20)
    site.start(site.folder / "out.lo*")
    site.expect()
    for _ in range(3):
        (site.folder / "out.log").rename(site.folder / "spare")
        for old, new in (("out.lo2", "out.log"), ("out.lo1", "out.lo2"), ("spare", "out.lo1")):
            (site.folder / old).rename(site.folder / new)
        for log in logs:
            log.write(10)  # each server still holds its own file
        site.expect()
