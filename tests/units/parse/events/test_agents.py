"""User agents: families, device classes, robots, and a bounded memory."""

from __future__ import annotations

import pyarrow as pa
import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from logagg.parse.events.agents import DEVICES, LENGTH, Agents, describe

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/120.0.0.0 Safari/537.36"
SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1"

PEOPLE = [
    (CHROME, "Chrome", "Windows", "desktop"),
    (CHROME + " Edg/120.0", "Edge", "Windows", "desktop"),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0", "Firefox", "Linux", "desktop"),
    (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/120.0 Safari/537.36", "Chrome", "Chrome OS", "desktop"),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/17.0 Safari/605.1.15",
        "Safari",
        "Mac OS X",
        "desktop",
    ),
    (f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) {SAFARI}", "Mobile Safari", "iOS", "mobile"),
    (f"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) {SAFARI}", "Mobile Safari", "iOS", "tablet"),
    (
        f"Mozilla/5.0 (Linux; Android 14; SM-S911B) {WEBKIT} Chrome/120.0.0.0 Mobile Safari/537.36",
        "Chrome Mobile",
        "Android",
        "mobile",
    ),
    (
        f"Mozilla/5.0 (Linux; Android 13; SM-X700) {WEBKIT} Chrome/120.0.0.0 Safari/537.36",
        "Chrome",
        "Android",
        "tablet",
    ),
    (
        f"Mozilla/5.0 (Linux; Android 11; CUBOT X50) {WEBKIT} Chrome/120.0.0.0 Mobile Safari/537.36",
        "Chrome Mobile",
        "Android",
        "mobile",
    ),
    (
        "Mozilla/5.0 (SMART-TV; Linux; Tizen 5.0) AppleWebKit/538.1 (KHTML, like Gecko) Version/5.0 TV Safari/538.1",
        "Safari",
        "Tizen",
        "tv",
    ),
    ("Dalvik/2.1.0 (Linux; U; Android 9; Pixel 3 Mobile)", "Android", "Android", "mobile"),
]

ROBOTS = [
    "",
    "-",
    "x",
    "Mozilla/5.0",
    "Mozilla/4.0",
    "curl/8.1.2",
    "Wget/1.21 (linux-gnu)",
    "python-requests/2.31",
    "Go-http-client/1.1",
    "Java/1.8.0_191",
    "PostmanRuntime/7.3",
    "ApacheBench/2.3",
    "kube-probe/1.28",
    "check_http/v2.3",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/120.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0) SomeBot 1.0",
    "Mozilla/5.0 (X11; see https://example.com/about)",
]


PERSON = {"robot": "", "robot_class": "", "bot_reason": "", "is_bot": False}


def facts(agent: str | None) -> dict[str, object]:
    found: dict[str, object] = describe(pa.array([agent], pa.string())).to_pylist()[0]
    return found


@pytest.mark.parametrize(("agent", "browser", "os", "device"), PEOPLE)
def test_people(agent: str, browser: str, os: str, device: str) -> None:
    assert facts(agent) == {"browser": browser, "os": os, "device": device, **PERSON}


@pytest.mark.parametrize("agent", ROBOTS)
def test_robots(agent: str) -> None:
    found = facts(agent)
    assert (found["is_bot"], found["device"]) == (True, "bot")


def test_every_robot_of_the_list_is_recognised() -> None:
    instances = [agent for entry in CRAWLER_USER_AGENTS_DATA for agent in entry.get("instances", [])]
    found = describe(pa.array(instances))
    missed = [agent for agent, is_bot in zip(instances, found["is_bot"].to_pylist(), strict=True) if not is_bot]
    assert [agent for agent in missed if len(agent) <= LENGTH] == []


def test_a_log_without_agents_has_no_robots() -> None:
    assert facts(None) == {"browser": "", "os": "", "device": "", **PERSON}


def test_answers_are_aligned_with_the_agents() -> None:
    found = describe(pa.array([CHROME, None, "", CHROME, "curl/8"], pa.string()))
    assert found["is_bot"].to_pylist() == [False, False, True, False, True]
    assert found["browser"].to_pylist() == ["Chrome", "", "other", "Chrome", "curl"]
    assert found["browser"].num_chunks == 1
    assert describe(pa.array([], pa.string())).num_rows == 0


def test_devices_are_of_the_known_classes() -> None:
    instances = [agent for entry in CRAWLER_USER_AGENTS_DATA for agent in entry.get("instances", [])]
    people = [agent for agent, *_ in PEOPLE]
    assert set(describe(pa.array(instances + people))["device"].to_pylist()) <= set(DEVICES)


def test_memory_is_bounded_and_keeps_the_latest_used() -> None:
    agents = Agents(limit=3)
    for number in range(10):
        agents.describe(pa.array([CHROME, f"curl/{number}"]))
        assert len(agents) <= 3
    assert CHROME in agents._known
    assert "curl/8" in agents._known and "curl/7" not in agents._known


def test_more_agents_at_once_than_are_cached() -> None:
    found = Agents(limit=2).describe(pa.array([f"curl/{number}" for number in range(9)]))
    assert found["is_bot"].to_pylist() == [True] * 9


def test_long_and_odd_agents_are_classified() -> None:
    odd = [CHROME + "(" * 100_000, "a" * 1_000_000, "\x00\n\t", "\ufffd" * 600, "Mozilla/5.0 (" + "0." * 5000 + "bot"]
    assert describe(pa.array(odd)).num_rows == len(odd)
