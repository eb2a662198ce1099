"""Laws of visits: every column of every view is what one count over `requests` says.

Whatever the logs, cuts, shards and late lines, and whenever it is derived, merged, or the process dies.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from logagg.clock import ManualClock
from tests.laws.pace import examples
from tests.laws.visiting import LATE, START, Traffic, Writer, assert_visits, rows_of


@given(st.integers(0, 1 << 32))
@examples(6)
def test_views_say_what_requests_say(seed: int) -> None:
    """Logs in any order, lines that come late, derivations, merges and restarts with any shards at any time."""
    random = Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        root, clock = Path(folder) / "lake", ManualClock(START)
        traffic, late = Traffic(random), set[tuple[str, int]]()
        writer = Writer(root, clock, random.randint(1, 7))
        for _ in range(random.randint(5, 14)):
            act = random.choice(("commit", "commit", "commit", "derive", "merge", "restart"))
            if act == "commit":
                traffic.write(random.choice("abc"), random.randint(1, 12), random.choice((10, LATE, 4 * LATE)))
                clock.sleep(max(0.0, traffic.now - clock.now()) + random.choice((0, 300, 4000)))
                mark, before = writer.lake.state.watermark.timestamp(), writer.lake.state.late
                known = {(row["source"], row["position"]) for row in rows_of(root)}
                writer.commit(traffic.logs)
                brought = [row for row in rows_of(root) if (row["source"], row["position"]) not in known]
                fresh = {(row["source"], row["position"]) for row in brought if row["at"] < mark}
                assert writer.lake.state.late - before == len(fresh)
                late |= fresh
            elif act == "restart":
                writer.close()
                writer = Writer(root, clock, random.randint(1, 7))
            else:
                getattr(writer, act)()
            if random.random() < 0.3:
                assert_visits(root, late)
        clock.sleep(10 * LATE)
        writer.derive()
        assert_visits(root, late)
        writer.lake.compact_all()
        writer.close()
        assert_visits(root, late)
