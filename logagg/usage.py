"""Wrong usage in one line: an error of click, written like every other failure: where, what, what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

import click

_FURTHER = re.compile(r"\.\s+(?=[A-Z])")  # the end of a sentence, before another
_CHOICES = re.compile(r"'(?P<given>.*)' is not one of (?P<choices>'.*')\.?")
_UNKNOWN = re.compile(r"No such (?P<kind>command|option):? '?(?P<name>[^\s']+)'?.*")


def said(error: click.ClickException, command: str = "logagg") -> str:
    """Return an error of click as one line; `command` is where it is, unless the error knows that."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context else command
    what = " ".join(_what(error, context).split())
    return ": ".join(
        [*command.split()[1:], *_parameter(error), what if ";" in what else f"{what}; see {command} --help"]
    )


def _parameter(error: click.ClickException) -> list[str]:
    """Return the option or argument that has a wrong value."""
    if not isinstance(error, click.BadParameter) or isinstance(error, click.MissingParameter) or not error.param:
        return []
    options = [name for name in error.param.opts if name.startswith("-")]
    return [max(options, key=len) if options else error.param.human_readable_name.strip("[].")]


def _what(error: click.ClickException, context: click.Context | None) -> str:
    text = error.message if _parameter(error) else error.format_message()
    if found := _CHOICES.fullmatch(text):
        choices = found["choices"].strip("'").split("', '")
        return f"'{found['given']}' is not one of {found['choices']}{_near(found['given'], choices)}"
    if found := _UNKNOWN.fullmatch(text):
        return f"no such {found['kind']} '{found['name']}'{_near(found['name'], _names(context))}"
    return "; ".join(map(_lowered, _FURTHER.split(text))).rstrip(".")


def _near(name: str, names: Iterable[str]) -> str:
    """Return the name that was probably meant, as a question."""
    near = difflib.get_close_matches(name, [*names], 1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _names(context: click.Context | None) -> list[str]:
    """Return the options of a command, and its commands."""
    if context is None:
        return []
    options = [name for one in context.command.params for name in one.opts if name.startswith("--")]
    return [*options, *(context.command.list_commands(context) if isinstance(context.command, click.Group) else [])]


def _lowered(sentence: str) -> str:
    """Return a sentence without its capital, unless its first word has others."""
    word = sentence.split(" ", 1)[0]
    return sentence[:1].lower() + sentence[1:] if word[1:].islower() else sentence
