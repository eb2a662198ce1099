"""Client hints: what they add to a reduced agent, and what they must not change."""

from __future__ import annotations

import pyarrow as pa
import pytest

from logagg.columnar.encoded import EncodedText
from logagg.parse.events.agents import describe
from logagg.parse.events.hints import refined

WINDOWS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36"
)
LINUX = WINDOWS.replace("Windows NT 10.0; Win64; x64", "X11; Linux x86_64")
PHONE = WINDOWS.replace("Windows NT 10.0; Win64; x64", "Linux; Android 10; K").replace("Safari", "Mobile Safari")
FULL = WINDOWS.replace("138.0.0.0", "90.0.4430.93")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"
TV = "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/108.0.0.0 Safari/537.36 WebAppManager"


def brands(*names: str) -> str:
    return ", ".join(f'"{name}";v="138"' for name in names)


def told(agent: str, names: str = "", platform: str = "", mobile: str = "") -> tuple[str, str, str]:
    texts = {"brands": names, "platform": platform, "mobile": mobile}
    hints = {name: EncodedText.constant(1, value) for name, value in texts.items()}
    agents = EncodedText.constant(1, agent)
    codes, facts = refined(agents, describe(agents.values), hints)
    [row] = facts.take(pa.array(codes)).to_pylist()
    return row["browser"], row["os"], row["device"]


@pytest.mark.parametrize(
    "grease", ["Not)A;Brand", "Not/A)Brand", " Not A;Brand", "Not_A Brand", "Not?A_Brand", "Not.A/Brand"]
)
def test_made_up_brands(grease: str) -> None:
    assert told(WINDOWS, brands(grease, "Chromium", "Brave"), '"Windows"', "?0") == ("Brave", "Windows", "desktop")
    assert told(WINDOWS, brands("Chromium", grease)) == ("Chrome", "Windows", "desktop")


@pytest.mark.parametrize(
    ("agent", "said", "found"),
    [
        (WINDOWS, (brands("Google Chrome", "Chromium"), '"Windows"', "?0"), ("Chrome", "Windows", "desktop")),
        (WINDOWS, (brands("Microsoft Edge", "Chromium"), "", ""), ("Edge", "Windows", "desktop")),
        (PHONE, (brands("Microsoft Edge", "Chromium"), '"Android"', "?1"), ("Edge Mobile", "Android", "mobile")),
        (LINUX, (brands("Google Chrome"), '"Android"', "?0"), ("Chrome Mobile", "Android", "tablet")),
        (LINUX, ("", '"Chrome OS"', "?0"), ("Chrome", "Chrome OS", "desktop")),
        (LINUX, ("", '"macOS"', ""), ("Chrome", "Mac OS X", "desktop")),
        (LINUX, ("", '"Unknown"', ""), ("Chrome", "Linux", "desktop")),
        (WINDOWS, ("", "", ""), ("Chrome", "Windows", "desktop")),
        (WINDOWS, ("nonsense", "<script>", "?2"), ("Chrome", "Windows", "desktop")),
        (FULL, (brands("Brave"), '"Android"', "?1"), ("Chrome", "Windows", "desktop")),
        (FIREFOX, (brands("Brave"), '"Android"', "?1"), ("Firefox", "Linux", "desktop")),
    ],
)
def test_hints(agent: str, said: tuple[str, str, str], found: tuple[str, str, str]) -> None:
    assert told(agent, *said) == found


def test_a_television_stays_one() -> None:
    assert told(TV, brands("Chromium"), '"Linux"', "?0")[2] == told(TV)[2]


def test_robots_stay_robots() -> None:
    agent = "Mozilla/5.0 (compatible; GPTBot/1.2) Chrome/138.0.0.0 Safari/537.36"
    assert told(agent, brands("Brave"), '"Android"', "?1") == told(agent)


def test_hints_of_some_rows() -> None:
    agents = EncodedText.of(pa.chunked_array([pa.array([WINDOWS, LINUX, WINDOWS, WINDOWS]).dictionary_encode()]))
    said = pa.array([brands("Brave"), "", "", brands("Brave")]).dictionary_encode()
    codes, facts = refined(agents, describe(agents.values), {"brands": EncodedText.of(pa.chunked_array([said]))})
    assert facts.take(pa.array(codes))["browser"].to_pylist() == ["Brave", "Chrome", "Chrome", "Brave"]
    assert facts.num_rows == 3
