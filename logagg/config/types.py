"""The types of settings: text or TOML -> a value, or a ValueError that says what to write instead."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import field
from ipaddress import ip_network
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DURATIONS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 365 * 86_400}  # in seconds
_NUMBER, _UNIT = r"\d+(?:\.\d+)?", "ms|s|m|h|d|w|y"
_AMOUNT = re.compile(rf"({_NUMBER})\s*({_UNIT})?", re.ASCII)
_DURATION = re.compile(rf"{_NUMBER}|(?:{_NUMBER}\s*(?:{_UNIT})\s*)+", re.ASCII)  # a number alone is seconds
LONGEST = 100 * DURATIONS["y"]  # seconds; thread waits fail from about three times this
LARGEST, LARGEST_LINE = 1 << 50, 1 << 30  # bytes; a line is read into memory
MOST = 1_000_000_000
LEAST_MEMORY = 640 << 20  # bytes
LEAST_QUERY_MEMORY = 64 << 20  # bytes
SIZES = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}  # "MB" and "MiB" are the same: 1024²


def duration(value: object) -> float:
    """Return seconds from "500ms", "30s", "1h30m", "30d", "1y" or a number of seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LONGEST:
        return float(value)
    text = str(value).strip().lower()
    if not _DURATION.fullmatch(text):
        raise ValueError('write a duration such as "30s", "15m", "1h30m", "90d" or "1y"')
    if (seconds := sum(float(number) * DURATIONS[unit or "s"] for number, unit in _AMOUNT.findall(text))) > LONGEST:
        raise ValueError('write a duration of up to "100y"')
    return seconds


def zone(value: object) -> str:
    """Return the name of a time zone, or "" for none; ValueError says what to write."""
    try:
        return ZoneInfo(str(value)).key if value else ""
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError('write a time zone such as "UTC" or "Europe/Berlin"') from None


def retention(value: object) -> float | None:
    """Return seconds, or None for "forever"."""
    if str(value).lower() == "forever":
        return None
    try:
        return duration(value)
    except ValueError:
        raise ValueError('write a duration such as "90d" or "2y", or "forever"') from None


def _rotation(value: object) -> float | None:
    if str(value).lower() == "never":
        return None
    try:
        seconds = duration(value)
    except ValueError:
        seconds = 0.0
    if seconds < 3600 or seconds % 60:
        raise ValueError('write a duration of an hour or more such as "1d", or "never"')
    return seconds


def _up_to(largest: int) -> Callable[[object], int]:
    def converted(value: object) -> int:
        if (bits := _count(value)) > largest:
            raise ValueError(f"write a number of bits from 0 to {largest}")
        return bits

    return converted


def size(value: object) -> int:
    """Return bytes from "512MB", "64KiB" or a number of bytes; ValueError says what to write."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", str(value).lower(), re.ASCII)
    if isinstance(value, bool) or not found:
        raise ValueError('write a size such as "64KB", "8MB" or "1GB"')
    if (result := float(found[1]) * SIZES[found[2]]) > LARGEST:
        raise ValueError('write a size of up to "1024TB"')
    return int(result)


def _line(value: object) -> int:
    if not 0 < (result := size(value)) <= LARGEST_LINE:
        raise ValueError('write a size above zero, and up to "1GB"')
    return result


def _memory(value: object) -> int:
    if (result := size(value)) < LEAST_MEMORY:
        raise ValueError('write "640MB" or more (below that the limit cannot be guaranteed for arbitrary logs)')
    return result


def _query_memory(value: object) -> int:
    if (result := size(value)) < LEAST_QUERY_MEMORY:
        raise ValueError('write "64MB" or more')
    return result


def text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("write a text in quotes")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("write true or false")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("write a whole number, zero or more")
    if value > MOST:
        raise ValueError(f"write a whole number of up to {MOST:,}")
    return value


def _positive(convert: Callable[[object], Any]) -> Callable[[object], Any]:
    def converted(value: object) -> Any:
        if not (result := convert(value)) > 0:
            raise ValueError("write something above zero")
        return result

    return converted


def texts(value: object) -> tuple[str, ...]:
    """Return a tuple of texts from one text or a list of them."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple) or not all(isinstance(one, str) and one for one in values):
        raise ValueError('write a text in quotes, or a list of them such as ["a", "b"]')
    return tuple(values)


def _path(value: object) -> str:
    if (path := text(value)) == "-":
        raise ValueError("write the path of a directory")
    return path


def _paths(value: object) -> tuple[str, ...]:
    if "-" in (paths := texts(value)):
        raise ValueError("write paths of files or directories, or globs")
    return paths


def _extensions(value: object) -> tuple[str, ...]:
    return tuple(one.lower().removeprefix(".") for one in texts(value))


def _parameters(value: object) -> tuple[str, ...]:
    names = texts(value)
    if any(re.search(r"[=&\s]", one) for one in names) or len(names) > 100:
        raise ValueError('write names of query parameters, such as ["utm_source"]')
    return names


def one_of(*choices: str) -> Callable[[object], str]:
    def chosen(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"write one of {', '.join(json.dumps(choice) for choice in choices)}")
        return value

    return chosen


def some_of(*choices: str) -> Callable[[object], tuple[str, ...]]:
    choose = one_of(*choices)

    def chosen(value: object) -> tuple[str, ...]:
        return tuple(map(choose, texts(value)))

    return chosen


def _networks(value: object) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(one, strict=False)) for one in texts(value))
    except ValueError:
        raise ValueError('write a list of networks such as ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]') from None


def _flag_word(text: str) -> object:
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text.lower(), text)


def words(text: str) -> list[str]:
    """Return the words of a text from the environment, between commas or spaces."""
    return text.replace(",", " ").split()


class SettingType(NamedTuple):
    """The type of a setting."""

    convert: Callable[
        [object], Any
    ]  # a value of the file -> the value of the field; raises ValueError, which says what to write
    read: Callable[[str], object] = str  # text of the environment -> a value of the file
    is_path: bool = False  # a relative one begins at the folder of its file


TEXT = SettingType(text)
FLAG = SettingType(_flag, _flag_word)
COUNT = SettingType(_count, lambda text: int(text) if text.isdecimal() and len(text) < 20 else text)
LIMIT = SettingType(_positive(_count), COUNT.read)
DURATION = SettingType(duration)
ZONE = SettingType(zone)
INTERVAL = SettingType(_positive(duration))
SIZE = SettingType(_positive(size))
LINE = SettingType(_line)
MEMORY = SettingType(_memory)
QUERY_MEMORY = SettingType(_query_memory)
RETENTION = SettingType(retention)
ROTATION = SettingType(_rotation)
IPV4_BITS, IPV6_BITS = SettingType(_up_to(32), COUNT.read), SettingType(_up_to(128), COUNT.read)
TEXT_LIST = SettingType(texts, lambda text: [one for one in text.split(":") if one])
WORDS = SettingType(texts, words)
PATH = SettingType(_path, is_path=True)
PATH_LIST = SettingType(_paths, TEXT_LIST.read, is_path=True)
NETWORKS = SettingType(_networks, words)
PARAMETER_LIST = SettingType(_parameters, words)
EXTENSION_LIST = SettingType(_extensions, words)


def setting(written: object, kind: SettingType, meaning: str, key: str = "", variable: str = "") -> Any:
    """Declare one setting: its default as written in the file, its type and its help; a name or a variable of its own."""
    metadata = {"written": written, "kind": kind, "help": meaning, "key": key, "variable": variable}
    return field(default=kind.convert(written), metadata=metadata)
