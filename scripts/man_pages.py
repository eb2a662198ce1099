"""Write a manual page for logagg and for each of its commands into a folder, from what `--help` shows: FOLDER."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

import logagg
from logagg.cli import HELP
from logagg.cli import logagg as group
from logagg.clock import RELEASED

ALSO = "The documentation comes with the package; logagg.toml is described in its configuration.md."


def page(context: click.Context) -> str:
    """Return the page of a command as roff, for man(7)."""
    name, command = context.command_path.replace(" ", "-"), context.command
    about = next(iter(_paragraphs(command)), "")
    released = datetime.fromtimestamp(RELEASED, UTC).strftime("%Y-%m-%d")
    lines = [
        f'.TH {name.upper()} 1 {released} "logagg {logagg.__version__}" "User Commands"',
        ".SH NAME",
        f"{_text(name)} \\- {_text(HELP.get(command.name or '', about).rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_text(context.command_path)}",
        _text(" ".join(command.collect_usage_pieces(context))),
        ".SH DESCRIPTION",
        "\n.PP\n".join(map(_text, _paragraphs(command))),
        ".SH OPTIONS",
        *_defined(one for option in command.get_params(context) if (one := option.get_help_record(context))),
        *_rest(context),
    ]
    return "\n".join(line for line in lines if line) + "\n"


def _rest(context: click.Context) -> Iterator[str]:
    """Yield the sections that differ between logagg and its commands."""
    if isinstance(context.command, click.Group):
        yield ".SH COMMANDS"
        yield from _defined((f"logagg-{name}(1)", text) for name, text in HELP.items())
    yield from (".SH EXIT STATUS", "0: done; 1: a failure, said in one line on standard error; 2: wrong usage.")
    others = [name for name in HELP if name != context.command.name]
    yield from (".SH SEE ALSO", ", ".join(rf"\fBlogagg\-{name}\fP(1)" for name in others), ".PP", ALSO)


def _paragraphs(command: click.Command) -> list[str]:
    return [" ".join(one.split()) for one in re.split(r"\n\s*\n", (command.help or "").strip())]


def _defined(records: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, text in records:
        yield from (".TP", rf"\fB{_text(term)}\fP", _text(text))


def _text(text: str) -> str:
    """Return a text in which roff acts upon nothing."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...")
    return re.sub(r"(?m)^(?=[.'])", r"\\&", escaped)


def pages() -> Iterator[tuple[str, str]]:
    """Yield the names of the files, and the pages."""
    above = click.Context(group, info_name="logagg")
    yield "logagg.1", page(above)
    for name in HELP:
        command = group.get_command(above, name)
        assert command, name
        yield f"logagg-{name}.1", page(click.Context(command, info_name=name, parent=above))


def main(folder: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, text in pages():
        (Path(folder) / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
