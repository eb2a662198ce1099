"""The documentation is true: its examples print the documented output, and every public name is documented.

The language of its fence determines how a block is used:
    console   commands after "$ " (continued after "> ") and their output; a command that prints "logagg: ..." may fail
    bash      one script
    sql       a query for `logagg sql`
    python    a script that continues the previous python block
    toml      a logagg.toml, loaded
    sh, ini   not run, since it needs root or another machine; its logagg commands and options must exist
and a text block directly below bash, sql or python is their output. A page is run from its top, in a directory that it
calls /srv, with `fixtures` and, except for the README, which creates it itself, `lake`: the demo lake.

`make golden` writes the present output of the blocks, and the generated parts, into the pages; the diff is reviewed.
"""

from __future__ import annotations

import doctest
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from click import Command as Command_
from click import Group

import logagg
from logagg import lake_format
from logagg.alert.rules import Alert, resolved
from logagg.cli import COMMANDS
from logagg.cli import logagg as group
from logagg.config.alerts import ALERT_KEYS, NOTIFY_KEYS, RULES, AlertConfig, Key
from logagg.config.load import load
from logagg.config.sections import EXTENSIONS, SETTINGS, Setting
from logagg.lake import catalog_rows
from logagg.metrics import METRICS, Metric
from logagg.notices import KINDS, Level, NoticeKind
from logagg.parse.envelopes.kinds import ENVELOPES
from logagg.parse.formats.compile import compile_format
from logagg.parse.formats.format import TIMES, UNITS, UPSTREAM_PARTS, UPSTREAM_UNITS, PersonalFields
from logagg.parse.formats.goaccess import SPECIFIERS
from logagg.parse.formats.json_presets import JSON_PRESETS
from logagg.parse.formats.presets import PRESETS
from logagg.parse.formats.variables import APACHE, CLIENTS, FIELDS, JSON_KEYS, JSON_TIMES, NGINX, W3C
from logagg.parse.schemas import EVENT_SCHEMA, REASONS
from logagg.query.names import REPORTS
from logagg.rollup.configured import rollups_of
from logagg.rollup.custom import SINGULAR
from logagg.rollup.definitions import DEFAULTS, DIMENSION_TYPES
from logagg.rollup.requests import SCHEMA as REQUESTS
from logagg.sketches import MACROS
from logagg.top.keys import MOUSE, listed
from tests.conftest import LOGAGG, ROOT, Command
from tests.python_reference import WITHOUT_DOCSTRING, documented, reference

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
GOLDEN = bool(os.environ.get("LOGAGG_GOLDEN"))

# Output that differs between runs or machines, and its replacement in the comparison.
MASKS = (
    (r"[\d,]+ lines/s", "N lines/s"),
    (r"\b[\d,]+\.\d s\b", "N s"),
    (r"\b[\d,]+ s ago", "N s ago"),
    (r"\b[\d,]+ commits?\b", "N commits"),
    (r"\b[\d,]+ files merged", "N files merged"),
    (r"\b[\d,]+ rows in [\d,]+ files of [\d.]+ kB", "N rows in N files of N kB"),
    (r"\bprocess \d+", "process N"),
    (r"\b[0-9a-f]{16}\b", "SOURCE"),
    (r"\b20(?!26-03-0)\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?Z?", "NOW"),  # the times of the demo logs stay
    (r"\bline \d+: +\d+ Killed", "line N: N Killed"),
)

FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
MARCH_5 = 1_772_668_800.0  # 2026, just after the demo logs were written
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


class Page:
    """A page, run block after block; collects the expected text."""

    def __init__(self, path: Path, command: Command) -> None:
        self.path, self.text = path, path.read_text()
        self._folder, self._env = command.folder, command.env | {"PATH": f"{LOGAGG.parent}:{os.environ['PATH']}"}
        del self._env["LOGAGG_LAKE"]
        self._python: list[str] = []

    def run(self) -> str:
        """Return the page with the present output of its blocks."""
        pieces, at, printed = [], 0, None
        for block in FENCE.finditer(self.text):
            between, output = self.text[at : block.start("text")], block["text"]
            if block["language"] == "text":
                output = output if printed is None or between.count("\n") > 2 else _merged(output, printed)
            printed = None
            if block["language"] == "console":
                output = self._console(output)
            elif play := self._players.get(block["language"]):
                printed = play(self, output)
            pieces += [between, output]
            at = block.end("text")
        return "".join([*pieces, self.text[at:]])

    def _console(self, text: str) -> str:
        pieces = []
        for command, output in re.findall(r"(^\$ .*\n(?:> .*\n)*)((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
            script = re.sub(r"(?m)^[$>] ", "", command)
            pieces += [command, _merged(output, self._printed(["bash", "-c", script], may_fail=True))]
        return "".join(pieces)

    def _bash(self, script: str) -> str:
        return self._printed(["bash", "-ec", script])

    def _sql(self, query: str) -> str:
        return self._printed(["logagg", "sql", query])

    def _run_python(self, code: str) -> str:
        separator = "-- what the last block prints --"
        before, self._python = "\n".join(self._python), [*self._python, code]
        script = f"{before}\nprint({separator!r})\n{code}"
        return self._printed([sys.executable, "-c", script]).partition(f"{separator}\n")[2]

    def _toml(self, text: str) -> str:
        file = self._folder / "example.toml"
        file.write_text(text)
        config = load(file, {})
        rollups_of(config)
        if config.log_format:
            compile_format(config.log_format)
        return ""

    def _named(self, text: str) -> str:
        """Check that the commands and options exist of a block that is not run."""
        for name, arguments in re.findall(r"(?<![=\w-])logagg (?!logagg)(\w+)([^|&;#\n]*)", text):
            command = group.get_command(None, name)  # type: ignore[arg-type]
            assert command, f"{self.path.name}: there is no logagg {name}"
            known = {option for one in command.params for option in one.opts} | {"--help"}
            assert set(re.findall(r"--[a-z-]+", arguments)) <= known, f"{self.path.name}: logagg {name}{arguments}"
        return ""

    def _printed(self, argv: list[str], *, may_fail: bool = False) -> str:
        done = subprocess.run(
            argv,
            cwd=self._folder,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
        )
        failed = done.returncode != 0 and not (may_fail and done.stdout.startswith("logagg: "))
        assert not failed, f"{self.path.name}: {argv[-1]}\n{done.stdout}"
        assert "Traceback" not in done.stdout, done.stdout
        return done.stdout.replace(str(self._folder), "/srv")

    _players: dict[str, Callable[[Page, str], str]] = {
        "bash": _bash,
        "sql": _sql,
        "python": _run_python,
        "toml": _toml,
        "sh": _named,
        "ini": _named,
    }


def _masked(text: str) -> str:
    for pattern, instead in MASKS:
        text = re.sub(pattern, instead, text)
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def _merged(output: str, printed: str) -> str:
    """Return the documented output if it differs only in masked parts, otherwise the present output."""
    return (
        output
        if _masked(output) == _masked(printed)
        else "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
    )


def _copy_fixtures(folder: Path) -> None:
    """Copy the logs with the age of their lines: a young rotated log may still be written to."""
    shutil.copytree(ROOT / "fixtures", folder / "fixtures")
    for file in (folder / "fixtures").rglob("*"):
        os.utime(file, (MARCH_5, MARCH_5))


@pytest.mark.e2e
@pytest.mark.timeout(600)  # a page starts some twenty processes
@pytest.mark.parametrize("name", NAMES)
def test_examples_print_the_documented_output(name: str, logagg: Command) -> None:
    _copy_fixtures(logagg.folder)
    if name != "README.md":
        logagg.run("tail", "--once", "--quiet", "--config", "fixtures/demo/logagg.toml", "fixtures/demo")
    page = Page(ROOT / name, logagg)
    now = page.run()
    if GOLDEN:
        page.path.write_text(now)
    assert now == page.text or GOLDEN


def test_the_tour_leaves_nothing_behind(tmp_path: Path) -> None:
    """A user types the tour into one shell, in a clone; here the commands themselves do nothing."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/activate").write_text("deactivate() { unset -f deactivate; }\n")
    shutil.copytree(ROOT / "fixtures/demo", tmp_path / "fixtures/demo")
    text = (ROOT / "README.md").read_text()
    tour = text[text.index("## A tour") : text.index("## Read on")]
    typed = [
        "\n".join(re.findall(r"(?m)^[$>] (.*)", block["text"])) if block["language"] == "console" else block["text"]
        for block in FENCE.finditer(tour)
        if block["language"] in ("console", "bash", "sh")
    ]
    before = _tree(tmp_path)
    state = r"{ export -p; declare -F; jobs; pwd; } | grep -v ' _=\|OLDPWD'"
    script = "\n".join(["logagg() { :; }", "sleep() { :; }", state, "echo ---", *typed, "echo ---", state])
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    first, *_, last = done.stdout.split("---\n")
    assert first == last
    assert _tree(tmp_path) - before <= {tmp_path / "build"}, done.stderr


def _tree(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def test_the_numbers_of_the_tour_are_those_of_an_ordinary_machine() -> None:
    """They differ between runs, so a run that writes them may have had a busy machine."""
    lines, seconds, rate = re.findall(
        r"(?m)^([\d,]+) lines .* in ([\d.]+) s, ([\d,]+) lines/s$", (ROOT / "README.md").read_text()
    )[0]
    assert float(seconds) <= 1.0
    assert abs(int(lines.replace(",", "")) / float(seconds) / int(rate.replace(",", "")) - 1) < 0.1


def test_make_setup_says_what_it_does() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "setup"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    said = re.findall(r'^echo "(.*)"$', done.stdout, re.M)
    assert [one.split(":")[0] for one in said] == ["1 of 3", "2 of 3", "3 of 3", "done"]
    assert "compiler" in said[1] and "pip downloads" in said[2] and "make clean" in said[3]


# Generated parts of a page, between `<!-- name -->` and `<!-- end -->`.


def _table(*rows: Sequence[str]) -> Iterator[str]:
    heads, *rest = rows
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    yield from (f"| {' | '.join(row)} |" for row in rest)


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _settings() -> Iterator[str]:
    rows = [(_code([one.key]), _default(one), _code([one.variable]), one.help) for one in SETTINGS]
    return _table(("setting", "default", "environment", "meaning"), *rows)


def _default(one: Setting) -> str:
    written = json.dumps(one.written, ensure_ascii=False)
    return f"`{written}`" if len(written) < 40 else "below"


def _columns() -> Iterator[str]:
    texts = [one.name for one in EVENT_SCHEMA if pa.types.is_dictionary(one.type) and one.name not in SINGULAR]
    dimensions = [one.name for one in EVENT_SCHEMA if one.name in texts or one.name in DIMENSION_TYPES]
    others = [one.name for one in EVENT_SCHEMA if one.name not in dimensions]
    rows = [("dimensions, and in conditions", _code(dimensions)), ("in conditions only", _code(others))]
    return _table(("columns of an event", ""), *rows)


def _fields() -> Iterator[str]:
    """Yield the variables, directives and keys of each field; the fields in the order of the table for nginx."""
    tables = [
        {f"${name}": field for name, field in NGINX.items()},
        {f"%{name}": field for name, field in APACHE.items()},
        {**JSON_KEYS, **dict.fromkeys(JSON_TIMES, "time")},
    ]
    merged = [{name: _MERGED.get(field, field) for name, field in table.items() if field} for table in tables]
    fields = dict.fromkeys(merged[0].values())
    rows = [
        (field, *(_code(name for name, of in table.items() if of == field) for table in merged)) for field in fields
    ]
    return _table(("field", "nginx", "Apache", "keys of JSON logs, beside nginx's"), *rows)


_MERGED = (
    dict.fromkeys(CLIENTS, "client")
    | dict.fromkeys(TIMES, "time")
    | dict.fromkeys((*UNITS, "time_taken", *UPSTREAM_PARTS), "seconds")
    | dict.fromkeys(UPSTREAM_UNITS, "upstream_seconds")
    | {"client_port": "client"}
)


def _views() -> Iterator[str]:
    rows = [(_code([one.name]), _code(one.dimensions), _code(one.measures)) for one in DEFAULTS]
    return _table(("view", "dimensions", "measures"), *rows)


def _formats() -> Iterator[str]:
    """Yield the named formats: those of JSON logs after the others."""
    rows = [(_code([one.name]), _code(one.aliases), one.about, _read_of(one.name)) for one in (*PRESETS, *JSON_PRESETS)]
    others = (
        (
            "`csv`",
            "`tsv`",
            "CSV below a header: Athena, Splunk, Grafana and others; with commas, semicolons, bars or tabs",
            "",
        ),
        ("`ltsv`", "", "LTSV, by its labels", ""),
        ("`json`", "", "other JSON logs, by their keys", ""),
    )
    return _table(("name", "other names", "who writes it", "what is read besides"), *rows, *others)


def _read_of(name: str) -> str:
    """Return the fields of a format that not all formats have."""
    fields = compile_format(f"docker+{name}", PersonalFields(users=True)).fields  # some have no time of their own
    merged = {_MERGED.get(field, field) for field in fields} | ({"protocol"} if "request" in fields else set())
    return ", ".join(title for field, title in _TITLES.items() if field in merged)


_TITLES = {
    "client": "client",
    "forwarded": "X-Forwarded-For",
    "host": "site",
    "user": "user",
    "referrer": "referrer",
    "agent": "agent",
    "seconds": "seconds",
    "upstream_seconds": "upstream seconds",
    "cache": "cache",
    "scheme": "scheme",
    "protocol": "protocol",
    "tls": "TLS",
    "country": "country",
}


def _envelopes() -> Iterator[str]:
    rows = [
        (_code([one.name]), one.writers, f"`{one.example}`".replace("|", "\\|"))
        for one in ENVELOPES.values()
        if one.column < 2
    ]
    return _table(("name", "written by", "for example"), *rows)


def _w3c() -> Iterator[str]:
    fields = dict.fromkeys(W3C.values())
    return _table(
        ("field", "columns, the preferred one first"),
        *((field, _code(name for name, of in W3C.items() if of == field)) for field in fields),
    )


def _goaccess() -> Iterator[str]:
    used = [(f"%{letter}", field) for letter, field in SPECIFIERS.items() if field]
    unused = _code(f"%{letter}" for letter, field in SPECIFIERS.items() if not field)
    return _table(
        ("specifier", "field"),
        *((_code([name]), field) for name, field in used),
        ("`~h{...}`", "client, the first of a list"),
        ("`%~`", "any number of blanks"),
        (unused, "not used"),
    )


def _own() -> Iterator[str]:
    return _table(("field", "value"), *((_code([name]), text) for name, text in FIELDS.items()))


def _json_products() -> Iterator[str]:
    rows = [
        (_code([one.name]), _code(one.aliases), one.about, _code(one.telling.split()), ", ".join(_as_fields(one.keys)))
        for one in JSON_PRESETS
    ]
    return _table(("name", "also", "written by", "told by the keys", "fields"), *rows)


def _as_fields(names: Iterable[str]) -> Iterable[str]:
    return dict.fromkeys(_MERGED.get(name, name) for name in names)


def _notices() -> Iterator[str]:
    rows = [(_name(kind), kind.level.name.lower(), kind.meaning, kind.remedy) for kind in KINDS]
    return _table(("kind", "level", "meaning", "to do"), *rows)


def _rules() -> Iterator[str]:
    """Yield the built-in rules, with their defaults."""
    named = [resolved(AlertConfig(name), ()) for name in RULES]
    rows = [(f"`{one.name}`", _limits(one), _span(one.window), _span(one.hold), f"`{one.message}`") for one in named]
    return _table(("rule", "fires", "window", "for", "message"), *rows)


def _limits(one: Alert) -> str:
    limit = f"above {one.above:g}" if one.above is not None else f"below {one.below:g}"
    return f"{limit}, until {one.clear:g}" + (f"; `{one.least.column} >= {one.least.number:g}`" if one.least else "")


def _span(seconds: int) -> str:
    return f"{seconds // 60}m" if seconds else ""


def _declared(keys: Mapping[str, Key]) -> Iterator[str]:
    rows = [
        (f"`{name}`", one.default or ("required" if name in ("name", "kind") else ""), _help(one))
        for name, one in keys.items()
    ]
    return _table(("key", "default", "meaning"), *rows)


def _help(key: Key) -> str:
    return f"{', '.join(key.kinds)}: {key.help}" if key.kinds else key.help


def _name(kind: NoticeKind) -> str:
    return f"[`{kind.name}`]" if kind.level is Level.INFO else f"`{kind.name}`"


def _keys() -> Iterator[str]:
    return _table(("key", "does"), *((_code(key.names.split()), key.text) for key in listed()))


def _mouse() -> Iterator[str]:
    return _table(("do", "and"), *MOUSE)


def _metrics() -> Iterator[str]:
    rows = [(_code([f"{one.name}{_labels(one)}"]), ", ".join(one.shown_by), one.help) for one in METRICS]
    return _table(("metric", "of", "meaning"), *rows)


def _labels(metric: Metric) -> str:
    return f"{{{','.join(metric.labels)}}}" if metric.labels else ""


GENERATED: dict[tuple[str, str], Callable[[], Iterator[str]]] = {
    ("docs/configuration.md", "settings"): _settings,
    ("docs/configuration.md", "extensions"): lambda: iter([_code(EXTENSIONS)]),
    ("docs/configuration.md", "columns"): _columns,
    ("docs/formats.md", "formats"): _formats,
    ("docs/formats.md", "envelopes"): _envelopes,
    ("docs/formats.md", "w3c"): _w3c,
    ("docs/formats.md", "goaccess"): _goaccess,
    ("docs/formats.md", "own"): _own,
    ("docs/formats.md", "fields"): _fields,
    ("docs/json.md", "json-products"): _json_products,
    ("docs/sql.md", "views"): _views,
    ("docs/operations.md", "notices"): _notices,
    ("docs/alerts.md", "rules"): _rules,
    ("docs/alerts.md", "alert"): lambda: _declared(ALERT_KEYS),
    ("docs/alerts.md", "notify"): lambda: _declared(NOTIFY_KEYS),
    ("docs/top.md", "keys"): _keys,
    ("docs/top.md", "mouse"): _mouse,
    ("docs/operations.md", "metrics"): _metrics,
    ("docs/python.md", "python"): reference,
}


@pytest.mark.parametrize(("name", "key"), GENERATED)
def test_generated_parts_are_up_to_date(name: str, key: str) -> None:
    page = ROOT / name
    before, middle, after = re.split(rf"(?s)(?<=<!-- {key} -->\n)(.*?)(?=<!-- end -->)", page.read_text(), maxsplit=1)
    now = "\n".join(GENERATED[name, key]()) + "\n"
    if GOLDEN:
        page.write_text(before + now + after)
    assert middle == now or GOLDEN


def test_the_examples_of_docstrings(demo: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo.folder)
    examples = {name: doctest.DocTestFinder(recurse=False).find(of, name) for name, of in documented().items()}
    run = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    with logagg.open("lake") as lake:
        for test in (one for tests in examples.values() for one in tests):
            test.globs = {"logagg": logagg, "lake": lake}
            assert run.run(test).failed == 0, test.name
    assert run.tries > 10


def test_every_public_name_is_in_the_reference() -> None:
    assert {name.partition(".")[0] for name in documented()} | set(WITHOUT_DOCSTRING) == set(logagg.__all__)
    assert not [name for name, of in documented().items() if not of.__doc__]


# Names that a page must contain, in backticks.


def _commands() -> Iterator[tuple[str, Command_]]:
    """Yield all commands by name, and those of a group by the names of both."""
    for name in COMMANDS:
        command = group.get_command(None, name)  # type: ignore[arg-type]
        assert command
        yield name, command
        if isinstance(command, Group):
            yield from ((f"{name} {of}", one) for of, one in command.commands.items())


def _options() -> Iterator[tuple[str, str]]:
    for name, command in _commands():
        for one in command.params:
            if one.opts[0].startswith("-") and not getattr(one, "hidden", False):
                yield name, max(one.opts, key=len)


def test_every_command_and_option_is_in_the_commands_page() -> None:
    page = (ROOT / "docs/commands.md").read_text()
    sections = dict(re.findall(r"(?ms)^\$ logagg ([\w ]+) --help\n(.*?)(?=^(?:\$ |```))", page))
    assert {name for name, _ in _commands()} <= set(sections)
    assert not [(name, option) for name, option in _options() if f" {option}" not in sections[name]]


def _must_be_named() -> Iterator[tuple[str, set[str]]]:
    rows = catalog_rows
    tables = (
        rows.SOURCES_SCHEMA,
        rows.COMMITS_SCHEMA,
        rows.REJECTS_SCHEMA,
        rows.SAMPLES_SCHEMA,
        rows.FILES_SCHEMA,
    )
    yield "docs/sql.md", {column for table in tables for column in table.names}
    yield "docs/sql.md", {*REQUESTS.names, "requests_from", "requests_kinds"}
    yield "docs/sql.md", {re.split(r"[ (]", macro)[2] for macro in MACROS}
    yield "docs/sql.md", set(lake_format.TABLES)
    yield "docs/commands.md", set(REPORTS)
    yield "docs/operations.md", set(REASONS) | {kind.name for kind in KINDS}


@pytest.mark.parametrize("name", ["docs/sql.md", "docs/commands.md", "docs/operations.md"])
def test_every_name_is_documented(name: str) -> None:
    text = (ROOT / name).read_text()
    wanted = set[str]().union(*(names for page, names in _must_be_named() if page == name))
    assert len(wanted) > 5
    assert not sorted(one for one in wanted if f"`{one}`" not in text and f"`{one}(" not in text)


def _anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page."""
    headings = re.findall(r"(?m)^#+ (.*)", page.read_text()) if page.suffix == ".md" else []
    return {"", *(re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings)}


@pytest.mark.parametrize("name", [*NAMES, "CHANGELOG.md", "CONTRIBUTING.md"])
def test_link_targets_exist(name: str) -> None:
    page = ROOT / name
    links = re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text())
    assert not [link for link, _ in links if not (page.parent / link).exists()]
    assert not [
        (link, anchor) for link, anchor in links if anchor not in _anchors(page.parent / link if link else page)
    ]
