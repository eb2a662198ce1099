"""A file no longer matches the glob, and later matches again; a directory is not mounted for a while.

Alloy's manual: it "starts reading from the beginning". logagg forgets a source only when its file has been missing for
`tail.forget` (30 days).
"""

from tests.accidents.conftest import Site, settle


def test_no_line_is_read_again(site: Site) -> None:
    log = site.log()
    log.write(50)
    site.start(site.folder / "*.log")
    site.expect()
    for _ in range(2):
        log.path.rename(site.folder / "hidden")
        log.write(5)
        settle(0.7)
        (site.folder / "hidden").rename(log.path)
        log.write(5)
        site.expect()


def test_no_line_is_read_again_if_the_file_was_missing_at_the_start(site: Site) -> None:
    log, other = site.log(), site.log("other.access.log")
    log.write(50)
    other.write(5)
    site.start()
    site.expect()
    site.stop()
    log.path.rename(site.folder / "hidden")
    site.start()
    other.write(5)
    site.expect()
    (site.folder / "hidden").rename(log.path)
    log.write(5)
    site.expect()
    assert site.notes() == []
