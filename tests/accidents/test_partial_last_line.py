"""A line is not finished when it is read: it has no newline yet.

Vector #2992, PR #4089 (it waits 1 ms, then emits half a line), Fluent Bit #3491, #5382 (continues in the middle of a
line), Vector #20914 (lines without their first bytes); GoAccess parses the result of fgets. logagg's positions are just
after a newline: half a line is not read, however long it takes, and even if server or tail are killed meanwhile. The end of a
rotated file without a newline is a line once the file has not changed for `tail.idle`.
"""

from tests.accidents.conftest import Site, line, settle


def test_half_a_line_waits_for_its_end(site: Site) -> None:
    log = site.log()
    log.write(10)
    site.start()
    site.expect()
    whole = site.lines(1)
    site.lost = {10}
    log.write_bytes(whole[:40])
    settle(0.7)
    site.kill()
    log.write_bytes(whole[40:90])
    site.start()
    settle(0.7)
    assert len(site.counted()) == 10
    log.rotate()
    log.write_bytes(whole[90:])
    site.lost = set()
    site.expect()


def test_the_end_of_a_rotated_file(site: Site) -> None:
    log = site.log()
    site.logagg.env["LOGAGG_TAIL_IDLE"] = "1s"
    log.write(10)
    log.write_bytes(site.lines(1)[:-1])
    site.start()
    log.rotate()
    log.reopen()
    log.write(5)
    site.expect()
    log.compress(1)
    log.write(5)
    site.expect()
    site.stop()
    site.start()
    site.expect()


def test_a_run_that_ends_counts_a_whole_last_line(site: Site) -> None:
    log = site.log()
    log.write_bytes(site.lines(2)[:-1])
    site.once()
    site.check()
    log.write_bytes(b"\n" + site.lines(1) + line(3)[:30])
    site.once()
    site.check()
    log.write_bytes(line(3)[30:])
    site.written += 1
    site.once()
