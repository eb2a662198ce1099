"""The metrics for Prometheus, each declared once: `logagg.scrape` serves them, docs/operations.md lists them.

    yield UNREAD.of(backlog)
    yield from EVENTS.each(counts, KINDS)     # every kind, also those with a count of 0

A series that appears only with its first event hides that event: `increase()` does not see a growth from nothing to
one. So a counter with a label has all known values of it from the start, at 0.

`promtool check metrics` in the tests holds the names to Prometheus' rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """The name of a number, its meaning, and the processes that show it; a counter's name ends in _total."""

    name: str
    help: str
    shown_by: tuple[str, ...]
    labels: tuple[str, ...] = ()

    @property
    def is_counter(self) -> bool:
        return self.name.endswith("_total")

    def of(self, value: float, *labels: str) -> Sample:
        """Return a number, for these values of the labels."""
        return Sample(self, value, labels)

    def each(self, counts: Mapping[str, float], known: Iterable[str] = ()) -> Iterator[Sample]:
        """Return the numbers by the value of the label; those known are there, at 0, if nothing was counted."""
        found = dict(counts)  # another thread may be counting
        for value in dict.fromkeys((*known, *found)):
            yield self.of(found.get(value, 0), value)


@dataclass(frozen=True, slots=True)
class Sample:
    """One number. Those of a metric differ in the values of their labels."""

    metric: Metric
    value: float
    labels: tuple[str, ...] = ()


SampleSource = Callable[[], Iterable[Sample]]

_TAIL, _SENDER, _WORKER, _SERVE = "tail", "tail --gearman", "worker", "serve"
_TAILS = (_TAIL, _SENDER)
_ALL = (*_TAILS, _WORKER, _SERVE)

BUILD = Metric(
    "logagg_build_info", "The versions of logagg, Python and DuckDB; 1.", _ALL, ("version", "python", "duckdb")
)
MEMORY = Metric(
    "logagg_memory_bytes",
    "Bytes in memory, those that processes share divided among them: of the process itself, and of its parsers.",
    _ALL,
    ("process",),
)
MEMORY_LIMIT = Metric("logagg_memory_limit_bytes", "Bytes that --memory allows.", (*_TAILS, _WORKER))
NOTICES = Metric(
    "logagg_notices_total", "Notices by kind, whether they were written or not.", (*_TAILS, _WORKER), ("kind",)
)

# Freshness
LAST_COMMIT = Metric(
    "logagg_last_commit_timestamp_seconds",
    "When the last commit was made, in seconds since the epoch; 0: not known.",
    _ALL,
)
BEHIND = Metric(
    "logagg_behind_seconds", "Seconds since the moment up to which everything in the logs is committed.", _TAILS
)
COMMIT = Metric("logagg_commit", "The number of the newest commit.", (_SERVE,))
STATE = Metric(
    "logagg_state",
    "1 for the state of the tail and its logs (good, warn or bad), else 0.",
    (_SERVE,),
    ("state",),
)

# Reading
READ = Metric("logagg_read_bytes_total", "Bytes of logs that were read.", _TAILS)
EVENTS = Metric("logagg_events_total", "Lines that became events, by kind.", _TAILS, ("kind",))
REJECTS = Metric("logagg_rejects_total", "Lines that were rejected, by reason.", _TAILS, ("reason",))
UNREAD = Metric("logagg_unread_bytes", "Bytes of logs that are not read yet.", _TAILS)
LOG_UNREAD = Metric("logagg_log_unread_bytes", "Bytes of a log that are not read yet.", _TAILS, ("log",))
LOG_UNREAD_FOR = Metric(
    "logagg_log_unread_seconds", "Seconds for which a log has had bytes that are not read.", _TAILS, ("log",)
)
FOLLOWED = Metric("logagg_followed_logs", "Logs that the tail follows.", _TAILS)
UNREADABLE = Metric("logagg_unreadable_logs", "Logs that cannot be read.", _TAILS)
UNPARSED = Metric("logagg_unparsed_logs", "Logs that match no format, or whose last lines are mostly rejects.", _TAILS)
WAITING = Metric("logagg_waiting_paths", "Paths that match no log yet.", _TAILS)

# The lake
MERGED = Metric("logagg_merged_rows_total", "Rows that merges have read.", (_TAIL, _WORKER))
LATE = Metric("logagg_late_requests_total", "Requests that came too late for their visit.", (_TAIL, _WORKER))
DERIVED_UNTIL = Metric(
    "logagg_derived_until_seconds",
    "The time of requests up to which they are derived, since 1970.",
    (_TAIL, _WORKER),
    ("name",),
)
EVICTED = Metric(
    "logagg_evicted_rows_total", "Rows of a table that went for its bound on space.", (_TAIL, _WORKER), ("table",)
)

# A cluster
UNCOMMITTED_JOBS = Metric("logagg_uncommitted_jobs", "Jobs that are not committed yet.", (_SENDER,), ("shard",))
UNCOMMITTED_BYTES = Metric(
    "logagg_uncommitted_job_bytes",
    "Bytes of the jobs that are not committed yet, as they are sent.",
    (_SENDER,),
    ("shard",),
)
RESENT = Metric("logagg_jobs_resent_total", "Jobs that were sent again.", (_SENDER,), ("shard",))
GAPS = Metric(
    "logagg_gaps_total",
    "Jobs received out of order (an earlier job of the source is missing).",
    (_SENDER, _WORKER),
    ("shard",),
)
ANSWERS_REFUSED = Metric(
    "logagg_answers_refused_total", "Answers that were refused, by reason.", (_SENDER,), ("reason",)
)
MESSAGES = Metric("logagg_messages_total", "Messages received with the right MAC.", (_WORKER,))
MESSAGES_REFUSED = Metric(
    "logagg_messages_refused_total", "Messages that were refused, by reason.", (_WORKER,), ("reason",)
)
TAKEN = Metric("logagg_jobs_taken_total", "Jobs that were counted.", (_WORKER,), ("shard",))
DUPLICATES = Metric(
    "logagg_jobs_duplicate_total",
    "Jobs that were dropped because they had been counted before.",
    (_WORKER,),
    ("shard",),
)
HELD = Metric("logagg_held_bytes", "Bytes in memory that are not committed yet.", (_WORKER,), ("shard",))

# Alerts
ALERTS_FIRING = Metric("logagg_alerts_firing", "Instances of an alert that fire.", (_TAIL, _WORKER), ("alert",))
ALERT_FAILED = Metric(
    "logagg_alert_failed", "1 if the last evaluation of an alert failed; else 0.", (_TAIL, _WORKER), ("alert",)
)
SENT = Metric("logagg_notifications_sent_total", "Notifications that were delivered.", (_TAIL, _WORKER), ("receiver",))
GIVEN_UP = Metric(
    "logagg_notifications_failed_total", "Notifications that were given up.", (_TAIL, _WORKER), ("receiver",)
)
NOTIFICATIONS_WAITING = Metric(
    "logagg_notifications_waiting", "Notifications that wait to be delivered.", (_TAIL, _WORKER), ("receiver",)
)

# The page
ANSWERS = Metric("logagg_http_answers_total", "Answers, by status.", (_SERVE,), ("status",))
COMPUTED = Metric("logagg_http_computed_total", "Answers that were computed.", (_SERVE,))
REUSED = Metric("logagg_http_reused_total", "Answers that were computed before.", (_SERVE,))
PAGES = Metric("logagg_http_pages", "Open pages that get live events.", (_SERVE,))

METRICS = tuple(one for one in list(globals().values()) if isinstance(one, Metric))
