"""Sums of a lake that must agree: between rollups, and with the number of lines that were read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb

from logagg import spill
from logagg.lake import catalog
from logagg.lake.problems import RESTORE, Problem
from logagg.lake.state import NEVER, LostPart, State
from logagg.quantities import counted
from logagg.quoting import literal
from logagg.rollup.requests import NAME as REQUESTS


@dataclass(frozen=True, slots=True)
class Law:
    """Two sums, of two rollups, that are the same on every day; SQL over their views."""

    left: str
    right: str
    of_left: str
    of_right: str

    @classmethod
    def of(cls, left: str, right: str) -> Law:
        """Write a law as `agents.hits`, `traffic.hits WHERE status >= 400`, `ads.clicks + clicks_dup`."""
        return cls(left, right, _daily(left), _daily(right))

    def lacks(self, lost: Iterable[LostPart], day: date) -> bool:
        """Tell whether rows of a day were given up, in one of the rollups."""
        return any(one.rollup in self.views and one.min_ts.date() <= day <= one.max_ts.date() for one in lost)

    @property
    def views(self) -> set[str]:
        return {side.partition(".")[0] for side in (self.left, self.right)}

    @property
    def query(self) -> str:
        return (
            f"SELECT day, sum(a)::HUGEINT, sum(b)::HUGEINT FROM (SELECT day, n AS a, 0 AS b FROM ({self.of_left}) "
            f"UNION ALL SELECT day, 0, n FROM ({self.of_right})) GROUP BY day HAVING sum(a) <> sum(b) ORDER BY day"
        )


def _daily(side: str) -> str:
    summed, _, where = side.partition(" WHERE ")
    view, _, columns = summed.partition(".")
    total = "count(*)" if view == REQUESTS else " + ".join(f"sum({column})" for column in columns.split(" + "))
    return (
        f"SELECT time_bucket(INTERVAL 1 DAY, ts) AS day, {total} AS n FROM {view} "
        f"WHERE ts >= $since AND ({where or 'true'}) GROUP BY day"
    )


# A bound on distinct keys folds the rest into (other): sums stay.
LAWS = (
    Law.of("agents.hits", "traffic.hits"),
    Law.of("referrers.hits", "traffic.hits"),
    Law.of("errors.hits", "traffic.hits WHERE status >= 400"),
    Law.of("pages.views", "traffic.hits WHERE kind = 'pageview'"),
    Law.of("pages.errors", "traffic.hits WHERE status >= 400 AND kind IN ('pageview', 'other')"),
    Law.of("ads.impressions", "traffic.hits WHERE kind = 'impression'"),
    Law.of("ads.clicks + clicks_dup", "traffic.hits WHERE kind = 'click'"),
    Law.of("ads.conversions", "traffic.hits WHERE kind = 'conversion'"),
)


def laws_of(state: State) -> Iterator[tuple[Law, datetime]]:
    """Yield the laws of a lake, each with the first day that it holds for."""
    since = _whole_days(state)
    filled = state.rollups.keys() - state.uncounted.keys()  # others came later, and lack the lines of before
    yield from ((law, since) for law in LAWS if law.views <= filled)
    if state.requests_kinds:
        kinds = ", ".join(map(literal, state.requests_kinds))
        complete = _next_day(state.requests_from) if state.requests_from > NEVER else since
        law = Law.of(f"{REQUESTS}.rows WHERE kind IN ({kinds})", f"traffic.hits WHERE kind IN ({kinds})")
        yield law, max(since, complete)


def wrong_sums(root: Path, state: State) -> Iterator[Problem]:
    """Find days whose sums do not agree: those of two rollups, or of the hits, rejects and lines read."""
    try:
        with _over(root, state) as connection:
            yield from _wrong_total(connection, state)
            for law, since in laws_of(state):
                for day, left, right in connection.execute(law.query, {"since": since}).fetchall():
                    if law.lacks(state.lost, day.date()):
                        continue
                    what = (
                        f"{day:%Y-%m-%d}: {law.left} are {left:,}, {law.right} are {right:,}; they should be the same"
                    )
                    yield Problem(f"{root}: {what}", RESTORE)
    except duckdb.Error as error:
        yield Problem(f"{root}: its views cannot be summed: {str(error).splitlines()[0]}", RESTORE)


def _over(root: Path, state: State) -> duckdb.DuckDBPyConnection:
    """Return a connection with the rollups' views over the files of this lake, wherever it was before."""
    connection = duckdb.connect(config={"memory_limit": "512MB", "temp_directory": spill.directory()})
    connection.execute("SET TimeZone = 'UTC'")
    for name, schema in state.rollups.items():
        parts = [replace(part, damaged=False) for part in state.parts if part.rollup == name]  # all were looked at
        connection.execute(catalog.view(name, schema, parts, str(root.resolve())))
    return connection


def _whole_days(state: State) -> datetime:
    """Return the first day of which no rollup has lost anything to retention, which drops them one by one."""
    if state.gone == NEVER:
        return NEVER - timedelta(days=36_500)
    return _next_day(state.gone)


def _next_day(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def _wrong_total(connection: duckdb.DuckDBPyConnection, state: State) -> Iterator[Problem]:
    """Every line that was read is a hit or a reject, unless retention has dropped its day."""
    [(hits,)] = connection.execute("SELECT coalesce(sum(hits), 0)::BIGINT FROM traffic").fetchall()
    rejects = sum(lines for reasons in state.rejects.values() for lines in reasons.values())
    lines = state.lines()
    dropped = state.gone > NEVER or any(one.rollup == "traffic" for one in state.lost)
    if hits + rejects > lines or (hits + rejects < lines and not dropped):
        what = f"{counted(hits, 'hit')} and {counted(rejects, 'reject')} are not the {counted(lines, 'line')} that its sources gave"
        yield Problem(what, RESTORE)
