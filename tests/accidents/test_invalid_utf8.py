"""A line has bytes that are not UTF-8.

One 0xd0 ends the tail thread of nginx-amplify-agent (PR #129) without a message; wazuh #38561 loses the line. logagg reads
bytes; a value is decoded when it is first seen, and invalid bytes in it are replaced.
"""

from tests.accidents.conftest import Site


def test_the_line_counts(site: Site) -> None:
    log = site.log()
    site.start()
    for agent in (b"\xd0", b"\xff\xfe Mozilla", b"\xc3\x28", b"caf\xe9", "caf\u00e9".encode(), b"\xed\xa0\x80"):
        log.write_bytes(site.lines(1, agent))
    log.write(5)
    site.expect()
    agents = site.logagg.read("SELECT sum(hits)::BIGINT FROM agents")
    assert agents == [(site.written,)]
