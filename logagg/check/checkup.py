"""`logagg check`: examines the configuration, the lake, and the logs that a tail would read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from logagg.check.preview import LogFile, PassedOver, Previewer
from logagg.clock import SystemClock, is_set, not_set
from logagg.config.sections import Config
from logagg.errors import LakeError, LogaggError
from logagg.lake import catalog
from logagg.lake.state import State
from logagg.lake.verify import Verification, verify
from logagg.parse.formats.compile import compile_format
from logagg.parse.source_formats import DETECTED
from logagg.rollup.configured import rollups_of

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Examination:
    """Everything that was examined, and the problems found."""

    configuration: str  # its file; empty: there is no file
    rules: int
    rollups: int  # user-defined
    lake: str
    verification: Verification | None  # None: there is no lake yet
    files: tuple[LogFile, ...]
    passed_over: tuple[PassedOver, ...]
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def examine(
    paths: Sequence[str], load: Callable[[], Config], log_format: str, lake: Path, *, must_exist: bool = False
) -> Examination:
    """Examine everything; a problem with one part does not prevent the examination of the others."""
    clock = SystemClock()
    problems = [] if is_set(now := clock.now()) else [f"{not_set(now)}: set it; a tail would wait for that"]
    config = _told(lambda: _checked(load()), problems) or Config()
    given = _told(lambda: _compiled(log_format), problems) or ""
    verification = verify(lake)
    if verification:
        problems += map(str, verification.problems)
    elif must_exist:
        problems.append(f"{lake}: no lake there; make one with logagg tail --lake DIR, or name another")
    preview = Previewer(config, given, _state(lake), clock).preview(paths)
    return Examination(
        str(config.path or ""),
        len(config.rules),
        len(config.rollups),
        str(lake),
        verification,
        preview.files,
        preview.passed_over,
        (*problems, *preview.problems),
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
    _compiled(config.log_format)
    return config


def _compiled(log_format: str) -> str:
    """Return the log format if it compiles. Raises FormatError."""
    if log_format not in ("", *DETECTED):  # their keys are detected from their lines
        compile_format(log_format)
    return log_format


def _state(lake: Path) -> State:
    """Return the state of the lake, an empty one if it cannot be read."""
    newest = catalog.newest(lake)
    try:
        return catalog.read(newest) if newest else State()
    except LakeError:
        return State()
