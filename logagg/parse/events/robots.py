"""Robots among user agents: the reason why an agent is a robot's, the robot's name, and its class.

Two open lists name robots: the AI Crawler Index (`ai_robots.tsv`, CC0), which tells crawlers from assistants, and
crawler-user-agents (MIT, released monthly), whose tags are the classes of all others. An agent that neither knows may call
itself a robot, or give a page or an address as contact; then its own words are its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from ua_parser import Domain, UserAgent
from ua_parser.core import Matcher
from ua_parser.lazy import UserAgentMatcher
from ua_parser.regex import Resolver

NAMED, UNLIKELY, MISSING, HOSTED, AHEAD = REASONS = ("name", "unlikely agent", "no agent", "network", "prefetch")
# In Sec-Purpose, Purpose, X-Purpose or X-Moz: the browser requests a page before its user opens it.
ASKED_AHEAD = r"(?i)prefetch|prerender|preview"

OTHER = "other"
# By the tags of crawler-user-agents; of several tags the first here decides.
_CLASSES = {
    "ai-crawler": "ai crawler",
    "search-engine": "search",
    "social-preview": "preview",
    "feed-reader": "feed",
    "advertising": "advertising",
    "seo": "seo",
    "monitoring": "monitoring",
    "archiver": "archive",
    "academic": "research",
    "scanner": "scanner",
    "browser-automation": "automation",
    "http-library": "library",
}
AI_CRAWLER, AI_ASSISTANT = "ai crawler", "ai assistant"
CLASSES = (*dict.fromkeys([AI_CRAWLER, AI_ASSISTANT, *_CLASSES.values()]), OTHER)

# Agents that call themselves robots, or give a robot's page as contact, and the class that this makes likely.
_DECLARED = (
    (r"(?i:\bmonitoring|uptime|link.?check|validator)", "monitoring"),
    (r"(?i:scanner)", "scanner"),
    (r"(?i:headless|phantomjs)", "automation"),
    (r"(?i:(?:^|[^u])bot(?:[^a-z]|$))", OTHER),  # not the telephones of Cubot
    (r"(?i:crawl|spider|scrap(?:er|y|ing))", OTHER),
    (r"(?i:https?://)", OTHER),
    (r"(?i:[a-z]@[a-z0-9-]+\.[a-z])", OTHER),
)
# The name that an unknown robot gives itself: the word with the mark of one, what a browser would be compatible with, the
# product that an agent begins with.
_OWN_NAMES = (
    re.compile(r"(?i)([a-z][\w.-]*?(?:bot|crawler|spider|scraper|monitor|scanner)[\w-]*)"),
    re.compile(r"(?i)compatible; *([a-z][\w. -]*?) *(?:[/;,)(+]|$)"),
    re.compile(r"(?!(?i:mozilla|opera)\b)([A-Za-z][\w.-]*)"),
)
_LONGEST_NAME = 64  # characters: an unknown robot chooses its name itself


class Robot(NamedTuple):
    """A robot: its name, as far as its agent tells, its class, and why it is taken for one."""

    name: str
    kind: str
    reason: str


NOT_A_ROBOT = Robot("", "", "")  # a person


class Robots:
    """Recognises robots by their agents; an engine with linear time runs the patterns, as clients choose the text."""

    def __init__(self) -> None:
        self._listed = [*_ai_robots(), *_crawlers()]
        patterns = [*(pattern for pattern, _ in self._listed), *(pattern for pattern, _ in _DECLARED)]
        matchers: list[Matcher[UserAgent]] = [
            UserAgentMatcher(pattern, str(number)) for number, pattern in enumerate(patterns)
        ]
        self._engine = Resolver((matchers, [], []))

    def find(self, agent: str, *, is_valid: bool) -> Robot:
        """Return the robot of an agent; `is_valid` says whether the agent is one of a browser or of a person's device."""
        if not agent:
            return Robot("", OTHER, MISSING)
        if (found := self._engine(agent, Domain.USER_AGENT).user_agent) is not None:
            number = int(found.family)
            if number < len(self._listed):
                return _more_exactly(self._listed[number][1], agent)
            return Robot(_own_name(agent), _DECLARED[number - len(self._listed)][1], NAMED)
        return NOT_A_ROBOT if is_valid else Robot(_own_name(agent, _OWN_NAMES[2:]), OTHER, UNLIKELY)


def _ai_robots() -> Iterator[tuple[str, Robot]]:
    """Yield the AI crawlers and assistants: a pattern, and the robot. A longer name comes first: it may contain another."""
    text = Path(__file__).with_name("ai_robots.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    for name, kind in sorted(rows, key=lambda row: -len(row[0])):
        # Rust has no look-around; a word within another one does not count.
        yield rf"(?i:(?:^|[^a-z0-9])(?:{re.escape(name)})(?:[^a-z0-9]|$))", Robot(name, kind, NAMED)


def _crawlers() -> Iterator[tuple[str, Robot]]:
    for entry in CRAWLER_USER_AGENTS_DATA:
        name = _name_in(entry["pattern"])
        yield entry["pattern"], Robot(name, _class_of(name, entry.get("tags", ())), NAMED)


def _class_of(name: str, tags: Iterable[str]) -> str:
    found = next((kind for tag, kind in _CLASSES.items() if tag in tags), OTHER)
    # The list has one tag for both; assistants call themselves after the user for whom they fetch.
    return AI_ASSISTANT if found == AI_CRAWLER and name.endswith("User") else found


def _name_in(pattern: str) -> str:
    r"""Return the name that a pattern of the list looks for: Wget of `[wW]get`, Googlebot of `Googlebot\/`."""
    name = re.split(r"\[\\s\\S\]| \\\(", pattern)[0]  # up to a gap or a parenthesis
    name = re.sub(r"(?<!\\)\((?![?])(?:\^\|)?([^|()]*)[^()]*(?<!\\)\)", r"\1", name)  # a choice: the first of it
    name = name.split("|")[0]
    name = re.sub(r"\[\^[^\]]*\]|\\d[+*]?|\^|\$", "", name)
    name = re.sub(r"\[(.)[^\]]*\]", lambda found: found[0][1:-1].upper()[0], name)  # in either case: the capital
    return re.sub(r"\\(.)", r"\1", name).strip(" /;:()_-+.,!")


def _more_exactly(robot: Robot, agent: str) -> Robot:
    """Return a robot of the list, by the name that its agent says if the list has an address for it: yandex.com/bots."""
    return robot._replace(name=_own_name(agent) or robot.name) if "/" in robot.name else robot


def _own_name(agent: str, patterns: Iterable[re.Pattern[str]] = _OWN_NAMES) -> str:
    for pattern in patterns:
        found = pattern.match(agent) if pattern is _OWN_NAMES[-1] else pattern.search(agent)
        if found:
            return found[1][:_LONGEST_NAME]
    return ""
