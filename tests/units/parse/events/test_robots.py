"""Robots: names, classes, and why an agent is one's."""

from __future__ import annotations

from functools import cache

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from logagg.parse.events.robots import CLASSES, NOT_A_ROBOT, REASONS, Robot, Robots, _ai_robots, _name_in

KHTML = "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible"


@cache
def robots() -> Robots:
    return Robots()


@pytest.mark.parametrize(
    ("agent", "robot"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", ("Googlebot", "search", "name")),
        ("Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", ("YandexBot", "search", "name")),
        (f"{KHTML}; GPTBot/1.2; +https://openai.com/gptbot)", ("GPTBot", "ai crawler", "name")),
        (f"{KHTML}; OAI-SearchBot/1.0; +https://openai.com/searchbot)", ("OAI-SearchBot", "ai crawler", "name")),
        (f"{KHTML}; ChatGPT-User/1.0; +https://openai.com/bot)", ("ChatGPT-User", "ai assistant", "name")),
        (f"{KHTML}; Claude-User/1.0; +Claude-User@anthropic.com)", ("Claude-User", "ai assistant", "name")),
        (f"{KHTML}; Amzn-User/0.1)", ("Amzn-User", "ai assistant", "name")),
        (
            "meta-externalfetcher/1.1 (+https://developers.facebook.com/)",
            ("meta-externalfetcher", "ai assistant", "name"),
        ),
        ("CCBot/2.0 (https://commoncrawl.org/faq/)", ("CCBot", "ai crawler", "name")),
        ("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", ("AhrefsBot", "seo", "name")),
        ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", ("Slackbot", "preview", "name")),
        ("curl/8.5.0", ("curl", "library", "name")),
        ("python-requests/2.31", ("python-requests", "library", "name")),
        ("Uptime-Kuma/1.23.13", ("Uptime-Kuma", "monitoring", "name")),
        ("Mozilla/5.0 (X11; Linux) HeadlessChrome/120.0 Safari/537.36", ("HeadlessChrome", "automation", "name")),
        ("Mozilla/5.0 (Windows NT 10.0) SomeBot 1.0", ("SomeBot", "other", "name")),
        ("Mozilla/5.0 (compatible; Odd Thing/1.0; +https://example.com)", ("Odd Thing", "other", "name")),
        ("NiceTool (mail me@example.com)", ("NiceTool", "other", "name")),
        ("Mozilla/5.0 (see https://example.com/)", ("", "other", "name")),
    ],
)
def test_declared_robots(agent: str, robot: tuple[str, str, str]) -> None:
    assert robots().find(agent, is_valid=True) == robot


def test_undeclared_robots() -> None:
    assert robots().find("", is_valid=False) == Robot("", "other", "no agent")
    assert robots().find("Mozilla/5.0", is_valid=False) == Robot("", "other", "unlikely agent")
    assert robots().find("MyProgram/1.0", is_valid=False) == Robot("MyProgram", "other", "unlikely agent")
    assert robots().find("MyProgram/1.0", is_valid=True) == NOT_A_ROBOT


@pytest.mark.parametrize("word", ["yakuza", "Kayak", "cubot"])
def test_words_that_contain_a_name(word: str) -> None:
    agent = f"Mozilla/5.0 (Linux; Android 10; {word}) Chrome/138.0.0.0 Safari/537.36"
    assert robots().find(agent, is_valid=True) == NOT_A_ROBOT


def test_a_name_is_bounded() -> None:
    assert len(robots().find("a" * 500 + "bot", is_valid=True).name) <= 64


def test_every_robot_of_the_lists_has_a_name_and_a_class() -> None:
    for entry in CRAWLER_USER_AGENTS_DATA:
        name = _name_in(entry["pattern"])
        assert name and not set(name) & set("\\[]()^$*|"), entry["pattern"]
        for agent in entry["instances"]:
            found = robots().find(agent[:512], is_valid=True)
            assert len(agent) > 512 or (found.name and found.kind in CLASSES and found.reason in REASONS), agent
    for _, robot in _ai_robots():
        assert robots().find(f"{robot.name}/1.0", is_valid=True) == robot
