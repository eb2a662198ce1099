"""A server's `log_format` is changed, and the server reloads: the same file goes on with lines of another format.

And a fresh log begins with a line that several formats could be taken for. Programs that decide for a format once, by the
first line or by a setting, count none of the lines after that: the tail is stopped, and the log is lost from there on.
"""

from tests.accidents.conftest import Site

MORE = b' "203.0.113.9" rt=0.005\n'


def test_a_log_goes_on_in_another_format(site: Site) -> None:
    log = site.log()
    log.write(20)
    site.start()
    site.expect()
    log.write_bytes(site.lines(1).replace(b"\n", MORE))  # a single line proves its format
    site.expect()
    log.write_bytes(site.lines(20).replace(b"\n", MORE))
    log.write(5)  # and the old one again
    site.expect()
    site.stop()
    assert "some lines are of another format" in site.notices()
    [(name,)] = site.logagg.read("SELECT DISTINCT format FROM sources")
    assert name.startswith("combined or <client>") and name.endswith("rt=<seconds:decimals>")
    [(seconds, hits)] = site.logagg.read("SELECT sum(seconds), sum(hits)::BIGINT FROM latency")
    assert (round(seconds, 6), hits) == (0.105, 21)
    site.start()
    log.write_bytes(site.lines(3).replace(b"\n", MORE))
    site.expect()


def test_the_first_line_is_odd(site: Site) -> None:
    log = site.log()
    site.start()
    for user in (b"Jane Doe", b"198.51.100.9 - -", b'" x'):
        log.write_bytes(site.lines(1).replace(b"- - [", b"- %s [" % user))
        site.expect()
    log.write(20)
    site.expect()
