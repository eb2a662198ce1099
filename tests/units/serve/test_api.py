"""The API over the demo's lake."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from logagg.errors import LimitReached
from logagg.explore.panels import PANELS
from logagg.explore.snapshots import AnswerLimits, Left, Snapshots
from logagg.metrics import METRICS
from logagg.serve.api import ENDPOINTS, ServedLake
from tests.units.serve.conftest import ENDLESS, OpenClient

DAYS: dict[str, Any] = {"since": "2026-03-03", "until": "2026-03-05"}


@pytest.mark.slow
def test_every_panel_answers(client: TestClient) -> None:
    for panel in PANELS:
        answer = client.get(
            f"/api/panels/{panel.name}", params={**DAYS, "compare": "previous", "is": "site:www.example.com"}
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["dimensions"] == list(panel.dimensions)


def test_the_page_is_its_parts(client: TestClient) -> None:
    asked = {**DAYS, "compare": "previous", "bots": "exclude"}
    whole = client.get(
        "/api/page", params={**asked, "panels": "pages,errors", "sort.pages": "visitors", "limit": 3}
    ).json()
    assert whole["totals"] == client.get("/api/totals", params=asked).json()
    assert whole["series"] == client.get("/api/series", params=asked).json()
    assert whole["latency"] == client.get("/api/latency", params=asked).json()
    pages = client.get("/api/panels/pages", params={**asked, "sort": "visitors", "limit": 3}).json()
    assert whole["panels"]["pages"] == pages
    assert list(whole["panels"]) == ["pages", "errors"]


def test_parts_of_the_page(client: TestClient) -> None:
    asked = {**DAYS, "panels": "pages", "measures": 2}
    whole = client.get("/api/page", params=asked).json()
    parts = {"totals", "series", "latency", "panels"}
    for part in parts:
        one = client.get("/api/page", params={**asked, "parts": part}).json()
        assert one == {name: value for name, value in whole.items() if name not in parts - {part}}
    assert whole["panels"]["pages"]["measures"] == ["views", "visitors"]
    for wrong in ("parts=all", "measures=0", "panels=pages&sort.errors=hits", "panels=pages&order.x=asc", "sort.=hits"):
        assert client.get(f"/api/page?{wrong}").status_code == 400


@pytest.mark.parametrize(
    "path", [*(one.path.replace("{name}", "pages") for one in ENDPOINTS), "status", "openapi.json", "events"]
)
def test_an_address_accepts_only_what_it_uses(path: str, client: TestClient) -> None:
    for name in ("sort.pages", "order.pages", "colour", "sort.x"):
        if path == "page" and name != "colour":
            continue
        answer = client.get(f"/api/{path}", params={name: "hits"})
        assert (answer.status_code, answer.json()["error"]) == (400, f"no parameter {name!r}")


def test_formats(client: TestClient) -> None:
    asked = {**DAYS, "limit": 5}
    rows = client.get("/api/panels/pages", params=asked).json()["rows"]
    table = pq.read_table(io.BytesIO(client.get("/api/panels/pages", params={**asked, "format": "parquet"}).content))
    arrow = client.get("/api/panels/pages", params=asked, headers={"Accept": "application/vnd.apache.arrow.stream"})
    text = client.get("/api/panels/pages", params=asked, headers={"Accept": "text/csv, */*;q=0.1"})
    assert table.column("views").to_pylist() == [row["views"] for row in rows]
    assert pa.ipc.open_stream(arrow.content).read_all().column("path").to_pylist() == [row["path"] for row in rows]
    assert text.headers["content-type"].startswith("text/csv")
    assert [row["path"] for row in csv.DictReader(io.StringIO(text.text))] == [row["path"] for row in rows]
    wrong = client.get("/api/lake", params={"format": "csv"})
    assert (wrong.status_code, wrong.json()["hint"]) == (400, "ask for json")


def test_an_answer_is_sent_once_until_the_next_commit(client: TestClient) -> None:
    first = client.get("/api/panels/pages", params=DAYS)
    again = client.get("/api/panels/pages", params=DAYS, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get("/api/panels/pages", params={**DAYS, "limit": 3})
    assert other.headers["etag"] != first.headers["etag"]


@pytest.mark.slow
def test_requests_and_their_lines(client: TestClient) -> None:
    asked = {**DAYS, "is": ["status:500", "path:/articles/tea.html"], "limit": 5}
    rows = client.get("/api/requests", params=asked).json()["rows"]
    assert rows and all(row["status"] == 500 for row in rows)
    place = {**DAYS, "source": rows[0]["source"], "position": rows[0]["position"]}
    [line] = client.get("/api/lines", params=place).json()["rows"]
    assert "GET /articles/tea.html" in line["line"] and line["file"].endswith(".log")
    found = client.get("/api/lines", params=asked).json()["rows"]
    assert len(found) == len(rows)


def test_rejects_and_samples(client: TestClient) -> None:
    [reason] = client.get("/api/rejects").json()["rows"]
    [sample] = client.get("/api/rejects/samples", params={"reason": reason["reason"]}).json()["rows"]
    assert sample["path"].endswith("access.log") and sample["position"] > 0
    assert client.get("/api/rejects/samples", params={"reason": "' OR true --"}).json()["rows"] == []


@pytest.mark.slow
def test_sql_only_where_it_is_on(client: TestClient, client_of: OpenClient) -> None:
    assert client.get("/api/sql", params={"q": "SELECT 1"}).status_code == 404
    on = client_of(sql=True)
    assert on.get("/api/sql", params={"q": "SELECT 1 AS one"}).json()["rows"] == [{"one": 1}]
    for query in ("FROM read_text('/etc/passwd')", "COPY (SELECT 1) TO 'x'", "SELEC"):
        answer = on.get("/api/sql", params={"q": query})
        assert answer.status_code == 400 and "Traceback" not in answer.text


def test_a_query_that_takes_too_long(client_of: OpenClient) -> None:
    client = client_of(limits=AnswerLimits(seconds=0.000_001))
    answer = client.get("/api/page", params=DAYS)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "took longer than" in answer.json()["error"]


def test_parts_that_are_left_end_together(demo_lake: Path) -> None:
    served, left = ServedLake(demo_lake, AnswerLimits(seconds=30.0)), Left()
    threading.Timer(0.1, left.set_result, [None]).start()
    with pytest.raises(LimitReached), Snapshots(demo_lake, served.limits).newest().queries(left) as ask:
        served.run_all([lambda: {"rows": ask(ENDLESS).rows}] * 5)


@pytest.mark.parametrize(
    "query",
    ["since=x", "limit=0", "limit=99999999999999999999", "limit=-1", "limit=1e3", "is=x", "is=status:x", "colour=red", "format=xml",
     "tz=../etc/passwd", "sort=x", "search=%00", "compare=", "order=", "bots=some", "is=path:%00"],
)  # fmt: skip
def test_wrong_parameters_are_told(query: str, client: TestClient) -> None:
    answer = client.get(f"/api/panels/pages?{query}")
    assert answer.status_code == 400 and answer.json()["error"] and "Traceback" not in answer.text


def test_the_description_has_every_address(client: TestClient) -> None:
    document = client.get("/api/openapi.json").json()
    for endpoint in ENDPOINTS:
        operation = document["paths"][f"/api/{endpoint.path}"]["get"]
        described = {one["name"] for one in operation["parameters"] if one["in"] == "query"}
        assert described == endpoint.names
    json.dumps(document)


def test_metrics(client: TestClient) -> None:
    client.get("/api/nothing")
    text = client.get("/metrics").text
    assert 'logagg_http_answers_total{status="200"}' in text and 'logagg_http_answers_total{status="503"} 0.0' in text
    assert sorted(re.findall(r'(?m)^logagg_state\{state="\w+"\} (.*)$', text)) == ["0.0", "0.0", "1.0"]
    found = set(re.findall(r"(?m)^(logagg_\w+)", text))
    assert found == {one.name for one in METRICS if "serve" in one.shown_by}
