"""deploy/prometheus and deploy/grafana: Prometheus' own tool accepts them, and each name in them is one that logagg has."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient

from logagg.metrics import METRICS
from logagg.notices import KINDS
from tests.conftest import ROOT
from tests.units.explore.conftest import demo_lake as demo_lake
from tests.units.serve.conftest import client as client
from tests.units.serve.conftest import client_of as client_of

PROMETHEUS, GRAFANA = ROOT / "deploy/prometheus", ROOT / "deploy/grafana"
LABELS = {one.name: {*one.labels, "instance", "job"} for one in METRICS}
OPERATION, TRAFFIC = GRAFANA / "dashboards/logagg-operation.json", GRAFANA / "dashboards/logagg-traffic.json"
Tool = Callable[[str], str]


def test_prometheus_accepts_its_files_and_the_alerts_fire_when_they_should(tool: Tool) -> None:
    promtool = tool("promtool")
    for check in (
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "logagg.rules.yml"),
        ("test", "rules", "logagg.rules.test.yml"),
    ):
        done = subprocess.run([promtool, *check], cwd=PROMETHEUS, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def rules() -> list[dict[str, Any]]:
    [group] = yaml.safe_load((PROMETHEUS / "logagg.rules.yml").read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def dashboard(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    board = dashboard(OPERATION)
    yield from (target["expr"] for panel in board["panels"] for target in panel["targets"])
    yield from (variable["query"] for variable in board["templating"]["list"])


@pytest.mark.parametrize("expression", [*expressions()])
def test_every_metric_and_label_in_an_expression_is_one_of_ours(expression: str) -> None:
    names = re.findall(r"\b(?:logagg|process)_\w+", expression)
    assert names or expression.startswith("up{")
    assert not [name for name in names if name.startswith("logagg") and name not in LABELS]
    for name, selector in re.findall(r"\b(logagg_\w+)\{([^}]*)\}", expression):
        assert set(re.findall(r"(\w+)\s*=", selector)) <= LABELS[name], expression
    for grouped in re.findall(r"(?:by|on) \(([^)]*)\)", expression):
        assert set(re.split(r"[, ]+", grouped)) <= set().union(*(LABELS.get(name, {"job"}) for name in names)), (
            expression
        )
    assert set(re.findall(r'kind="(\w+)"', expression)) <= {one.name for one in KINDS}


def test_what_can_go_wrong_has_an_alert_that_says_what_to_do() -> None:
    text = " ".join(rule["expr"] for rule in rules())
    for name in ("unreadable_logs", "unparsed_logs", "waiting_paths", "behind_seconds", "rejects_total", "log_unread"):
        assert f"logagg_{name}" in text
    for rule in rules():
        assert set(rule["labels"]) == {"severity"} and rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_the_dashboard_of_operation_shows_every_metric() -> None:
    shown = " ".join(expressions())
    few = {"logagg_commit", "logagg_state", "logagg_held_bytes", "logagg_http_pages", "logagg_uncommitted_job_bytes"}
    others = {"logagg_messages_total", "logagg_messages_refused_total", "logagg_answers_refused_total"}
    others |= {"logagg_http_computed_total", "logagg_http_reused_total"}
    assert {one.name for one in METRICS if one.name not in shown} <= few | others


@pytest.mark.parametrize("panel", dashboard(TRAFFIC)["panels"], ids=lambda panel: panel["title"])
def test_the_dashboard_of_traffic_asks_what_the_api_answers(panel: dict[str, Any], client: TestClient) -> None:
    variables = {
        "__from:date:iso": "2026-03-02T00:00:00.000Z",
        "__to:date:iso": "2026-03-05T00:00:00.000Z",
        "bots": "exclude",
    }
    for target in panel["targets"]:
        address = re.sub(r"\$\{([^}]*)\}", lambda found: variables[found[1]], target["url"])
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert rows and not {one["selector"] for one in target["columns"]} - set(rows[0])


@pytest.mark.parametrize("path", [OPERATION, TRAFFIC], ids=lambda path: path.stem)
def test_dashboards_are_as_grafana_has_them(path: Path) -> None:
    board = dashboard(path)
    provided = yaml.safe_load((GRAFANA / "provisioning/datasources/logagg.yaml").read_text())["datasources"]
    known = {(one["type"], one["uid"]) for one in provided}
    assert board["uid"] == path.stem and board["schemaVersion"] >= 36
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        assert {(one["datasource"]["type"], one["datasource"]["uid"]) for one in [panel, *panel["targets"]]} <= known
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
