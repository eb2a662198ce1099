"""Renew the lists of `logagg/parse/channels/`: search engines, social networks and AI assistants, and referrer spam.

Run it with the Python of .venv, and review the diff. Both lists are Matomo's, free for any use: searchengine-and-social-list (CC0-1.0) and
referrer-spam-list (public domain). They are copied, not depended on: a list that decides what a lake says should change by
a commit that a person has read.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml

TARGET = Path(__file__).parents[1] / "logagg" / "parse" / "channels"
ORIGIN = "https://github.com/matomo-org"
SOURCES, SPAM = "searchengine-and-social-list", "referrer-spam-list"

# Matomo takes a host for a search engine if its address has what was searched for. Few engines still say that: those that it
# knows to hide it are engines in any case, and others by a name that says so. A portal or a newspaper is none.
_SEARCHES = re.compile(
    r"(?:^|[.-])(?:i?search\w*|suche?|find|recherche\w*|ricerca|busca(?:dor)?|pesquisa|szukaj|hledani|otsing)\."
)
_COUNTRY = "{}"  # stands for a country, as the first word or the last


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        lists, spam = (cloned(name, Path(folder)) for name in (SOURCES, SPAM))
        write("sources.tsv", f"{SOURCES} {version(lists)}, CC0-1.0", sources(lists))
        write(
            "spam.tsv", f"{SPAM} {version(spam)}, public domain", spammers((spam / "spammers.txt").read_text("utf-8"))
        )


def cloned(name: str, folder: Path) -> Path:
    """Return a clone of the newest commit."""
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"{ORIGIN}/{name}", folder / name], check=True)
    return folder / name


def version(clone: Path) -> str:
    """Return the commit of a clone, and its day."""
    shown = subprocess.run(
        ["git", "-C", clone, "log", "-1", "--format=%h of %cs"], check=True, capture_output=True, text=True
    )
    return shown.stdout.strip()


def sources(lists: Path) -> list[str]:
    """Return the rows of all lists: category, name, hosts."""
    texts = {name: (lists / f"{name}.yml").read_text("utf-8") for name in ("SearchEngines", "Socials", "AIAssistants")}
    return [
        *rows("search", engines(yaml.safe_load(texts["SearchEngines"]))),
        *rows("social", yaml.safe_load(texts["Socials"])),
        *rows("ai", yaml.safe_load(texts["AIAssistants"])),
    ]


def engines(listed: Mapping[str, Iterable[Mapping[str, Any]]]) -> dict[str, list[str]]:
    """Return the hosts of each search engine."""
    found: dict[str, list[str]] = {}
    for name, blocks in listed.items():
        for block in blocks:
            hosts = [host for host in block["urls"] if block.get("hiddenkeyword") or _SEARCHES.search(host)]
            found.setdefault(str(name), []).extend(hosts)
    return found


def rows(category: str, names: Mapping[str, Iterable[str]]) -> Iterator[str]:
    for name, hosts in names.items():
        if kept := list(dict.fromkeys(filter(None, map(host_of, hosts)))):
            yield "\t".join([category, unquote(str(name)).replace("\t", " "), " ".join(kept)])


def host_of(url: str) -> str:
    """Return the host as logagg compares it; empty for an address with a path, which referrers hardly say any more."""
    host = url.strip().lower().removeprefix("android-app://").removeprefix("www.")
    labels = host.split(".")
    is_host = "/" not in host and len(labels) > 1 and all(labels)
    return host if is_host and _COUNTRY not in labels[1:-1] else ""


def spammers(text: str) -> list[str]:
    """Return the hosts of a list with comments, in order."""
    lines = (line.strip().lower() for line in text.splitlines())
    return sorted({line.removeprefix("www.") for line in lines if line and line[0] not in "!#"})


def write(name: str, origin: str, rows: Iterable[str]) -> None:
    head = f"# Made by scripts/{Path(__file__).name}. Matomo's {origin}."
    (TARGET / name).write_text("\n".join([head, *rows]) + "\n", "utf-8")


if __name__ == "__main__":
    main()
