"""A restart continues from the state of the lake."""

from __future__ import annotations

from tests.conftest import Command, combined


def test_a_click_after_a_restart_repeats_one_before_it(logagg: Command) -> None:
    log = logagg.folder / "access.log"
    clicks = combined([("/click?campaign=c&ad=1", 302)] * 2).replace("00:01:00", "00:00:20").splitlines(keepends=True)
    for upto in (1, 2):
        log.write_text("".join(clicks[:upto]))
        logagg.run("tail", "--once", log)
    assert logagg.read("SELECT sum(clicks)::INT, sum(clicks_dup)::INT FROM ads") == [(1, 1)]
