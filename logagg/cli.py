"""The command line: commands, shared options, and the reporting of failures."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from logagg import completion
from logagg.errors import LogaggError
from logagg.notice_log import show_failure
from logagg.query.names import REPORTS
from logagg.usage import said

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from logagg.config.sections import Config

# Command -> its module in `logagg.commands`; a module is imported when its command is used.
COMMANDS = {
    "tail": "tail",
    "worker": "worker",
    "sql": "sql",
    "report": "report",
    "lines": "lines",
    "top": "top",
    "serve": "serve",
    "status": "status",
    "init": "init",
    "check": "check",
    "compact": "compact",
    "expire": "compact",
    "backfill": "backfill",
    "alert": "alert",
    "docs": "docs",
}
HELP = {
    "tail": "Follow files, directories or globs; - reads standard input.",
    "worker": "Own shards of a lake, for tails that send their jobs through a job server.",
    "sql": "Run SQL on the newest snapshot; without QUERY, from standard input.",
    "report": f"Show a report: {', '.join(REPORTS)}.",
    "lines": "Print the log lines behind a query of requests, as long as their logs are there.",
    "top": "Show the page of logagg serve in the terminal, live.",
    "serve": "Serve the page and its read-only HTTP API, beside a running tail or alone.",
    "status": "Show positions, lag and rates; exit status 1 when unhealthy.",
    "init": "Write a commented logagg.toml.",
    "check": "Check the configuration, formats and the lake; preview what would be read, and how.",
    "compact": "Merge the lake's small files now.",
    "expire": "Apply retention now.",
    "backfill": "Fill a rollup from requests, with the lines read before it was defined.",
    "alert": "Show alerts, test them on the history, silence them.",
    "docs": "Show the documentation of this version.",
}


INTERRUPTED = 128 + signal.SIGINT  # the exit status after Ctrl-C


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """Exit with status 0 when the reader leaves, as in `logagg ... | head`: click would report a failure."""
    try:
        yield
    except BrokenPipeError:
        _flush()
        raise click.exceptions.Exit(0) from None


class LazyGroup(click.Group):
    """Lists the commands without importing them; a command is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"logagg.commands.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with _reader_may_leave():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _reader_may_leave():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(HELP.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="logagg", prog_name="logagg")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def logagg(debug: bool) -> None:  # click's; `main` looks for it
    """Follow web server logs and have exact, fresh answers in SQL."""


def main(arguments: list[str] | None = None) -> None:
    """Run a command; exit status 0: done, 1: a failure, reported in one line, 2: wrong usage."""
    arguments = sys.argv[1:] if arguments is None else arguments
    _open_what_is_closed()
    with _interrupts() as interrupted:
        sys.exit(_run(arguments, interrupted))


def command() -> NoReturn:
    """Run `main` as the process, and exit without cleanup: all output is written, and freeing memory would take a while."""
    status: object = 0
    try:
        main()
    except SystemExit as leave:
        status = leave.code
    except KeyboardInterrupt:
        status = INTERRUPTED
    if (spill := sys.modules.get("logagg.spill")) is not None:
        spill.remove()
    with contextlib.suppress(OSError, ValueError):  # its reader may have left
        sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 1)


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether Ctrl-C was pressed, since DuckDB and other libraries wrap the interrupt in errors."""
    seen = False

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        seen = True
        signal.default_int_handler(number, frame)

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # ignored, as by nohup
        yield lambda: seen
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield lambda: seen
    finally:
        if signal.getsignal(signal.SIGINT) is handler:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _run(arguments: list[str], interrupted: Callable[[], bool] = lambda: False) -> int:
    try:
        result = logagg.main(args=arguments, prog_name="logagg", standalone_mode=False)
        _flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        name = next((one for one in arguments if one in COMMANDS), "")
        show_failure(said(error, f"logagg {name}".strip()), as_json="--log-json" in arguments)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Exception as error:  # the last resort: a failure is always one line
        if interrupted():
            return INTERRUPTED
        return _complain(_culprit(error), debug="--debug" in arguments, as_json="--log-json" in arguments)


def _open_what_is_closed() -> None:
    """Replace closed standard streams (`>&-`) by the null device, since the next opened file would get their descriptor."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # for good


def _flush() -> None:
    """Flush standard output. Raises LogaggError if that fails, unless the reader has left."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise Python tries again at exit
        if not isinstance(error, BrokenPipeError):
            raise LogaggError(f"standard output: {error.strerror}", "the answer is not complete") from error


def _culprit(error: Exception) -> Exception:
    """Return the cause of an error: standard output, if it cannot be written to."""
    try:
        _flush()
    except LogaggError as unwritten:
        return unwritten
    return error


def _complain(error: Exception, *, debug: bool, as_json: bool) -> int:
    if debug:
        traceback.print_exception(error)
    if isinstance(error, LogaggError):
        line = str(error)
    elif isinstance(error, OSError) and error.strerror:
        line = f"{error.filename or 'the system says'}: {error.strerror}; run with --debug to see where"
    else:
        line = f"internal error: {type(error).__name__}: {error}; run with --debug"
    show_failure(" ".join(line.split()), as_json=as_json)
    return 1


@dataclass(frozen=True)
class Shared:
    """The values of the options that all commands share."""

    named_lake: Path | None
    config_file: Path | None
    verbosity: int

    @cached_property
    def lake(self) -> Path:
        """The lake: that of --lake, else that of the configuration. Raises ConfigError."""
        return self.named_lake or Path(self.config.lake.path or "lake")

    @property
    def config(self) -> Config:
        """The configuration: from --config, from where there is one, or the defaults. Raises ConfigError."""
        from logagg.config.load import load
        from logagg.config.places import found

        return load(self.config_file or found())

    def zone(self, asked: str | None, *, people: bool) -> ZoneInfo:
        """Return the time zone of days and of times: that of the option, of the configuration, or of the machine for `people`."""
        from logagg.query.times import zone_of

        return zone_of(asked or self.config.tz or ("" if people else "UTC"))


def shared_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --lake, --config, -q and -v, and pass it a Shared as `shared`."""

    def call(lake: Path | None, config: Path | None, quiet: bool, verbose: bool, **options: Any) -> Any:
        _refuse_unknown_variables()
        return function(shared=Shared(lake, config, -1 if quiet else int(verbose)), **options)

    call.__doc__ = function.__doc__
    call.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    for option in reversed(_SHARED):
        option(call)
    return call


_VARIABLES = ("LOGAGG_LAKE", "LOGAGG_CONFIG", "LOGAGG_SECRET")


def _refuse_unknown_variables() -> None:
    """Raise ConfigError for an environment variable that is not a setting. The list is imported only if there are
    variables."""
    if any(name.startswith("LOGAGG_") and name not in _VARIABLES for name in os.environ):
        from logagg.config.load import refuse_unknown_variables

        refuse_unknown_variables(os.environ)


_SHARED = (
    click.option(
        "--lake",
        type=click.Path(path_type=Path),
        envvar="LOGAGG_LAKE",
        show_envvar=True,
        metavar="DIR",
        help="Where the lake is (default: [lake] path, ./lake).",
        shell_complete=completion.lakes,
    ),
    click.option(
        "--config",
        type=click.Path(path_type=Path),
        envvar="LOGAGG_CONFIG",
        show_envvar=True,
        metavar="FILE",
        help="The configuration (default: ./logagg.toml, ~/.config/logagg/, /etc/logagg/).",
    ),
    click.option("-q", "--quiet", is_flag=True, help="Print only failures."),
    click.option("-v", "--verbose", is_flag=True, help="Print more."),
    click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks."),
)
