"""Declared metrics, and what Prometheus gets of them."""

from __future__ import annotations

from collections import Counter

from logagg.metrics import FOLLOWED, LOG_UNREAD, METRICS, REJECTS
from logagg.scrape import exposition


def test_what_is_known_is_there_at_zero() -> None:
    found = list(REJECTS.each(Counter({"time": 3, "new": 1}), ("format", "time")))
    assert [(one.labels, one.value) for one in found] == [(("format",), 0), (("time",), 3), (("new",), 1)]


def test_names_are_distinct_and_units_are_base_units() -> None:
    names = [one.name for one in METRICS]
    assert len(set(names)) == len(names) > 20
    assert not [name for name in names if name.endswith(("_ms", "_kb", "_minutes", "_count", "_sum"))]
    assert all(one.help.endswith((".", "1.")) and one.shown_by for one in METRICS)


def test_a_log_may_have_any_name() -> None:
    name = '/logs/\udcff"\\\n\x1b.log'
    text = exposition(lambda: [LOG_UNREAD.of(1, name), FOLLOWED.of(1)]).decode()
    [line] = [one for one in text.splitlines() if one.startswith("logagg_log_unread_bytes{")]
    assert line == r'logagg_log_unread_bytes{log="/logs/\\udcff\"\\\\n\\x1b.log"} 1.0'
    assert "process_resident_memory_bytes" in text
