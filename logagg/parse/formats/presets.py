"""The formats that have a name, most specific first: the order in which detection tries them."""

from __future__ import annotations

from collections.abc import Mapping

_BEGIN = '[<time_local>] "<request>" <status> <bytes>'
_AGENT = '"<referrer>" "<agent>"'

# The combined family, whose members detection writes from the lines themselves (`written.py`).
COMBINED: Mapping[str, str] = {
    "vhost-combined": f"<host> <client> - <user> {_BEGIN} {_AGENT}",
    "main": f'<client> - <user> {_BEGIN} {_AGENT} "<forwarded>"',
    "combined-time": f"<client> - <user> {_BEGIN} {_AGENT} <seconds>",
    "combined": f"<client> - <user> {_BEGIN} {_AGENT}",
    "vhost-common": f"<host> <client> - <user> {_BEGIN}",
    "common": f"<client> - <user> {_BEGIN}",
}
NAMED: Mapping[str, str] = {**COMBINED}
