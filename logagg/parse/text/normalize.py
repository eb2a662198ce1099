"""Differences of notation between servers, undone: one text for one thing, whole columns at a time.

Every function takes the distinct values of a column as text, and returns as many, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from logagg.parse.text import decode

# Values that stand for others, by field.
OTHER_NAMES: Mapping[str, Mapping[str, str]] = {
    "tls": {
        name: version
        for version, names in {
            "TLSv1": ("769", "1.0"),  # the number in the protocol, and that of the version alone
            "TLSv1.1": ("770", "1.1"),
            "TLSv1.2": ("771", "1.2"),
            "TLSv1.3": ("772", "1.3"),
        }.items()
        for name in names
    },
    "cache": {"true": "HIT", "false": "MISS", "1": "HIT", "0": "MISS"},
    "agent": {"(null)": "", "-": ""},  # the notation of a missing value by Fastly and, in quotes, by Logstash
    "referrer": {"(null)": "", "-": ""},
}


def bare_host(hosts: pa.Array) -> pa.Array:
    """Lower case, without the port."""
    return pc.replace_substring_regex(pc.utf8_lower(hosts), r"\A(\[.*|[^:]*):[0-9]+\z", r"\1")


def unquoted(values: pa.Array) -> pa.Array:
    """Without the quotes that Logstash keeps around a value."""
    return pc.replace_substring_regex(values, r'\A"((?s:.*))"\z', r"\1")


def full_protocol(values: pa.Array) -> pa.Array:
    """`HTTP/1.1` for a bare `1.1`."""
    return pc.replace_substring_regex(values, r"\A([0-9](?:\.[0-9])?)\z", r"HTTP/\1")


def country_code(values: pa.Array) -> pa.Array:
    """A code of two letters in capitals; any other text as it is."""
    return pc.if_else(pc.equal(pc.binary_length(values), 2), pc.ascii_upper(values), values)


def whole_path(paths: pa.Array) -> pa.Array:
    """Add the slash that Akamai leaves out, except to a whole URL."""
    whole = pc.replace_substring_regex(paths, r"\A([^/*])", r"/\1")
    return pc.if_else(pc.match_substring(paths, "://"), paths, whole)


# A host before a path: it has the shape of a domain or an address, or a port. `index.php/a` is a script with a path behind it.
_LABEL = "[A-Za-z0-9_-]{1,63}"
SCRIPTS = "php[0-9]?|phtml|s?html?|aspx?|ashx|asmx|axd|svc|jspx?|jsf|f?cgi|cfm|dll|exe|xml|json|js|css"
_BEFORE_PATH = (
    rf"(?s)\A(?P<host>{_LABEL}(?:\.{_LABEL})*:[0-9]{{1,5}}|(?:[0-9]{{1,3}}\.){{3}}[0-9]{{1,3}}"
    rf"|(?:{_LABEL}\.)+(?P<top>[A-Za-z]{{2,63}}|[Xx][Nn]--[A-Za-z0-9-]{{1,59}}))(?P<path>/.*)\z"
)
_SCRIPT = rf"(?i)\A(?:{SCRIPTS})\z"


def hosts_and_paths(values: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return the hosts that targets without a scheme begin with, and the paths behind them; null for other values."""
    found = pc.extract_regex(values, _BEFORE_PATH)
    is_script = pc.match_substring_regex(pc.struct_field(found, "top"), _SCRIPT)
    none = pa.scalar(None, pa.string())
    host = pc.if_else(pc.fill_null(is_script, False), none, pc.struct_field(found, "host"))
    return bare_host(host), pc.if_else(pc.is_valid(host), pc.struct_field(found, "path"), none)


def decoded(values: pa.Array) -> pa.Array:
    """URL-encoded text as it was, what CloudFront has encoded twice, too; a plus is a blank unless there is another
    one."""
    for _ in range(2):
        values = _decoded_once(values)
    return values


def _decoded_once(values: pa.Array) -> pa.Array:
    kept = pc.replace_substring(values, "+", "%2B")
    blanks = pc.replace_substring(values, "++", "+%2B")  # as a blank and a plus are
    return decode.decode_percent(pc.if_else(pc.match_substring_regex(values, " |%(25)?20"), kept, blanks))


def undoubled(values: pa.Array) -> pa.Array:
    """With one quote where it is written twice within quotes."""
    return pc.replace_substring(values, '""', '"')


def without_port(values: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(values, r"(\A-)?:[0-9]*\z", "")


TIDIED: Mapping[str, Callable[[pa.Array], pa.Array]] = {
    "client_port": without_port,
    "host": bare_host,
    "agent": unquoted,
    "referrer": unquoted,
    "protocol": full_protocol,
    "country": country_code,
    "path": whole_path,
    "scheme": pc.ascii_lower,
}


def tidy(field: str, values: pa.Array, *, encoded: bool = False) -> pa.Array:
    """Return the values of a field as the batch has them; `encoded` ones are URL-encoded."""
    if encoded:
        values = decoded(values)
    if field in TIDIED:
        values = TIDIED[field](values)
    return _renamed(values, OTHER_NAMES[field]) if field in OTHER_NAMES else values


def _renamed(values: pa.Array, names: Mapping[str, str]) -> pa.Array:
    places = pc.index_in(values, pa.array(list(names), values.type))
    return pc.coalesce(pa.array(list(names.values()), values.type).take(places), values)
