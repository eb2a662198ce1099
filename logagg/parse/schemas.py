"""The two schemas of a line: parsed columns, and classified events.

Text columns are dictionary-encoded from here to the rollup, so that work is done once per distinct value.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

TEXT = pa.dictionary(pa.int32(), pa.string())
TIMESTAMP = pa.timestamp("us", "UTC")

# The reasons for rejecting a line, in the order of the checks.
REASONS = (
    "too_long",  # over the line length limit
    "format",  # the literal text of the format is missing, or the line is not a JSON object
    "time",  # missing, or implausible: before 1995, or more than a day ahead of the clock
    "status",  # neither a number of three digits, nor 0, 000 or -1 for a request without an answer
    "size",  # neither "-" nor a whole number up to `MOST_BYTES`
)
OF_ANOTHER_FORMAT = ("format", "time", "status", "size")  # the reasons of rejects that another format may read

MOST_BYTES = 1 << 50  # of a response: a pebibyte, which takes a day at 100 Gbit/s
LONGEST = 7 * 86_400.0  # seconds; tunnels and WebSockets last for days
DURATION = r"[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?0?[0-9]{1,2})?"  # JSON has 0.00004 as 4e-05, and Java 1.2E7
DURATION_UNITS: Mapping[bytes, int] = {  # of durations that say it, and how many of it are a second
    b"s": 1,
    b"ms": 1_000,
    b"us": 1_000_000,
    "\N{MICRO SIGN}s".encode(): 1_000_000,
    "\N{GREEK SMALL LETTER MU}s".encode(): 1_000_000,
    b"ns": 1_000_000_000,
}
WRITTEN_DURATION = (
    r"(?:(?P<hours>[0-9]{1,9})h)?(?:(?P<minutes>[0-9]{1,9})m)?"
    rf"(?:(?P<number>{DURATION}) ?(?P<unit>s|[mun]s|\xc2\xb5s|\xce\xbcs))?"
)
DURATION_LENGTH = 40  # characters; JSON has up to 25 for a number of 64 bits

# One row per accepted line, in the order of the lines. Text is decoded, invalid UTF-8 replaced. Null: the format does
# not have the field. Empty string: the line has no value for it (servers write "-").
BATCH_SCHEMA = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),  # of the line's first byte in its source
        pa.field("time", TIMESTAMP, nullable=False),
        pa.field("client", TEXT),  # the client's address
        pa.field("forwarded", TEXT),  # X-Forwarded-For, as sent
        pa.field("user_id", TEXT),  # the cookie or field that identifies a visitor, where one is configured
        pa.field("host", TEXT),  # virtual host, lower case, without port
        pa.field("method", TEXT),  # empty when the request line is not an HTTP request
        pa.field("target", TEXT),  # path and query as sent; empty when the request line is not an HTTP request
        pa.field("protocol", TEXT),  # such as HTTP/1.1; empty when the request line is not an HTTP request
        pa.field("scheme", TEXT),  # http or https
        pa.field("tls", TEXT),  # version, such as TLSv1.3
        pa.field("user", TEXT),  # the name that a client logged in with; null unless it is asked for
        pa.field("country", TEXT),  # of the client, where the server looked it up; so are the next three
        pa.field("city", TEXT),  # null unless it is asked for
        pa.field("asn", TEXT),
        pa.field("organization", TEXT),
        pa.field("status", pa.int16(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),  # "-" is 0
        pa.field("referrer", TEXT),
        pa.field("agent", TEXT),
        pa.field("brands", TEXT),  # Sec-CH-UA, as sent; the next two are its companions
        pa.field("platform", TEXT),
        pa.field("mobile", TEXT),
        pa.field(
            "purpose", TEXT
        ),  # Sec-Purpose, as sent: whether the browser asks before anybody wants to see the page
        pa.field("seconds", pa.float64()),  # time to serve the request; null beyond `LONGEST`, too
        pa.field("upstream_seconds", pa.float64()),  # sum over the upstreams tried
        pa.field("cache", TEXT),  # upstream cache status
    ]
)

# Fields of a line that become columns of text as they are.
TEXTS = (
    *("client", "forwarded", "user_id", "scheme", "tls", "user", "country", "city", "asn", "organization"),
    *("referrer", "agent", "brands", "platform", "mobile", "purpose", "cache"),
)

# One row per accepted line. Text columns are bounded in length. Null only where stated.
EVENT_SCHEMA = pa.schema(
    [
        pa.field("time", TIMESTAMP, nullable=False),
        pa.field("position", pa.int64(), nullable=False),  # of the line in its source
        pa.field("visitor", pa.uint64(), nullable=False),
        pa.field("id", TEXT, nullable=False),  # joins the tracking requests of one ad; empty without one
        pa.field("kind", TEXT, nullable=False),
        pa.field("is_bot", pa.bool_(), nullable=False),
        pa.field("site", TEXT, nullable=False),
        pa.field("method", TEXT, nullable=False),
        pa.field("path", TEXT, nullable=False),
        pa.field("ext", TEXT, nullable=False),  # the path's extension in lower case, or empty
        pa.field("status", pa.int16(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("referrer", TEXT, nullable=False),  # host of the referring page, or empty
        pa.field("from_path", TEXT),  # for a page view: the page of the same site it came from, else null
        pa.field("campaign", TEXT, nullable=False),
        pa.field("ad", TEXT, nullable=False),
        pa.field("placement", TEXT, nullable=False),
        pa.field("browser", TEXT, nullable=False),
        pa.field("os", TEXT, nullable=False),
        pa.field("device", TEXT, nullable=False),
        pa.field("robot", TEXT, nullable=False),  # its name; empty for a person, and where the agent says none
        pa.field("robot_class", TEXT, nullable=False),  # empty for a person
        pa.field("bot_reason", TEXT, nullable=False),  # empty for a person
        pa.field("seconds", pa.float64()),  # null when the log has no request time
        pa.field("bucket", pa.int16()),  # latency bucket of `seconds` (`logagg.sketches`), null likewise
        pa.field("upstream_seconds", pa.float64()),
        pa.field("cache", TEXT),
        pa.field("scheme", TEXT),
        pa.field("protocol", TEXT),
        pa.field("tls", TEXT),
        pa.field("user", TEXT),  # null unless `privacy.users`
        pa.field("query", TEXT),  # the query string as sent; null unless `requests.query`
        # Where the request came from. Null: neither the log nor a database can tell; empty: they do not know.
        pa.field("country", TEXT),
        pa.field("city", TEXT),  # null unless `geo.city`
        pa.field("asn", TEXT),  # such as AS64496
        pa.field("organization", TEXT),  # that the network belongs to
        pa.field("network", TEXT),  # its class
        # The origin of a visitor. Null, unless the event is an entry: a page view or a click that no page of its site led to.
        pa.field("channel", TEXT),  # such as Organic Search
        pa.field("referrer_source", TEXT),  # such as Google; empty for Direct
        pa.field("medium", TEXT),  # such as cpc; empty where nothing says it
        # What attribution joins and adds up (`logagg.rollup.attribution`). Null where the query string does not say it.
        pa.field("click_id", TEXT),  # of the click that led here
        pa.field("order_id", TEXT),  # of a conversion, as are the next two
        pa.field("value_micros", pa.int64()),  # millionths of its currency
        pa.field("currency", TEXT),
    ]
)
