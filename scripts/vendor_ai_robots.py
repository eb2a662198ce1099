"""Renew `logagg/parse/events/ai_robots.tsv`: the AI crawlers and assistants of the AI Crawler Index.

Run it with the Python of .venv, and review the diff. The index is data of the package ai-crawler-index (CC0-1.0), which is
not a dependency: a list that decides what a lake says should change by a commit that a person has read.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

PACKAGE = "ai-crawler-index"
TARGET = Path(__file__).parents[1] / "logagg" / "parse" / "events" / "ai_robots.tsv"
CLASSES = {
    "ai-training": "ai crawler",
    "ai-search": "ai crawler",
    "dataset": "ai crawler",
    "user-fetch": "ai assistant",
}
# What the index has for the sake of robots.txt: they fetch for people, but no model reads what they fetch.
NOT_AI = {"YandexCalendar", "Google-Read-Aloud", "Google-Pinpoint", "Linguee Bot"}
TOKEN = re.compile(r"[\w.-]+(?: [\w.-]+)*")  # others stand for a robots.txt rule that no agent sends


def downloaded() -> dict[str, Any]:
    """Return the data of the newest release."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, PACKAGE], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as files:
            data: dict[str, Any] = json.loads(files.read(f"{PACKAGE.replace('-', '_')}/data.json"))
    return data


def main() -> None:
    data = downloaded()
    assert data["license"]["data"] == "CC0-1.0", data["license"]
    rows = [
        (one["ua"], CLASSES[one["category"]])
        for one in data["crawlers"]
        if one["category"] in CLASSES and TOKEN.fullmatch(one["ua"]) and one["name"] not in NOT_AI
    ]
    head = [
        f"# AI crawlers and assistants, by the word in their agents. Made by scripts/{Path(__file__).name}.",
        f"# AI Crawler Index ({PACKAGE} {data['version']}, {data['generated_at'][:10]}), data under CC0-1.0.",
    ]
    TARGET.write_text(
        "\n".join([*head, *("\t".join(row) for row in sorted(rows, key=lambda row: row[0].lower()))]) + "\n"
    )


if __name__ == "__main__":
    main()
