"""A new log has one line, or one byte.

Vector #2701, #445 (files below 256 bytes are skipped), Filebeat #44749 (up to 1,024 bytes are not read): there is not
enough for their fingerprint. logagg's proof is of as much as there is.
"""

from tests.accidents.conftest import Site


def test_tiny_files_are_read_at_once(site: Site) -> None:
    site.start(site.folder / "*.log")
    logs = [site.log(f"{number}.access.log") for number in range(5)]
    for log in logs:
        log.write(1)
    site.expect()
    byte_by_byte = site.lines(1)
    for at in range(len(byte_by_byte)):
        logs[0].write_bytes(byte_by_byte[at : at + 1])
    site.expect()
    site.kill()
    site.start(site.folder / "*.log")
    for log in logs:
        log.write(1)
        log.rotate()
        log.reopen()
        log.write(1)
    site.expect()
