"""The options that say how an answer is written, and where; shared by the commands with answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from logagg.errors import LogaggError

if TYPE_CHECKING:
    import pyarrow as pa

    from logagg.query.render import Rows

FORMATS = ("table", "json", "jsonl", "csv", "tsv", "markdown", "parquet")  # those of `render`, which is imported later
GUARDED = ("csv", "tsv")
FOR_PEOPLE = ("table", "markdown", "lines")


@dataclass(frozen=True, slots=True)
class Output:
    """The format of an answer, and its file; None: standard output."""

    form: str
    path: Path | None = None
    formula_guard: bool = False

    @property
    def is_arrow(self) -> bool:
        """Whether it is made of batches instead of rows."""
        return self.form == "parquet"

    @property
    def is_for_people(self) -> bool:
        return self.form in FOR_PEOPLE

    def check(self, lake: Path) -> None:
        """Raise LogaggError if the answer must not be written there, before it is computed."""
        if self.is_arrow and self.path is None and sys.stdout.isatty():
            raise LogaggError("parquet is not for a terminal", "say --output FILE")
        if self.path is not None:
            refuse_in_lake("--output", self.path, lake)

    @contextmanager
    def stream(self) -> Iterator[IO[Any]]:
        """Yield the stream for the answer; a file appears when the block succeeds."""
        if self.path is None:
            yield sys.stdout.buffer if self.is_arrow else sys.stdout
            return
        from logagg.query.export import appearing

        with appearing(self.path, binary=self.is_arrow) as file:
            yield file

    def write(self, answer: Rows, stream: Any) -> None:
        """Write rows, in any format but Parquet."""
        from logagg.query import render

        render.write(answer, self.form, stream, formula_guard=self.formula_guard)

    def write_arrow(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], stream: IO[bytes]) -> None:
        """Write batches as Parquet."""
        from logagg.query.export import write_parquet

        write_parquet(schema, batches, stream)


def refuse_in_lake(option: str, path: Path, lake: Path) -> None:
    """Raise LogaggError for a file in the lake, whose files are its own."""
    if lake.resolve() in path.resolve().parents:
        raise LogaggError(f"{option} {path}: that is in the lake", "name a file elsewhere")


def output_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --output, --format, --json and --formula-guard, and pass it an Output as `output`."""

    def call(form: str, as_json: bool, path: Path | None, formula_guard: bool, **options: Any) -> Any:
        return function(output=_output("json" if as_json else form, path, formula_guard), **options)

    call.__doc__ = function.__doc__
    call.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    guard_option(call)
    click.option("--json", "as_json", is_flag=True, help="The same as --format json.")(call)
    format_option(FORMATS)(call)
    return _PATH(call)


def format_option(formats: Sequence[str]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command --format; the first format is the default."""
    choice = click.Choice(formats)
    return click.option("--format", "form", type=choice, default=formats[0], show_default=True, help="The format.")


guard_option = click.option(
    "--formula-guard",
    is_flag=True,
    help="In csv and tsv, put ' before a text that a spreadsheet would take for a formula.",
)
_PATH = click.option(
    "--output",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the answer to FILE, which appears when it is complete.",
)


def _output(form: str, path: Path | None, formula_guard: bool) -> Output:
    refuse_guard(form, formula_guard)
    return Output(form, path, formula_guard)


def refuse_guard(form: str, formula_guard: bool) -> None:
    """Raise UsageError for a guard of a format that no spreadsheet opens."""
    if formula_guard and form not in GUARDED:
        raise click.UsageError(f"--formula-guard is for {' and '.join(GUARDED)}, not for {form}")
