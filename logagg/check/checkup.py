"""`logagg check`: the configuration, the lake, and what a tail would read, looked at one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from logagg.check.preview import LogFile, PassedOver, Surveyor
from logagg.clock import SystemClock, is_set, not_set
from logagg.config.sections import Config
from logagg.errors import LakeError, LogaggError
from logagg.lake import catalog
from logagg.lake.state import State
from logagg.lake.verify import Verdict, verify
from logagg.parse.formats.compile import compile_format
from logagg.tail.run import rollups_of

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Examination:
    """All that was looked at, and all that is wrong."""

    configuration: str  # its file; empty: there is none
    rules: int
    rollups: int  # the user's own
    lake: str
    verdict: Verdict | None  # None: there is no lake yet
    files: tuple[LogFile, ...]
    passed_over: tuple[PassedOver, ...]
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def examine(
    paths: Sequence[str], load: Callable[[], Config], log_format: str, lake: Path, *, must_exist: bool = False
) -> Examination:
    """Look at everything; what is wrong with one thing does not keep from looking at the next."""
    clock = SystemClock()
    problems = [] if is_set(now := clock.now()) else [f"{not_set(now)}: set it; a tail would wait for that"]
    config = _told(lambda: _checked(load()), problems) or Config()
    given = _told(lambda: _compiled(log_format), problems) or ""
    verdict = verify(lake)
    if verdict:
        problems += map(str, verdict.problems)
    elif must_exist:
        problems.append(f"{lake}: no lake there; make one with logagg tail --lake DIR, or say another")
    survey = Surveyor(config, given, _state(lake), clock).survey(paths)
    return Examination(
        str(config.path or ""),
        len(config.rules),
        len(config.rollups),
        str(lake),
        verdict,
        survey.files,
        survey.passed_over,
        (*problems, *survey.problems),
    )


def _told(make: Callable[[], Made], problems: list[str]) -> Made | None:
    """Return what can be made; else put down why not."""
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
    """Return a format that can be understood. Raises FormatError."""
    if log_format not in ("", "json"):  # the keys of JSON are found in its lines
        compile_format(log_format)
    return log_format


def _state(lake: Path) -> State:
    """Return what the lake knows, nothing where it cannot be read."""
    newest = catalog.newest(lake)
    try:
        return catalog.read(newest) if newest else State()
    except LakeError:
        return State()
