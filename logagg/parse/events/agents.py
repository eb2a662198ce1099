"""User agents -> browser, operating system, device class, and whether it is a robot, which one, and why.

Families come from ua-parser (the uap-core rules) on its Rust engine, robots from open lists (`robots`) run by the same
engine. It prefilters its 1,600 patterns and takes time linear in the length of the text, even if a client chose it: 71,000
new agents a second, 1.5 million remembered ones.

Robots are recognised in two passes, as the IAB's list is meant to be used: first, any agent that is not a valid browser
(an empty agent, curl, a library, a bare `Mozilla/5.0`); then any agent on the list of robots. In a log without user
agents no request counts as a robot's.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import cache
from threading import Lock
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from ua_parser import Domain
from ua_parser.loaders import load_lazy_builtins
from ua_parser.regex import Resolver

from logagg.parse.events.robots import Robot, Robots

LENGTH = 512  # characters of an agent that are looked at
REMEMBERED = 50_000  # distinct agents kept between chunks

UNKNOWN = "other"
DEVICES = ("desktop", "mobile", "tablet", "tv", "console", "bot", UNKNOWN)

# A browser describes its system in parentheses; other programs on people's devices name a known system.
BROWSER = re.compile(r"(?:Mozilla|Opera)/[0-9.]+ \(")
PEOPLES_SYSTEMS = frozenset(
    {"Android", "iOS", "iPadOS", "tvOS", "ATV OS X", "watchOS", "Windows Phone", "BlackBerry OS"}
)

# Device classes by RE2 patterns, the first that matches, over the operating system, a newline and the agent.
_DEVICE_PATTERNS = (
    ("tv", r"(?i)smart-?tv|(?:apple|google|android) ?tv|hbbtv|\btv\b|\baft[a-z]{1,4}\b|roku|bravia|web0s|crkey"),
    ("tv", r"\A(?:tvOS|ATV OS X)\n"),
    ("console", r"(?i)playstation|xbox|nintendo"),
    ("tablet", r"(?i)ipad|tablet|playbook|kindle|\bsilk/"),
    ("mobile", r"(?i)mobi|iphone|ipod|\bphone\b|symbian|blackberry|\bj2me\b|midp|kaios"),
    ("mobile", r"\A(?:iOS|watchOS)\n"),
    ("tablet", r"\AAndroid\n"),  # an Android that does not call itself mobile
    ("desktop", r"\A(?:Windows|Mac OS X|Linux|Chrome OS|FreeBSD|OpenBSD|NetBSD|Solaris)\b"),
    ("desktop", r"\A(?:Ubuntu|Debian|Fedora|Red Hat|SUSE|Gentoo|Mint)\b"),
)


class Facts(NamedTuple):
    """The properties of one agent."""

    browser: str
    os: str
    device: str
    robot: str
    robot_class: str
    bot_reason: str
    is_bot: bool


NOTHING = Facts("", "", "", "", "", "", is_bot=False)  # for a log without user agents

TEXTS = ("browser", "os", "device", "robot", "robot_class", "bot_reason")
SCHEMA = pa.schema([*((name, pa.string()) for name in TEXTS), ("is_bot", pa.bool_())])


def describe(agents: pa.StringArray) -> pa.Table:
    """Return the properties (`SCHEMA`) of each agent, aligned; give it distinct values.

    Null (the log does not have the field) gives empty texts and no robot; an empty agent (the client sent none), a robot.
    """
    return _shared().describe(agents)


def prepare() -> None:
    """Compile the patterns ahead of their first use, since that is slow."""
    _shared()


_making = Lock()


@cache
def _made() -> Agents:
    return Agents()


def _shared() -> Agents:
    with _making:
        return _made()


class Agents:
    """Recognises agents, and caches the `limit` most recently used. Thread-safe."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._known: OrderedDict[str, Facts] = OrderedDict()
        self._lock = Lock()
        # Lazy, since the Rust engine compiles the patterns itself; its patterns of devices are not used.
        browsers, systems, _ = load_lazy_builtins()
        self._families = Resolver((browsers, systems, []))
        self._robots = Robots()

    def __len__(self) -> int:
        return len(self._known)

    def describe(self, agents: pa.StringArray) -> pa.Table:
        """Return the properties of each agent; only agents that are not cached are parsed."""
        texts: list[str | None] = pc.utf8_slice_codeunits(agents, 0, LENGTH).to_pylist()
        distinct = [text for text in dict.fromkeys(texts) if text is not None]
        facts = self._recall(distinct)
        fresh = [text for text in distinct if text not in facts]
        found = dict(zip(fresh, self._look(fresh), strict=True))
        self._remember(found)
        facts |= found
        return _as_table([NOTHING if text is None else facts[text] for text in texts])

    def _recall(self, texts: Iterable[str]) -> dict[str, Facts]:
        with self._lock:
            known = {text: self._known[text] for text in texts if text in self._known}
            for text in known:
                self._known.move_to_end(text)
        return known

    def _remember(self, found: dict[str, Facts]) -> None:
        with self._lock:
            self._known.update(found)
            while len(self._known) > self._limit:
                self._known.popitem(last=False)

    def _look(self, agents: list[str]) -> list[Facts]:
        if not agents:
            return []
        families = [self._family(agent) for agent in agents]
        devices = _device_classes(agents, [os for _, os in families])
        robots = [self._robot(agent, os) for agent, (_, os) in zip(agents, families, strict=True)]
        return [
            Facts(browser, os, "bot" if robot.reason else device, *robot, bool(robot.reason))
            for (browser, os), device, robot in zip(families, devices, robots, strict=True)
        ]

    def _family(self, agent: str) -> tuple[str, str]:
        """Return the families of browser and operating system."""
        result = self._families(agent, Domain.USER_AGENT | Domain.OS)
        browser = result.user_agent.family if result.user_agent else UNKNOWN
        return browser, result.os.family if result.os else UNKNOWN

    def _robot(self, agent: str, os: str) -> Robot:
        return self._robots.find(agent, is_valid=BROWSER.match(agent) is not None or os in PEOPLES_SYSTEMS)


def _device_classes(agents: Sequence[str], systems: Sequence[str]) -> list[str]:
    """Return the device class of each agent that is not a robot."""
    texts = pa.array([f"{os}\n{agent}" for agent, os in zip(agents, systems, strict=True)], pa.string())
    classes = pa.array([UNKNOWN] * len(texts), pa.string())
    for device, pattern in reversed(_DEVICE_PATTERNS):
        classes = pc.if_else(pc.match_substring_regex(texts, pattern), device, classes)
    found: list[str] = classes.to_pylist()
    return found


def _as_table(facts: Sequence[Facts]) -> pa.Table:
    columns = zip(*facts, strict=True) if facts else [[] for _ in SCHEMA]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
