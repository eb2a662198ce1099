"""Every notice that a tail or a worker can give: one function each, and one kind for those counted together.

    report(log_truncated("access.log", "truncated or replaced after 4,096 bytes were read"))

The code that meets the event calls the function; `notice_log.Notices.report` counts the notice and writes it. The table in
docs/operations.md is generated from `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from logagg.quantities import counted

RETRYING = "; trying again"  # the end of a notice's text if the next look tries again


class Level(IntEnum):
    """The severity of a notice; the numbers are the priorities of syslog, as in sd-daemon(3)."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6  # written only with --verbose


@dataclass(frozen=True, slots=True)
class NoticeKind:
    """A kind of notices, counted as `logagg_notices_total{kind}`; meaning and remedy are Markdown for docs/operations.md."""

    name: str
    level: Level
    meaning: str
    remedy: str = ""

    def of(self, text: str, *, level: Level | None = None, **fields: Value) -> Notice:
        """Make a notice of this kind; `level` overrides that of the kind."""
        return Notice(self.name, level or self.level, text, fields)


Value = str | int | float | list[int] | list[str]


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell the user. The fields hold what the text says, for programs."""

    kind: str
    level: Level
    text: str
    fields: Mapping[str, Value] = field(default_factory=dict)


Report = Callable[[Notice], None]


def ignore(notice: Notice) -> None:
    """Report nothing: the default until a report is given."""


# Kinds

TRUNCATED = NoticeKind(
    "truncated",
    Level.WARNING,
    "a log was truncated or replaced: its present content is read as a new log, from its start",
    "see [rotation](#rotation)",
)
GONE = NoticeKind(
    "gone",
    Level.WARNING,
    "a log has disappeared before it was read to its end; reading goes on if it comes back",
    "mount its disk; keep rotated logs longer",
)
DESCRIPTORS = NoticeKind(
    "descriptors",
    Level.WARNING,
    "there are more logs than may stay open",
    "raise `LimitNOFILE=`, if logs are deleted soon after their rotation",
)
NUL_BYTES = NoticeKind(
    "nul_bytes",
    Level.WARNING,
    "a log has NUL bytes where a line should begin, as after a crash of the system; they are passed over",
)
UNREADABLE = NoticeKind(
    "unreadable",
    Level.WARNING,
    "a log cannot be opened or is corrupt; tried again at every look",
    "check its permissions, and the file",
)
WATCH = NoticeKind(
    "watch",
    Level.WARNING,
    "the system has no file watches left; logagg looks every half second instead",
    "raise `fs.inotify.max_user_watches` or `max_user_instances`",
)
CLOCK = NoticeKind(
    "clock", Level.WARNING, "the clock has not been set, or has leapt; see [the clock](#the-clock)", "set it"
)
PARSER = NoticeKind(
    "parser",
    Level.WARNING,
    "a parser process was killed, often because the system was short of memory; the tail does its work from then on, slower",
    "restart it when you like: nothing is lost",
)
RETRY = NoticeKind(
    "retry",
    Level.WARNING,
    "a commit failed, and is tried again every two seconds; or a merge of files failed, and is tried again after a minute",
    "see [disk full](#disk-full)",
)
DAMAGED = NoticeKind(
    "damaged",
    Level.ERROR,
    "the bytes of a file of the lake have changed since it was written; it is not merged",
    "see [damaged files](#damaged-files)",
)
_LATE = "requests came after their time was derived, and are in no visit; again each time there are twice as many"
LATE = NoticeKind("late", Level.WARNING, _LATE, "a larger `[visits] late`")
MERGE = NoticeKind(
    "merge",
    Level.NOTICE,
    "a merge of files takes longer than ten seconds: its progress, again each time the time taken has doubled",
)
FORMAT = NoticeKind(
    "format",
    Level.WARNING,
    "no format matches a log; it is skipped, and tried again when it has grown",
    "name the format with `--log-format`",
)
FORMATS = NoticeKind(
    "formats",
    Level.NOTICE,
    "a log has lines of another format than those before, such as after a change of its `log_format`; they are read in that "
    "format",
    "if it is not meant, name the format of the log with `--log-format`",
)
SKIPPED = NoticeKind("skipped", Level.WARNING, "a run with `--once` has skipped a log, and why", "as the text says")
CONFIGURED = NoticeKind(
    "configured",
    Level.NOTICE,
    "a log of a [server's configuration](configuration.md#logs) is not followed, and why; or one is followed that needs attention",
    "as the text says",
)
RELOAD = NoticeKind("reload", Level.NOTICE, "the result of a SIGHUP")
STOPPED = NoticeKind("stopped", Level.NOTICE, "`--once` was interrupted; the same command goes on from there")
SERVER = NoticeKind(
    "server",
    Level.WARNING,
    "a [job server](cluster.md) does not answer, or does again",
    "start gearmand; check the network",
)
CONNECTED = NoticeKind("connected", Level.NOTICE, "all shards have answered a tail, which begins to read")
WAITING = NoticeKind(
    "waiting",
    Level.WARNING,
    "a path matches no log yet, and reading begins when one appears; or a shard has no worker, or does not take its jobs; "
    "nothing is lost",
    "check the path; start a worker",
)
AGAIN = NoticeKind("again", Level.WARNING, "a tail starts over from what its shards have committed")
REFUSED = NoticeKind(
    "refused",
    Level.WARNING,
    "messages were refused: without the MAC of the lake's secret, of another version, or too large; at most once a minute",
    "see [what is trusted](cluster.md#what-is-trusted); use the same secret and version everywhere",
)
WORKER = NoticeKind("worker", Level.NOTICE, "the shards that a worker wants, when it starts; the reason, when it ends")
LEASE = NoticeKind("lease", Level.NOTICE, "a worker owns a shard from now on")
QUARANTINE = NoticeKind(
    "quarantine",
    Level.ERROR,
    "a job could not be read, or made its shard fail again and again; it is kept in `quarantine/`, and not counted",
    "[look at it](cluster.md#when-something-is-lost)",
)
POISON = NoticeKind(
    "poison",
    Level.ERROR,
    "a job made its shard fail",
    "[look at it](cluster.md#when-something-is-lost)",
)
FAILURE = NoticeKind(
    "failure",
    Level.ERROR,
    "the command has failed and ends with exit status 1; without `--log-json` the line is `logagg: text`; not counted",
    "as the text says",
)
DATABASE = NoticeKind(
    "database",
    Level.WARNING,
    "the file of a [database of addresses](configuration.md#countries-and-networks) has changed and was read again, or cannot be used: "
    "countries and networks stay empty until it can, or come from the file before",
    "put a whole file there, by a rename",
)
ALERT = NoticeKind(
    "alert",
    Level.WARNING,
    "an [alert](alerts.md) fires, is resolved, or cannot be evaluated: then it stays as it is, and is tried again",
    "`logagg alert list` shows them; `logagg alert test NAME` evaluates one",
)
NOTIFY = NoticeKind(
    "notify",
    Level.WARNING,
    "a [notification](alerts.md#receivers) cannot be delivered; it waits, and is sent again for three days. Or it was given up",
    "as the text says",
)
SOURCE = NoticeKind("source", Level.INFO, "a log is new, or goes on under another name")
COMMIT = NoticeKind("commit", Level.INFO, "a commit was made: its number, rows and files")

KINDS = tuple(one for one in list(globals().values()) if isinstance(one, NoticeKind))


# Logs


def log_truncated(path: str, note: str) -> Notice:
    return TRUNCATED.of(f"{path}: {note}, unless there is a copy", path=path)


def log_copied_and_truncated(path: str, note: str) -> Notice:
    return TRUNCATED.of(f"{path}: {note}", path=path)


def log_gone(path: str, note: str) -> Notice:
    return GONE.of(f"{path}: {note}", path=path)


def log_has_nul_bytes(path: str, count: int, position: int) -> Notice:
    text = f"{path}: {count:,} NUL bytes passed over at {position:,}; logagg status counts those that follow"
    return NUL_BYTES.of(text, path=path, count=count, position=position)


def too_many_logs(logs: int, most: int) -> Notice:
    text = (
        f"limit of open files: of {counted(logs, 'log')} {most:,} stay open: lines written to another just before it is"
    )
    return DESCRIPTORS.of(f"{text} rotated and deleted may be missed; raise the limit", logs=logs, open=most)


def path_unreadable(path: str, problem: str) -> Notice:
    return UNREADABLE.of(f"{path}: {problem}", path=path)


def log_unreadable(path: str, problem: str) -> Notice:
    return path_unreadable(path, f"{problem}{RETRYING}")


def archive_broken(path: str, problem: str) -> Notice:
    return path_unreadable(path, f"{problem}; its whole part is counted")


def last_line_unreadable(path: str, problem: str) -> Notice:
    return path_unreadable(path, f"{problem}; its last line is not counted")


def path_missing(path: str, problem: str) -> Notice:
    return WAITING.of(f"{path}: {problem}; reading begins when it comes", path=path)


def directory_unwatched(path: str, problem: str) -> Notice:
    return WATCH.of(f"{path}: cannot be watched ({problem}); looking every half second instead", path=path)


def log_found(path: str, position: int) -> Notice:
    return SOURCE.of(f"{path}: reading from {position}", path=path, position=position)


def log_moved(path: str, before: str) -> Notice:
    return SOURCE.of(f"{path} continues the log that was {before}", path=path, before=before)


def log_is_copy(path: str, original: str) -> Notice:
    return SOURCE.of(f"{path}: holds what {original} holds; not read again", path=path, original=original)


def log_without_format(path: str, problem: str) -> Notice:
    return FORMAT.of(problem, path=path)


def log_of_server(path: str, text: str) -> Notice:
    return CONFIGURED.of(text, path=path)


def log_has_further_format(path: str, name: str) -> Notice:
    return FORMATS.of(f"{path}: some lines are of another format, and read in it: {name}", path=path, format=name)


def log_skipped(problem: str) -> Notice:
    return SKIPPED.of(problem)


# The clock


def clock_not_set(problem: str) -> Notice:
    return CLOCK.of(f"{problem}: nothing is read until it is set")


def clock_set(time: str) -> Notice:
    return CLOCK.of(f"it is set to {time}: reading on", level=Level.NOTICE)


def clock_doubted(problem: str) -> Notice:
    return CLOCK.of(problem)


# A run


def parser_ended(how: str) -> Notice:
    return PARSER.of(f"a parser ended ({how}); this process does its work from now on")


def configuration_refused(problem: str) -> Notice:
    return RELOAD.of(f"{problem}; until then the old configuration holds", level=Level.WARNING)


def settings_need_restart(keys: Sequence[str]) -> Notice:
    text = f"{', '.join(keys)}: changed, but that takes a restart"
    return RELOAD.of(text, level=Level.WARNING, settings=list(keys))


def configuration_unchanged() -> Notice:
    return RELOAD.of("the configuration says nothing new")


def configuration_reloaded() -> Notice:
    return RELOAD.of("the new configuration holds from now on")


def command_failed(problem: str) -> Notice:
    return FAILURE.of(problem)


def stopped_before_end() -> Notice:
    return STOPPED.of("before the end; the same command reads the rest")


def stopped_before_commit() -> Notice:
    return STOPPED.of("not all is committed; the same command goes on from there")


def database_again(path: str, kind: str) -> Notice:
    return DATABASE.of(f"{path}: read again ({kind})", level=Level.NOTICE, path=path)


def database_broken(path: str, problem: str, is_usable: bool) -> Notice:
    until = "the content read before is used" if is_usable else "its columns stay empty"
    return DATABASE.of(f"{path}: {problem}; until it can be read, {until}", path=path)


# The lake


def committed(number: int, rows: int, files: int) -> Notice:
    return COMMIT.of(
        f"{number}: {counted(rows, 'row')} in {counted(files, 'file')}", number=number, rows=rows, files=files
    )


def commit_failed(problem: str) -> Notice:
    return RETRY.of(f"{problem}{RETRYING}")


def merge_failed(problem: str, seconds: float = 0.0) -> Notice:
    """Say that files stay unmerged; `seconds` until the next attempt, where that is known."""
    when = f"again in {seconds:.0f} s" if seconds else "later"
    return RETRY.of(f"{problem}; merging files {when}")


def backfill_failed(problem: str) -> Notice:
    return RETRY.of(f"{problem}; a backfill is not committed, its process tries again")


def merge_goes_on(rollup: str, rows: int, total: int, seconds: float) -> Notice:
    text = f"{rollup}: {rows:,} of {counted(total, 'row')} in {seconds:.0f} s"
    return MERGE.of(text, rollup=rollup, rows=rows, total=total, seconds=round(seconds, 3))


def file_damaged(path: str, holds: str, hint: str) -> Notice:
    return DAMAGED.of(f"{path}: damaged, so it is not merged: {holds}; {hint}", path=path)


def requests_late(requests: int, until: str) -> Notice:
    return LATE.of(f"{counted(requests, 'request')} came late, before {until}: in no visit", requests=requests)


# Alerts


def alert_fires(alert: str, labels: str, message: str) -> Notice:
    return ALERT.of(f"{alert}{labels and f' ({labels})'} fires: {message}", alert=alert, labels=labels)


def alert_resolved(alert: str, labels: str, message: str) -> Notice:
    text = f"{alert}{labels and f' ({labels})'} is resolved: {message}"
    return ALERT.of(text, level=Level.NOTICE, alert=alert, labels=labels)


def alert_changed_more(alert: str, more: int) -> Notice:
    return ALERT.of(f"{alert}: {more:,} more fire or are resolved", alert=alert, more=more)


def alert_failed(alert: str, problem: str) -> Notice:
    return ALERT.of(f"{alert} cannot be evaluated: {problem}", alert=alert)


def alerts_failed(problem: str) -> Notice:
    return ALERT.of(f"alerts are not evaluated: {problem}{RETRYING}")


def notification_waits(receiver: str, problem: str, waiting: int) -> Notice:
    return NOTIFY.of(f"{receiver}: {problem}; {waiting:,} waiting{RETRYING}", receiver=receiver, waiting=waiting)


def notification_dropped(receiver: str, problem: str) -> Notice:
    return NOTIFY.of(f"{receiver}: a notification was given up: {problem}", level=Level.ERROR, receiver=receiver)


def notifications_flow(receiver: str) -> Notice:
    return NOTIFY.of(f"{receiver}: notifications are delivered again", level=Level.NOTICE, receiver=receiver)


# A cluster


def server_lost(server: str, problem: str) -> Notice:
    return SERVER.of(f"{problem}{RETRYING}", server=server)


def server_found(server: str) -> Notice:
    return SERVER.of(f"{server}: connected again", level=Level.NOTICE, server=server)


def shards_connected(shards: int, servers: Sequence[str]) -> Notice:
    text = f"{counted(shards, 'shard has', 'shards have')} answered through {', '.join(servers)}"
    return CONNECTED.of(text, shards=shards, servers=list(servers))


def no_server_answers() -> Notice:
    return WAITING.of("no job server answers; nothing is lost, reading begins when all have answered")


def no_worker_answers(shards: Sequence[int]) -> Notice:
    text = f"no worker answers for shard {', '.join(map(str, shards))}"
    return WAITING.of(f"{text}; nothing is lost, reading begins when all have answered", shards=list(shards))


def shard_takes_no_jobs(shard: int, reason: str) -> Notice:
    return WAITING.of(f"shard {shard} does not take its jobs ({reason}); trying again, nothing is lost", shard=shard)


def reading_again(why: str) -> Notice:
    return AGAIN.of(f"{why}; reading again from the committed positions")


def message_refused(text: str, others: int, reason: str) -> Notice:
    """Say why a message was refused, and how many others were since the last notice."""
    more = f" (and {others:,} more since the last notice)" if others else ""
    return REFUSED.of(f"{text}{more}", reason=reason, others=others)


def worker_started(wanted: str, shards: int, lake: str) -> Notice:
    return WORKER.of(f"shards {wanted} of {shards}, lake {lake}", lake=lake)


def worker_leaves() -> Notice:
    return WORKER.of("leaving: a last flush")


def worker_did_its_jobs(jobs: int) -> Notice:
    return WORKER.of(f"{counted(jobs, 'job')} done, which is the limit: ending", jobs=jobs)


def worker_over_memory(used: int) -> Notice:
    return WORKER.of(f"{counted(used, 'byte')} in use, over the limit: ending", bytes=used)


def shard_owned(shard: int) -> Notice:
    return LEASE.of(f"shard {shard} is ours", shard=shard)


def epochs_unwritten(path: str, problem: str) -> Notice:
    return RETRY.of(f"{path}: cannot be written: {problem}; trying again at the next tail's start", path=path)


def job_failed(shard: int, job: str, problem: str) -> Notice:
    return POISON.of(f"shard {shard}, at {job}: {problem}", shard=shard)


def job_quarantined(path: str, reason: str) -> Notice:
    return QUARANTINE.of(f"{path}: {reason}", path=path)


def job_not_kept(path: str, problem: str) -> Notice:
    return QUARANTINE.of(f"{path}: cannot be kept: {problem}", path=path)
