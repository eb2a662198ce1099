"""Every `fixtures/formats/<format>`: its lines are detected as that format, or as what `expected.json` says, and both parsers give these rows.

`LOGAGG_GOLDEN=1` rewrites the expected rows; a person reviews the diff.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from logagg.parse.detect import detect
from logagg.parse.formats.compile import compile_format
from logagg.parse.json_detect import unclear_keys
from logagg.records import Batch
from tests.conftest import ROOT
from tests.laws.any_log import both, plain

NOW = 1_795_900_000.0  # a day after the lines
CASES = sorted((ROOT / "fixtures/formats").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_format(case: Path) -> None:
    data = (case / "access.log").read_bytes()
    lines = [line for line in data.split(b"\n") if line]
    fmt = detect(lines, NOW)
    assert fmt, "no format is detected"
    assert compile_format(fmt.name) == fmt, "a name compiles to its format again"
    ours, plainly = both(data, fmt, now=NOW)
    assert plain(ours).to_pylist() == plain(plainly).to_pylist()
    assert ours.rejects == plainly.rejects
    found = {
        "format": fmt.name,
        "rejects": ours.rejects.counts,
        "unclear": unclear_keys(lines, fmt),
        "rows": rows(ours),
    }
    if os.environ.get("LOGAGG_GOLDEN"):
        (case / "expected.json").write_text(written(found))
    assert found == json.loads((case / "expected.json").read_text())


def rows(batch: Batch) -> list[dict[str, Any]]:
    """The columns of each line that have a value."""
    return [
        {name: value.isoformat() if name == "time" else value for name, value in row.items() if value not in (None, "")}
        for row in plain(batch).drop_columns(["position"]).to_pylist()
    ]


def written(found: dict[str, Any]) -> str:
    """JSON with a row on a line, so that a diff is read row by row."""
    lines = ",\n".join(f"    {json.dumps(row, ensure_ascii=False)}" for row in found["rows"])
    head = json.dumps({**found, "rows": []}, ensure_ascii=False, indent=2).removesuffix("[]\n}")
    return f"{head}[\n{lines}\n  ]\n}}\n"
