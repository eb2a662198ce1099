"""Rules of imports: layers import only lower layers, a stage imports no other stage, and each library has its entry points."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "logagg"
STAGES = ("intake", "parse", "rollup", "lake", "query")
# From the bottom up. A module imports from lower layers, and from its own package.
LAYERS = tuple(
    layer.split()
    for layer in (
        "closing errors file_lock quantities proc",
        "clock metrics notices records sketches spill sql_functions heap lake_format quoting",
        "notice_log heartbeat columnar config sharding codec",
        "memory parquet scrape",
        "intake parse",
        "parse_pool retrieve rollup servers",
        "lake",
        "query",
        "explore",
        "alert",
        "tail",
        "cluster",
        "check",
        "serve top",
        "usage completion",
        "cli",
        "commands",
        "__init__ __main__",
    )
)
LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}
# A stage may import from the layers below all stages, from itself, and from other stages only these modules.
ALLOWED = {
    "rollup": ("logagg.parse.schemas",),  # what it takes
    "lake": tuple(f"logagg.rollup.{name}" for name in ("definitions", "aggregate", "requests", "replay", "derived")),
    "query": ("logagg.lake.catalog", "logagg.lake.heartbeats", "logagg.lake.locks"),
}
ENTRY_POINTS = {
    "watchdog": ("intake/watch.py",),
    "click": ("usage.py", "cli.py", "completion.py", "commands/"),
    "gearman": ("cluster/gearman.py",),
    "smtplib": ("alert/mail.py",),
    "apprise": ("alert/receivers.py",),
    "prometheus_client": ("scrape.py",),
    "textual": ("top/app.py",),
}
SHARED_BY_COMPILED = {
    f"logagg.{name}"
    for name in (
        "columnar.bytes",
        "parse.envelopes.header",
        "parse.lines.shapes",
        "parse.lines.json_escapes",
        "parse.lines.dates",
        "parse.lines.json_paths",
        "parse.lines.json_values",
    )
}  # `.pxd` files
MODULES = sorted(PACKAGE.rglob("*.py"))


def imports(module: Path) -> Iterator[str]:
    """Return the names of all imported modules, anywhere in the file; `from a import b` is `a.b`, since b may be a module."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_imports(module: Path) -> None:
    place = str(module.relative_to(PACKAGE))
    stage = place.split("/")[0].removesuffix(".py")
    for name in imports(module):
        for library, entry_points in ENTRY_POINTS.items():
            assert name.split(".")[0] != library or place.startswith(entry_points), f"{place} imports {name}"
        if not name.startswith("logagg."):
            continue
        part = name.split(".")[1]
        if part in LEVEL and part != stage:  # otherwise a name of the package itself
            assert LEVEL[part] < LEVEL[stage], f"{place} imports {name}, which is above it"
        if stage in STAGES and part in STAGES and part != stage:
            allowed = ALLOWED.get(stage, ())
            assert any(f"{name}.".startswith(f"{one}.") for one in allowed), f"{place} imports {name}"


def test_every_module_has_a_layer() -> None:
    names = {
        path.name.removesuffix(".py")
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert names == set(LEVEL)


@pytest.mark.parametrize("module", sorted(PACKAGE.rglob("*.pyx")), ids=lambda module: module.name)
def test_compiled_modules_import_no_others_and_declare_their_types(module: Path) -> None:
    words = [
        line.split() for line in module.read_text().splitlines() if line.startswith(("import ", "from ", "cimport "))
    ]
    assert {line[1].split(".")[0] for line in words} <= {"math", "os", "numpy", "libc", "logagg"}
    assert {line[1] for line in words if line[1].startswith("logagg")} <= SHARED_BY_COMPILED
    assert module.with_suffix(".pyi").exists()


def test_every_stage_documents_its_guarantees() -> None:
    for stage in STAGES:
        words = [
            line.split(":")[0] for line in (PACKAGE / stage / "__init__.py").read_text().strip('"').splitlines()[:3]
        ]
        assert words == ["In", "Out", "Promise"], stage
