"""The options of one run of `logagg tail`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from logagg.config.sections import Config
from logagg.intake.names import STDIN
from logagg.intake.paths import check, problem
from logagg.memory import Budget
from logagg.notices import Notice


@dataclass(frozen=True, slots=True)
class TailOptions:
    """The options of one run; those not given on the command line are None, and come from the configuration."""

    paths: Sequence[str]  # as named on the command line
    lake: Path
    config: Config
    once: bool = False
    start: str | None = None  # "start" or "end"
    log_format: str | None = None
    flush: float | None = None  # seconds
    shards: int | None = None
    memory: int | None = None  # bytes
    verbosity: int = 0  # -1 quiet, 1 verbose
    log_json: bool = False  # notices are JSON lines, and there is no display on the terminal
    metrics: tuple[str, int] | None = None  # where Prometheus may scrape
    say: Callable[[str], None] = print
    reload: Callable[[], Config] = Config  # reads the configuration again; raises ConfigError
    news: Callable[[], Sequence[Notice]] = list  # of the configuration that was read last
    configured: bool = False  # follow the logs of the configuration, too

    def follows(self, config: Config) -> list[str]:
        """Return the paths to follow: those named, and those of a configuration."""
        return list(dict.fromkeys((*self.paths, *(config.paths if self.configured else ()))))

    def check_paths(self) -> None:
        """Raise SourceError for a path for which the run need not wait: one that was named, or the only one."""
        check(self.paths, waits=not self.once)
        configured = self.follows(self.config)
        is_in_vain = self.once and all(one == STDIN or problem(one) for one in configured)
        check(configured, waits=not is_in_vain)

    @property
    def ends(self) -> bool:
        """Return whether the run ends by itself."""
        return self.once or list(self.paths) == [STDIN]

    @property
    def shows_progress(self) -> bool:
        """Return whether progress is shown on the terminal."""
        return self.verbosity >= 0 and not self.log_json

    @property
    def shard_count(self) -> int:
        """The number of shards: as given, as configured, or one for two cores, since parsers have twice the work."""
        return self.shards or self.config.tail.shards or max(1, (os.cpu_count() or 1) // 2)

    @property
    def budget(self) -> Budget:
        """How the memory is divided among the stages."""
        memory = self.memory or self.config.tail.memory
        return Budget.of(self.config.tail, memory, self.shard_count, os.cpu_count() or 1)
