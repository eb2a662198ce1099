"""A lake in Python: each call answers from the newest snapshot, or from a kept one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb

from logagg.clock import Clock, SystemClock
from logagg.closing import Closing
from logagg.errors import LakeError
from logagg.quantities import counted
from logagg.query import html
from logagg.query.answers import Answer
from logagg.query.render import Rows, shown
from logagg.query.snapshot import catalog_of, connect, cursor_of, target_of
from logagg.query.times import zone_of

if TYPE_CHECKING:
    import pandas as pd

    from logagg.query.reports import Bots, ReportRequest
    from logagg.query.status import Status
    from logagg.query.times import When

LOOK = 0.2  # seconds between two looks for a commit

Parameters = Mapping[str, object] | Sequence[object]


def open(root: str | os.PathLike[str] = "lake", clock: Clock | None = None, tz: str = "UTC") -> OpenLake:
    """Open a lake for queries on its newest snapshot.

    `tz` is the time zone of days and of the times in answers. Raises LakeError, and LogaggError for an unknown zone.

    >>> import logagg
    >>> lake = logagg.open("lake")
    >>> lake.sql("SELECT sum(hits) AS hits FROM traffic").fetchall()
    [(6482,)]
    """
    return OpenLake(Path(root), clock or SystemClock(), tz)


class Snapshot(Closing):
    """One commit of a lake: its answers stay the same, whatever is committed later.

    `commit` is its number, and `committed_at` its time. `OpenLake.snapshot()` and `OpenLake.watch()` give them: several
    queries of one snapshot fit together.

    >>> snapshot = lake.snapshot()
    >>> snapshot.commit > 0, len(snapshot.report("agents", limit=3))
    (True, 3)
    """

    def __init__(self, root: Path, clock: Clock, zone: ZoneInfo) -> None:
        self.root, self._clock, self._zone = root, clock, zone
        self._connection = connect(root, zone.key)
        self._catalog = catalog_of(self._connection)
        commits = "SELECT count(*), coalesce(max(id), 0), max(committed_at) FROM commits"
        [found] = self._cursor().execute(commits).fetchall()
        self._commits: int = found[0]
        self.commit: int = found[1]
        self.committed_at: datetime | None = found[2]

    def sql(self, query: str, params: Parameters | None = None) -> Answer | None:
        """Return the answer to a query, or None for a statement without one; as `OpenLake.sql`, of this commit."""
        relation = self._cursor().sql(query, params=params)
        return None if relation is None else Answer(relation)

    def report(
        self,
        name: str,
        since: When | None = None,
        until: When | None = None,
        *,
        limit: int | None = None,
        site: str | None = None,
        bots: Bots = "include",
        steps: Sequence[str] = (),
        model: str | None = None,
    ) -> pd.DataFrame:
        """Return a report as a data frame; as `OpenLake.report`, of this commit."""
        from logagg.query import frames, reports

        now = self._clock.now()
        wanted = reports.ReportRequest.of(
            name,
            now,
            since=since,
            until=until,
            limit=limit,
            site=site,
            bots=bots,
            steps=steps,
            model=model,
            zone=self._zone,
        )
        return frames.Report.of(reports.run(self._cursor(), wanted).to_arrow_table(), _title(wanted, self._zone))

    def close(self) -> None:
        """Release the snapshot; earlier answers remain valid."""
        self._connection.close()

    def __repr__(self) -> str:
        return f"<snapshot {self.root}: {self._described()}>"

    def _repr_html_(self) -> str:
        return html.table(
            Rows(("view", "columns"), views := self._views()), len(views), f"{self.root}: {self._described()}"
        )

    def _described(self) -> str:
        if self.committed_at is None:
            return "no commit"
        return f"commit {self.commit:,} of {shown(self.committed_at.astimezone(self._zone))} {self._zone.key}"

    def _views(self) -> list[tuple[str, str]]:
        """Return the names of the views, each with its columns."""
        return self._cursor().execute(_VIEWS).fetchall()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        return cursor_of(self._connection, self._zone.key)


class OpenLake(Closing):
    """A lake that answers each call from its newest snapshot.

    An answer keeps its snapshot open, so later calls do not change it.
    """

    def __init__(self, root: Path, clock: Clock, tz: str = "UTC") -> None:
        self.root = root
        self._clock, self._zone = clock, zone_of(tz or "UTC")
        self._newest: Snapshot | None = None
        self.snapshot()

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot, for several queries of the same commit. Raises LakeError.

        >>> lake.snapshot().sql("SELECT count(*) > 0 FROM commits").fetchall()
        [(True,)]
        """
        if self._newest is None or self._newest._catalog != target_of(self.root):
            # The previous snapshot is not closed here: relations may still read it, and they keep its connection open.
            self._newest = Snapshot(self.root, self._clock, self._zone)
        return self._newest

    def watch(self, every: float = LOOK) -> Iterator[Snapshot]:
        """Yield the newest snapshot, and again the newest one whenever there is a later commit, until you stop.

        It looks for commits every `every` seconds. Commits that are made while you work on a snapshot are in the next
        one.

        >>> for snapshot in lake.watch():
        ...     print(snapshot.sql("SELECT sum(hits) FROM traffic").fetchall())
        ...     break
        [(6482,)]
        """
        last: Snapshot | None = None
        while True:
            newest = self.snapshot()
            if newest is not last:
                yield newest
                last = newest
            else:
                self._clock.sleep(every)

    def sql(self, query: str, params: Parameters | None = None) -> Answer | None:
        """Return the answer to a query as an `Answer`, or None for a statement without one.

        `params` fill `$name` or `?` in the query. The query may name data frames of the caller by their variables; it runs
        with your rights, not in the sandbox of `logagg sql`. Raises LakeError, and duckdb.Error for a wrong query.

        >>> top = "SELECT path, sum(views) AS views FROM pages WHERE site = $site GROUP BY path ORDER BY views DESC LIMIT 2"
        >>> lake.sql(top, {"site": "shop.example.com"}).df()
                     path  views
        0  /kettles/steel    207
        1           /cups    204
        """
        return self.snapshot().sql(query, params)

    def report(
        self,
        name: str,
        since: When | None = None,
        until: When | None = None,
        *,
        limit: int | None = None,
        site: str | None = None,
        bots: Bots = "include",
        steps: Sequence[str] = (),
        model: str | None = None,
    ) -> pd.DataFrame:
        """Return a report as a data frame, as `logagg report` shows it.

        `since` and `until` are written as on the command line, or are a datetime, date or timedelta (that long ago). `limit`
        is the most rows, 20 if not given; 0: all. `site` and `bots` narrow what is counted; `steps` are the paths of a funnel,
        `model` is that of attribution. Raises LogaggError.

        >>> lake.report("errors", since="2026-03-04", limit=2)[["path", "status", "hits"]]
                    path  status  hits
        0  /wp-login.php     404    15
        1          /.env     404    11
        """
        return self.snapshot().report(name, since, until, limit=limit, site=site, bots=bots, steps=steps, model=model)

    def lines(
        self,
        where: str = "",
        since: When | None = None,
        until: When | None = None,
        *,
        limit: int = 20,
        paths: Sequence[str | os.PathLike[str]] = (),
    ) -> pd.DataFrame:
        """Return the log lines behind requests, read from their logs: the newest `limit` of them, in the order of time.

        `where` is a condition over `requests`; it runs in the sandbox, so it may come from an untrusted user. `paths` are further
        files and directories to look for rotated logs in. The columns are those of `requests`, with `file`, `line`, and
        `reason`: why there is no line. Raises LogaggError.

        >>> found = lake.lines("status = 500", since="2026-03-04", limit=1)
        >>> found[["path", "status"]].values.tolist(), found.line[0][:34]
        ([['/', 500]], 'shop.example.com 203.0.113.21 - - ')
        """
        from logagg.query import lines

        asked = lines.LinesRequest.of(where, self._clock.now(), since=since, until=until, limit=limit, zone=self._zone)
        with lines.find(self.root, asked, paths) as found:
            return found.frame()

    def status(self, max_age: float | None = None) -> Status:
        """Return positions, lag, rates and problems, as `logagg status` shows them; `max_age` in seconds.

        >>> status = lake.status()
        >>> status.healthy, [(one.lines, one.rejects) for one in status.sources]
        (True, [(2055, 1), (2241, 0), (2187, 0)])
        """
        from logagg.query import status

        return status.read(self.root, self.snapshot()._cursor(), self._clock.now(), max_age)

    def close(self) -> None:
        """Release the snapshot; earlier answers remain valid, and a later call opens the newest one again."""
        if self._newest is not None:
            self._newest.close()
        self._newest = None

    def __repr__(self) -> str:
        try:
            newest = self.snapshot()
        except LakeError as error:
            return f"<lake {self.root}: {error}>"
        views = ", ".join(name for name, _ in newest._views())
        return f"<lake {self.root}: {self._described(newest)}; views {views}>"

    def _repr_html_(self) -> str:
        try:
            newest = self.snapshot()
        except LakeError as error:
            return html.framed(html.text(str(error)))
        views = newest._views()
        return html.table(Rows(("view", "columns"), views), len(views), f"{self.root}: {self._described(newest)}")

    def _described(self, newest: Snapshot) -> str:
        when = (
            f", the last at {shown(newest.committed_at.astimezone(self._zone))} {self._zone.key}"
            if newest.committed_at
            else ""
        )
        return f"{counted(newest._commits, 'commit')}{when}"


_VIEWS = """
    SELECT view_name, string_agg(column_name, ', ' ORDER BY column_index)
    FROM duckdb_views() JOIN duckdb_columns() ON table_name = view_name AND duckdb_columns.database_name = duckdb_views.database_name
    WHERE NOT duckdb_views.internal GROUP BY view_name ORDER BY view_name"""


def _title(wanted: ReportRequest, zone: ZoneInfo) -> str:
    """Return the subject of a report as text, with times of the zone."""
    since, until = (one and shown(one.astimezone(zone)) for one in (wanted.since, wanted.until))
    parts = (
        wanted.name,
        f"since {since}" if since else "",
        f"until {until}" if until else "",
        f"of {wanted.site}" if wanted.site else "",
        {"include": "", "exclude": "without robots", "only": "robots only"}[wanted.bots],
    )
    return ", ".join(filter(None, parts))
