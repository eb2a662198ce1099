"""Every `expected.json` of `fixtures/<case>` and `fixtures/cases/<case>`: the installed command reads the case's logs, and the lake holds exactly those rows.

`LOGAGG_GOLDEN=1` rewrites the expected rows from the lake; a person reviews the diff.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Command

FIXTURES = ROOT / "fixtures"
CASES = sorted(path.parent for path in (*FIXTURES.glob("*/expected.json"), *FIXTURES.glob("cases/*/expected.json")))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Path, logagg: Command) -> None:
    expected = json.loads((case / "expected.json").read_text())
    settings = ["--config", case / "logagg.toml"] if (case / "logagg.toml").exists() else []
    logagg.run("tail", "--once", "-q", *settings, *sorted(case.glob("access*")))
    rejects = dict(logagg.read("SELECT reason, sum(lines)::BIGINT FROM rejects GROUP BY reason"))
    views = [{**view, "rows": rows_of(logagg, view)} for view in expected["views"]]
    found = {"lines": logagg.lines(), "rejects": rejects, "views": views}
    if os.environ.get("LOGAGG_GOLDEN"):
        (case / "expected.json").write_text(written(found))
    assert found == expected


def rows_of(logagg: Command, view: dict[str, Any]) -> list[list[Any]]:
    """Sum the rows of a view by the columns named in `key`: the measures of `sum`, and the distinct `uniques`."""
    keys = [f"epoch({name})::BIGINT" if name == "ts" else f'"{name}"' for name in view["key"]]
    sums = [f'round(sum("{name}"), 6)::DOUBLE' for name in view.get("sum", [])]
    uniques = [f'uniques("{name}")::BIGINT' for name in view.get("uniques", [])]
    query = f'SELECT {", ".join(keys + sums + uniques)} FROM "{view["view"]}" GROUP BY {", ".join(keys)} ORDER BY ALL'
    return [list(row) for row in logagg.read(query)]


def written(expected: dict[str, Any]) -> str:
    """JSON with a row on a line, so that a diff is read row by row."""
    text = json.dumps({**expected, "views": "VIEWS"}, ensure_ascii=False, indent=2)
    return text.replace('"VIEWS"', "[" + ",".join(map(_view, expected["views"])) + "\n  ]") + "\n"


def _view(view: dict[str, Any]) -> str:
    head = json.dumps({key: value for key, value in view.items() if key != "rows"}, ensure_ascii=False)[:-1]
    rows = ",".join("\n      " + json.dumps(row, ensure_ascii=False) for row in view["rows"])
    return f'\n    {head}, "rows": [{rows}\n    ]}}'
