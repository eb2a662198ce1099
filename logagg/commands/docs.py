"""`logagg docs`: the documentation of this version, where only the package is installed."""

from __future__ import annotations

import re
import sys
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from logagg.errors import LogaggError, NotFound

HEADING = re.compile(r"(#+) (.+)")


class Page(click.ParamType[str]):
    """The name of a page, as messages write it: `events`, `docs/events.md`, `docs/events.md#visits`."""

    name = "page"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(one) for one in pages() if one.startswith(incomplete)]


@click.command()
@click.argument("page", required=False, type=Page(), metavar="[PAGE]")
def docs(page: str | None) -> None:
    """Show the documentation of this version: the list of its pages, or PAGE.

    PAGE may be written as elsewhere: sql, docs/sql.md; and docs/events.md#visits is one section.
    """
    if page is None:
        found = pages()
        wide = max(map(len, found))
        return click.echo(
            "\n".join(f"{name:{wide}}  {title_of(text.read_text('utf-8'))}" for name, text in found.items())
        )
    text = text_of(page)
    if sys.stdout.isatty():
        click.echo_via_pager(text)
    else:
        click.echo(text, nl=False)


def pages() -> dict[str, Traversable]:
    """Return the pages by name: those of the package, or of the repository that it runs from. Raises LogaggError."""
    for folder in (files("logagg") / "docs", Path(__file__).parents[2] / "docs"):
        if (folder / "how-it-works.md").is_file():
            found = (one for one in folder.iterdir() if one.name.endswith(".md"))
            return {one.name.removesuffix(".md"): one for one in sorted(found, key=lambda one: one.name)}
    raise LogaggError("this installation has no documentation", "install logagg again")


def text_of(page: str) -> str:
    """Return a page, or a section of it. Raises LogaggError."""
    name, _, section = page.partition("#")
    name, known = name.removeprefix("docs/").removesuffix(".md"), pages()
    if name not in known:
        raise NotFound(f"no page {name[:100]!r}", f"there are {', '.join(known)}")
    text = known[name].read_text("utf-8")
    return _section(text, section, name) if section else text


def title_of(text: str) -> str:
    return text.partition("\n")[0].lstrip("# ")


def _section(text: str, wanted: str, page: str) -> str:
    """Return the lines from a heading to the next one of its level. Raises LogaggError."""
    names, level, kept, code = list[str](), 0, list[str](), False
    for line in text.splitlines(keepends=True):
        code ^= line.startswith("```")
        if not code and (heading := HEADING.match(line)):
            name = re.sub(r"[^\w -]", "", heading[2].lower()).replace(" ", "-")
            names.append(name)
            if level and len(heading[1]) <= level:
                break
            level = level or (len(heading[1]) if name == wanted else 0)
        if level:
            kept.append(line)
    if not level:
        raise NotFound(f"{page} has no section {wanted[:100]!r}", f"there are {', '.join(names[1:])}")
    return "".join(kept).rstrip("\n") + "\n"
