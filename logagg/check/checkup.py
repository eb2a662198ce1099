"""`logagg check`: examines the configuration, the lake, and the logs that a tail would read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from logagg.check import alerts
from logagg.check import system as machine
from logagg.check.preview import LogFile, PassedOver, Previewer
from logagg.check.system import Finding, Machine
from logagg.clock import SystemClock, is_set, not_set
from logagg.config.sections import Config
from logagg.errors import LakeError, LogaggError
from logagg.lake import catalog
from logagg.lake.state import State
from logagg.lake.verify import Verification, verify
from logagg.parse.formats.compile import compile_format
from logagg.parse.geo.places import GeoSettings, shared
from logagg.parse.source_formats import check_formats, is_detected
from logagg.rollup.configured import rollups_of
from logagg.servers.find import with_logs
from logagg.servers.logs import ServerLog

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Examination:
    """Everything that was examined, and the problems found."""

    configuration: str | None  # its file; empty: there is no file; None: it is refused, and the defaults were examined
    rules: int
    rollups: int  # user-defined
    databases: tuple[str, ...]  # of addresses
    lake: str
    verification: Verification | None  # None: there is no lake yet
    logs: tuple[ServerLog, ...]  # of the server's configuration that was named
    files: tuple[LogFile, ...]
    passed_over: tuple[PassedOver, ...]
    problems: tuple[str, ...]
    system: tuple[Finding, ...] = ()  # findings about the machine; only with `--system`

    @property
    def ok(self) -> bool:
        return not self.problems


def examine(
    paths: Sequence[str],
    load: Callable[[], Config],
    log_format: str,
    lake: Path,
    *,
    must_exist: bool = False,
    server: Callable[[], list[ServerLog]] = list,
    system: bool = False,
) -> Examination:
    """Examine everything; a problem with one part does not prevent the examination of the others.

    Without paths, the logs are those that the configuration names, and those of a server. With `system`, the machine too.
    """
    clock = SystemClock()
    problems = [] if is_set(now := clock.now()) else [f"{not_set(now)}: set it; a tail would wait for that"]
    read = _told(lambda: _checked(load()), problems)
    config = read or Config()
    logs = _told(server, problems) or []
    config = with_logs(config, logs)
    paths = paths or config.paths
    given = _told(lambda: _compiled(log_format), problems) or ""
    verification = verify(lake)
    if verification:
        problems += map(str, verification.problems)
    elif must_exist:
        problems.append(f"{lake}: no lake there; make one with logagg tail --lake DIR, or name another")
    problems += alerts.problems(config, lake, now, is_there=verification is not None)
    found = tuple(machine.findings(Machine(config, lake, paths, now))) if system else ()
    preview = Previewer(config, given, _state(lake), clock).preview(paths)
    return Examination(
        str(read.path or "") if read else None,
        len(config.rules),
        len(config.rollups),
        tuple(_databases(config)),
        str(lake),
        verification,
        tuple(logs),
        preview.files,
        preview.passed_over,
        (
            *problems,
            *map(str, _not_files(logs)),
            *preview.problems,
            *(str(one) for one in found if one.level == "wrong"),
        ),
        found,
    )


def _told(make: Callable[[], Made], problems: list[str]) -> Made | None:
    """Return the result of `make`; if it fails, record the problem and return None."""
    try:
        return make()
    except LogaggError as error:
        problems.append(str(error))
        return None


def _checked(config: Config) -> Config:
    rollups_of(config)
    GeoSettings.of(config)
    _compiled(config.log_format)
    check_formats(config.logs)
    return config


def _databases(config: Config) -> Iterator[str]:
    """Describe the databases of addresses that can be used; the configuration was checked before."""
    with suppress(LogaggError):
        settings = GeoSettings.of(config)
        for one in shared(settings).databases if settings else ():
            yield f"{one.path}: {one.kind} of {one.built}, with {', '.join(sorted(one.fields))}"


def _compiled(log_format: str) -> str:
    """Return the log format if it compiles. Raises FormatError."""
    if not is_detected(log_format):
        compile_format(log_format)
    return log_format


def _not_files(logs: Sequence[ServerLog]) -> Iterator[str]:
    """Yield the problems of logs that a tail would ignore."""
    for log in logs:
        if log.refused and not log.covered_by:
            yield f"{log.place}: {log.path}: {log.problem}"


def _state(lake: Path) -> State:
    """Return the state of the lake, an empty one if it cannot be read."""
    newest = catalog.newest(lake)
    try:
        return catalog.read(newest) if newest else State()
    except LakeError:
        return State()
