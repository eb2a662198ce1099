"""Headers that HAProxy captures: the log has them in braces, without names, as its configuration says: `{example.com|Mozilla/5.0}`.

All values of a place together decide its field, and it is used only if they prove it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from logagg.parse.formats.presets import NAMED
from logagg.parse.formats.shapes import kind_of

_LINE = re.compile(rb'[^ "]+ \[\d\d/[A-Z][a-z]{2}/\d{4}:[\d:.]+\] [^"{]* \d+/\d+ \{([^{}"]*)\} (\{[^{}"]*\} )?"')
_LONGEST = 1 << 14  # bytes of a line that is looked at
_PROOFS = {
    "host": re.compile(rb"(?:(?:[A-Za-z0-9_-]+\.)+[A-Za-z][A-Za-z0-9-]*|localhost)(?::\d{1,5})?"),
    "agent": re.compile(rb"[A-Za-z][\w.-]*/\d.*"),
    "referrer": re.compile(rb"https?://.*"),
}


def capture_templates(lines: Sequence[bytes]) -> Iterator[str]:
    """Yield the template of most of HAProxy's lines with captured headers, if one of these has a field."""
    found = [match for line in lines if len(line) < _LONGEST and (match := _LINE.match(line))]
    kinds = Counter((match[1].count(b"|"), match[2] is not None) for match in found)
    for (bars, answered), _ in kinds.most_common(1):
        some = [match[1].split(b"|") for match in found if match[1].count(b"|") == bars]
        places = list(_places(list(zip(*some, strict=True))))
        if any(place != "<>" for place in places):
            yield _template(places, answered=answered)


def _places(columns: Sequence[Sequence[bytes]]) -> Iterator[str]:
    taken = set[str]()
    for column in columns:
        field = _field_of([value for value in column if value])
        yield f"<{field}:any>" if field and field not in taken else "<>"
        taken.add(field)


def _field_of(values: Sequence[bytes]) -> str:
    if not values:
        return ""
    if all(kind_of(value) == "addresses" for value in values):
        return "forwarded"
    return next((field for field, shape in _PROOFS.items() if all(map(shape.fullmatch, values))), "")


def _template(places: Sequence[str], *, answered: bool) -> str:
    """Return HAProxy's template with braces before the request."""
    before = NAMED["haproxy"].spec.removesuffix(' "<request>"')
    captured = "{" + "|".join(places) + "}" + (" {<>}" if answered else "")
    return f'{before} {captured} "<request>"<>'
