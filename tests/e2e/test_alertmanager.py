"""A real Alertmanager: what a tail sends arrives there, groups, resolves, and goes on to a webhook, whose JSON has the form of ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.conftest import ROOT, Command, wait_until
from tests.gearmand import free_port
from tests.units.alert.test_receivers import Web

PROGRAM = shutil.which("prometheus-alertmanager")
pytestmark = [
    pytest.mark.skipif(not PROGRAM and os.environ.get("CI") != "1", reason="needs prometheus-alertmanager"),
    pytest.mark.timeout(300),
]
PATIENCE = 120.0  # seconds
SCHEMA = json.loads((ROOT / "fixtures/alertmanager/webhook.json").read_text())
CONFIG = """
route:
  receiver: hook
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: hook
    webhook_configs:
      - url: {url}/from-alertmanager
        send_resolved: true
"""
ALERT = """
[[alert]]
name = "answers"
query = "SELECT site, sum(hits) FILTER (status = 500) / sum(hits) AS value FROM traffic GROUP BY site"
above = 0.5
severity = "page"
message = "{site}: {value:.0%%} failed"

[notify.manager]
kind = "alertmanager"
url = "%s"

[notify.direct]
kind = "webhook"
url = "%s/from-logagg"
"""


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    yield server
    server.close()


@pytest.fixture
def manager(tmp_path: Path, web: Web) -> Iterator[str]:
    """A running Alertmanager that forwards to the webhook; its address."""
    folder, port = tmp_path / "alertmanager", free_port()
    folder.mkdir()
    (folder / "config.yml").write_text(CONFIG.format(url=web.url))
    assert PROGRAM
    options = (f"--config.file={folder}/config.yml", f"--storage.path={folder}", "--cluster.listen-address=")
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            [PROGRAM, *options, f"--web.listen-address=127.0.0.1:{port}"], stdout=output, stderr=output, text=True
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(url), process)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url + "/-/ready", timeout=5):
            return True
    except OSError:
        return False


def alerts(url: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(url + "/api/v2/alerts", timeout=10) as answer:
        return json.loads(answer.read())


def lines(status: int, ago: int, count: int) -> str:
    """Return lines of the site's failures, of some seconds ago."""
    at = datetime.fromtimestamp(time.time() - ago, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'example.com 192.0.2.1 - - [{at}] "GET / HTTP/1.1" {status} 10 "-" "curl/8.5.0"\n' * count


def sent_to(web: Web, path: str) -> list[dict[str, Any]]:
    return [body for where, _, body in list(web.got) if where == path]


def has_both(web: Web, path: str) -> bool:
    return [one["status"] for one in sent_to(web, path)] == ["firing", "resolved"]


def test_an_alert_fires_and_resolves_there(logagg: Command, manager: str, web: Web) -> None:
    log = logagg.folder / "access.log"
    log.write_text(lines(500, ago=120, count=3) + lines(200, ago=60, count=1))
    (logagg.folder / "logagg.toml").write_text(ALERT % (manager, web.url))
    tail = logagg.start("tail", log, "--flush", "0.1")

    wait_until(lambda: len(alerts(manager)) == 1, tail)
    [firing] = alerts(manager)
    assert firing["labels"] == {"alertname": "answers", "severity": "page", "site": "example.com"}
    assert firing["annotations"] == {"summary": "example.com: 75% failed", "value": "0.75"}
    assert firing["status"]["state"] == "active"
    wait_until(lambda: bool(sent_to(web, "/from-alertmanager") and sent_to(web, "/from-logagg")), tail)

    with log.open("a") as file:
        file.write(lines(200, ago=1, count=9))
    wait_until(lambda: alerts(manager) == [], tail, PATIENCE)  # at the next whole minute
    for path in ("/from-alertmanager", "/from-logagg"):
        wait_until(partial(has_both, web, path), tail)
    tail.terminate()
    assert tail.wait(30) == 0
    for theirs, ours in zip(sent_to(web, "/from-alertmanager"), sent_to(web, "/from-logagg"), strict=True):
        compare(theirs, ours)


def compare(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """Compare the webhook of Alertmanager with ours: one schema, the same names, the same about the same alert."""
    for one in (theirs, ours):
        jsonschema.validate(one, SCHEMA)
    assert theirs.keys() == ours.keys()
    for name in (
        "version",
        "status",
        "truncatedAlerts",
        "groupLabels",
        "commonLabels",
        "commonAnnotations",
        "groupKey",
    ):
        assert theirs[name] == ours[name], name
    [alert], [ours_alert] = theirs["alerts"], ours["alerts"]
    assert alert.keys() == ours_alert.keys()
    for name in ("status", "labels", "annotations"):
        assert alert[name] == ours_alert[name], name
    assert moment(alert["startsAt"]) == moment(ours_alert["startsAt"])
    if ours["status"] == "resolved":
        assert moment(alert["endsAt"]) == moment(ours_alert["endsAt"])
    else:
        assert alert["endsAt"] == ours_alert["endsAt"] == "0001-01-01T00:00:00Z"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
