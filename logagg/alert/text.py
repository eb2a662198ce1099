"""The text of a message: columns of a row in the places that the template has for them.

Values come from logs, and clients choose them. The template is not Python's: a place names a column, nothing of it; a
text is escaped and cut, and only a number has a format.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from logagg.notice_log import printable

LONGEST = 200  # characters of a value
NO_SITE = "-"  # the site of a log without sites; a message would begin with it: "-: 5% of 1,200 requests fail"
_PLACE = re.compile(r"\{\{|\}\}|\{([A-Za-z_]\w*)(?::([^{}]*))?\}")
_FORMAT = re.compile(r"[+]?,?(?:\.\d)?[%fgde]?")  # no width: `{n:1000000000}` would take the memory


def rendered(template: str, values: Mapping[str, str | float | None]) -> str:
    """Return a template with values in their places; a place for which there is no value stays as it is."""

    def place(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            return found[0][0]
        if name == "site" and values.get(name) == NO_SITE:
            return "unnamed site"
        return shown(values[name], found[2] or "") if name in values else found[0]

    return _PLACE.sub(place, template)


def shown(value: str | float | None, form: str = "") -> str:
    """Return a value as text, in one line."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return clean(value)
    if not form or not _FORMAT.fullmatch(form):
        return f"{int(value):,}" if value == int(value) else f"{value:.4g}"
    is_integer = form.endswith("d") or (form[-1] in ",+" and value == int(value))  # `{n:,}` of 1200.0 is 1,200
    return format(int(value) if is_integer else value, form)


def clean(text: str, longest: int = LONGEST) -> str:
    """Return a text in one line, without control characters, and not longer than that."""
    found = printable(text.encode("utf-8", "backslashreplace").decode())
    return found if len(found) <= longest else f"{found[: longest - 3]}..."
