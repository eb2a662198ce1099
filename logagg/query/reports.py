"""The reports: each is an SQL file in `reports/`, with named parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import duckdb

from logagg.config.sections import Visits
from logagg.errors import LogaggError, NotFound
from logagg.lake_format import MODELS, VISITS_GAP
from logagg.query.names import REPORTS, check_choice
from logagg.query.times import When, moment

BOTS = ("include", "exclude", "only")
LIMIT = 20
FUNNEL = "funnel"

if TYPE_CHECKING:
    import pyarrow as pa

Bots = Literal["include", "exclude", "only"]


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """A request for one report, with its filters."""

    name: str
    since: datetime | None = None
    until: datetime | None = None
    limit: int | None = LIMIT  # None: all rows
    site: str | None = None
    bots: Bots = "include"
    steps: tuple[str, ...] = ()  # the paths of a funnel
    model: str | None = None  # for the report `attribution`; None: last_non_direct

    @classmethod
    def of(
        cls,
        name: str,
        now: float,
        *,
        since: When | None = None,
        until: When | None = None,
        limit: int | None = None,
        site: str | None = None,
        bots: Bots = "include",
        steps: Sequence[str] = (),
        model: str | None = None,
        zone: tzinfo = UTC,
    ) -> ReportRequest:
        """Return the request, checked; days are those of `zone`, and the default limit is 20 rows. Raises LogaggError."""
        if name not in REPORTS:
            raise NotFound(f"no report {name!r}", f"there are {', '.join(REPORTS)}")
        check_choice("bots", bots, BOTS)
        if model is not None:
            check_choice("model", model, MODELS)
        if limit is not None and limit < 0:
            raise LogaggError(f"limit: {limit} is not valid", "write a number of rows, or 0 for all")
        if (name == FUNNEL) != bool(steps):
            raise LogaggError("a funnel, and no other report, takes paths", "logagg report funnel / /cart /order")
        start, end = moment(since, now, "since", zone), moment(until, now, "until", zone)
        return cls(name, start, end, _most(name, limit), site, bots, tuple(steps), model)

    @property
    def parameters(self) -> dict[str, object]:
        bots = {"include": None, "exclude": False, "only": True}[self.bots]
        window = {"since": self.since, "until": self.until, "limit": self.limit}
        return {**window, "site": self.site, "bots": bots, "steps": list(self.steps) or None, "model": self.model}


def query_of(name: str) -> str:
    """Return the SQL of a report."""
    return (Path(__file__).parent / "reports" / f"{name}.sql").read_text("utf-8")


def run(connection: duckdb.DuckDBPyConnection, wanted: ReportRequest) -> duckdb.DuckDBPyRelation:
    """Return a report's rows. Raises LogaggError if the report does not have a filter, or the lake lacks a column."""
    query = query_of(wanted.name)
    takes = connection.extract_statements(query)[0].named_parameters
    for name, value in wanted.parameters.items():
        if value is not None and name not in takes:
            raise LogaggError(f"report {wanted.name} cannot be filtered by {name}", "leave the option out")
    given = {name: value for name, value in wanted.parameters.items() if name in takes}
    if "gap" in takes:
        given["gap"] = _gap(connection)
    try:
        return connection.sql(query, params=given)
    except (duckdb.BinderException, duckdb.CatalogException) as error:  # a table or a column is missing
        raise LogaggError("an earlier logagg wrote the lake", "logagg compact upgrades it") from error


def _gap(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the gap that ends a visit, in microseconds, as the last writer of the lake had configured it."""
    try:
        [(gap,)] = connection.execute(f"FROM {VISITS_GAP}").fetchall()
    except duckdb.CatalogException:  # the lake derives no visits
        return round(Visits().gap * 1_000_000)
    return int(gap)


def arrow(answer: duckdb.DuckDBPyRelation) -> pa.Table:
    """Return an answer as a table of Arrow, with 128-bit integers as 64-bit ones where all fit, else as decimals."""
    from logagg.query.integers import with_integers

    return with_integers(answer.to_arrow_table())


def _most(name: str, limit: int | None) -> int | None:
    """Return the most rows of a report: 20 by default, unless it has only one row; 0 means all."""
    if limit is None:
        return LIMIT if "$limit" in query_of(name) else None
    return limit or None
