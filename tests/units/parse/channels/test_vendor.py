"""The script that renews the lists, on samples of the two repositories."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import ROOT

ENGINES = """
Google:
  -
    urls:
      - google.com
      - 'google.{}'
      - 'google.{}/imgres'
      - www2.google.com
    params: [q]
    hiddenkeyword: ['/^$/']
  -
    urls:
      - www.cnn.com
      - search.example.com
      - www.google.com
    params: [query]
Portal:
  - urls: [www.portal.example]
    params: [q]
Ask:
  - urls: ['images.{}.search.ask.com', '{}.search.ask.com']
    params: [q]
"""
SOCIALS = (
    "Google%2B:\n  - plus.google.com\nTelegram:\n  - android-app://org.telegram.messenger\n  - web.telegram.org \n"
)
ASSISTANTS = "Grok:\n  - grok.com\n  - x.com/i/grok\nNone:\n  - x.com/i\n"


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vendor_channels", ROOT / "scripts/vendor_channels.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def committed(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, "utf-8")
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "a", "--date", "2026-03-02T00:00:00"], check=True)


def test_lists_are_made(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed(
        tmp_path / "searchengine-and-social-list",
        SearchEngines__yml=ENGINES,
        Socials__yml=SOCIALS,
        AIAssistants__yml=ASSISTANTS,
    )
    committed(
        tmp_path / "referrer-spam-list", spammers__txt="b.example\n! dead: c.example\n\nA.example\nwww.b.example\n"
    )
    monkeypatch.setattr(script, "ORIGIN", f"file://{tmp_path}")
    monkeypatch.setattr(script, "TARGET", tmp_path)
    script.main()
    head, *rows = (tmp_path / "sources.tsv").read_text("utf-8").splitlines()
    assert head.startswith("# Made by scripts/vendor_channels.py. Matomo's searchengine-and-social-list ")
    assert head.endswith(", CC0-1.0.")
    assert rows == [
        "search\tGoogle\tgoogle.com google.{} www2.google.com search.example.com",
        "search\tAsk\t{}.search.ask.com",
        "social\tGoogle+\tplus.google.com",
        "social\tTelegram\torg.telegram.messenger web.telegram.org",
        "ai\tGrok\tgrok.com",
    ]
    head, *rows = (tmp_path / "spam.tsv").read_text("utf-8").splitlines()
    assert head.endswith(", public domain.")
    assert rows == ["a.example", "b.example"]
