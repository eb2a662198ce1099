"""The notebook runs on the demo lake, gives the stored output, whose numbers are right, and draws its plots.

`make golden` stores the present output; the diff is reviewed.
"""

from __future__ import annotations

import base64
import gzip
import io
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT, Command

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pyplot = pytest.importorskip("matplotlib.pyplot")

NOTEBOOK = ROOT / "notebooks/tour.ipynb"
PLOTS = (
    "Requests by kind",
    "Unique visitors by site, robots left out",
    "Most viewed pages",
    "Click-through rate by campaign",
    "Value of orders by what brought them",
    "Time to serve a request",
    "Time to serve the busiest paths",
)
ROBOT = re.compile(r"bot|curl|python")  # in the agents of the demo's robots


@pytest.mark.e2e
def test_the_tour(demo: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = nbformat.read(NOTEBOOK, as_version=4)
    fresh = _execute(demo.lake, monkeypatch)
    _draws_its_plots(fresh)
    _counts_visitors(fresh)
    if os.environ.get("LOGAGG_GOLDEN"):
        nbformat.write(fresh, NOTEBOOK)
    else:
        assert _texts(fresh) == _texts(stored)


def test_the_file_is_small_enough_to_be_viewed() -> None:
    assert NOTEBOOK.stat().st_size < 400_000


def _execute(lake: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("LOGAGG_LAKE", str(lake))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    where = {"metadata": {"path": str(NOTEBOOK.parent)}}
    nbclient.NotebookClient(notebook, timeout=90, record_timing=False, resources=where).execute()
    return notebook


def _outputs(notebook: Any) -> list[tuple[str, Any]]:
    """All outputs, each with the source of its cell."""
    return [(cell.source, output) for cell in notebook.cells for output in cell.get("outputs", [])]


def _texts(notebook: Any) -> list[str]:
    return [
        output.text if output.output_type == "stream" else output.data["text/plain"] for _, output in _outputs(notebook)
    ]


def _draws_its_plots(notebook: Any) -> None:
    outputs = [(source, output.get("data", {})) for source, output in _outputs(notebook)]
    drawn = [(source, data["image/png"]) for source, data in outputs if "image/png" in data]
    assert len(drawn) == len(PLOTS)
    for (source, png), title in zip(drawn, PLOTS, strict=True):
        assert f'set_title("{title}")' in source
        pixels = pyplot.imread(io.BytesIO(base64.b64decode(png)), format="png")[..., :3]
        inked = (pixels < 0.95).any(axis=2)
        assert pixels.shape[1] > 600 and 0.02 < inked.mean() < 0.7, title
        margin = np.concatenate([inked[0], inked[-1], inked[:, 0], inked[:, -1]])
        assert not margin.any(), f"{title}: a part is cut off at the edge"


def _counts_visitors(notebook: Any) -> None:
    """Compare with a count without sketches."""
    [said] = [output.text for _, output in _outputs(notebook) if output.output_type == "stream"]
    folder = ROOT / "fixtures/demo"
    first = gzip.decompress((folder / "access.log.2.gz").read_bytes())
    rest = [(folder / name).read_bytes() for name in ("access.log.1", "access.log")]
    people = [_people(day.decode()) for day in (first, *rest)]
    assert [int(line.split()[-1]) for line in re.findall(r"2026-.*", said)] == [len(day) for day in people]
    assert said.endswith(f"all of them together: {len(set.union(*people))}\n")


def _people(log: str) -> set[tuple[str, str]]:
    """Return the addresses and agents of a day's log, without robots."""
    found = re.findall(r'^\S+ (\S+) .* "([^"]*)" [\d.]+$', log, re.MULTILINE)
    return {(address, agent) for address, agent in found if agent != "-" and not ROBOT.search(agent)}
