"""Logs of any format with plausible, extreme and damaged lines, and the results of both parsers for them."""

import random

import pyarrow as pa
from hypothesis import strategies as st

from logagg.parse.formats.compile import compile_format
from logagg.parse.formats.format import Format, PersonalFields
from logagg.parse.lines import fast, reference
from logagg.parse.schemas import BATCH_SCHEMA
from logagg.records import Batch, Chunk, Fingerprint

NOW = 1_795_500_000.0  # 24 November 2026: later than the times below
FORMATS = [
    compile_format(text, PersonalFields(users=True))
    for text in (
        "combined",
        "common",
        "vhost-combined",
        "main",
        '$remote_addr - $remote_user [$time_local] "$request" $status $bytes_sent rt=$request_time '
        'ut="$upstream_response_time" cs=$upstream_cache_status',
        '$time_iso8601|$http_host|$request_method|$uri|$args|$status|$body_bytes_sent|"$http_user_agent"|$http_x_forwarded_for',
        'log_format m escape=none \'$msec $remote_addr "$request" $status "$http_referer"\';',
        '%{usec}t %a "%r" %s %B %D "%{Referer}i"',
        '{"t":"$time_iso8601","ip":"$remote_addr","r":"$request","s":$status,"b":$body_bytes_sent,"rt":$request_time,"a":"$http_user_agent"}',
        '{"t":"$msec","r":"$request","s":"$status","b":"$bytes_sent","rt":"$request_time","ut":"$upstream_response_time"}',
        '%{sec}t "%r" %s %B %T',
        '%{msec}t "%r" %s %B %{ms}T',
        "$time_iso8601 $scheme $request_method $request_uri $server_protocol $ssl_protocol $geoip_country_code $status",
        '%t %u "%m" "%U" %H %{SSL_PROTOCOL}x %s',
        '$time_iso8601 "$http_sec_purpose" "$http_sec_ch_ua" $http_sec_ch_ua_mobile "$http_sec_ch_ua_platform" $geoip2_asn "$geoip_org" "$geoip_city" "$request" $status',
        "w3c:date time c-ip cs-username cs-method cs-uri-stem cs-uri-query sc-status cs(User-Agent) cs(Referer) time-taken",
        "w3c:date time c-ip cs(Host) cs-method cs-uri cs-uri-query sc-status cs(User-Agent)",
        "iis-all@Europe/Berlin",
        "alb",
        "s3",
        "gcs",
        "bunny",
        'csv:time_any,client,-,request,status,bytes,agent,seconds:"t","ip","x","r","s","b","a","d"',
        "csv:date,clock,client,path,query,status:date;time;ip;path;query;status",
        "tsv:time_any,client,request,status,agent",
        "artifactory",
        "artifactory-6",
        "ambassador",
        "traefik-1",
        "csv:-,time_any,client_port,request,status,bytes,user:a\tb\tc\td\te\tf\tg",
        '<time_any>;<client>;<method>;<target>;<status>;<bytes>;"<agent>"',
        'time=<time_any> method=<method> path="<target>" status=<status> ip=<client> user=<user> took=<seconds>',
        "iis-native@Europe/Berlin",
        "php or php-reason",
        "<client> | <time_any> | <request> | <status> | <bytes> | <agent>",
        "squid",
        "haproxy@America/New_York",
        "uwsgi@Asia/Kolkata",
        "ingress-nginx",
        "ols-combined",
        '%^ %dT%t.%^ %v %h:%^ %^ %^ %T %^ %s %^ %^ %b "%r" "%u" %k %K %^',
        '%h %d:%t %^ %m %U %s %b "%u"',
        "<time_any>\t<client>\t<request>\t<status>\t<time_taken>\t<agent>",
        "caddy",
        "cloudflare",
        "akamai",
        "ecs",
        "json:time_any=t,time_any=time.of,status=s,client=c.0,client=c.ip,bytes=b,milliseconds=ms,nanoseconds=d.ns,request=r",
    )
]
# Values of overflowed counters, and numbers that no server means.
EXTREMES = [
    "9" * 18,
    "9" * 19,
    "9" * 20,
    "0" * 17 + "7",
    "0" * 30 + "7",
    "0" * 5000,
    "1" + "0" * 400,
    "-1",
    "-0",
    "+5",
    " 5",
    "5 ",
    "0x1F",
    "1_000",
    "12.0",
    "5,120",
    "1,12",
    "12,000,000,000,000,000,000",
]
EXTREMES += [
    "12.5",
    "12." + "0" * 18,
    "12." + "0" * 19,
    ".5",
    "5.",
    "1e308",
    "1e999",
    "5e0",
    "1e-5",
    "4E-05",
    "9.5e-005",
    "1e-999",
    "1e--5",
    "nan",
    "NaN",
    "inf",
    "-inf",
]
EXTREMES += [str(2**power + step) for power in (31, 32, 50, 53, 62, 63, 64) for step in (-1, 0, 1)]
EXTREMES += [
    "604800",
    "604800.0",
    "604800.000001",
    "604800001",
    "604800000001",
    "0.1234567890123456789012345678901234567",
    "0." + "1" * 38,
    "0." + "1" * 39,
]
EXTREMES += [
    "100",
    "999",
    "0200",
    "200.0",
    "\u0662\u0660\u0660",
    "9" * 17 + "." + "9" * 18,
    "1763600000." + "9" * 19,
    "253402300800",
    "-1763600000",
    "1.7636e9",
]
TIMES = [
    "20/Nov/2026:01:02:03 +0100",
    "2026-11-20T01:02:03+00:00",
    "1763600000.123",
    "1763600000123456",
    "31/Feb/2026:00:00:00 +0000",
    "29/Mar/2026:02:30:00.500",
    "2026-10-25\t02:30:00",
    "[20/Nov/2026:01:02:03.123456789 +0100]",
    "20/Nov/2026:01:02:03",
    "2026-11-20 01:02:03,5",
    "2026/11/20 01:02:03.25 UTC",
    "2026-11-20T01:02:03.123456789012345678901Z",
    "Fri, 20 Nov 2026 01:02:03 GMT",
    "1763600000123",
    "20/Nov/2026 01:02:03",
    "Fri Nov 20 01:02:03 2026",
    "Sat Nov  7 01:02:03 2026",
    "Sat Nov  7 01:02:03 +026",
    "1763600000123456789",
    "176360000012.5",
    "Nov 20, 2026 @ 01:02:03.123",
    "Nov 2, 2026 @ 01:02:03",
    "Nov 20, 2026 @ 01:02:0",
]
VALUES = {
    "client": ["192.0.2.7", "2001:db8::1", "-", "example.com"],
    "host": ["Example.COM", "example.com:8080", "[::1]:80", "a:b:80", "-"],
    "request": [
        "GET /a?b=c HTTP/1.1",
        "POST /\\x22q\\x22 HTTP/2.0",
        "GET /no-version",
        "-",
        "\\x16\\x03",
        "get / HTTP/1.0",
        "GET  HTTP/1.1",
    ],
    "user": ["fred", "SHOP\\fred", "SHOP\\\\nina", "\\x41\\x", 'a\\"b', "back\\", "-"],
    "status": ["200", "404", "000", "20x", "-"],
    "bytes": ["0", "1234", "-", "12a", "9" * 19],
    "seconds": ["0.123", "1", "-", "1.", "0.000"],
    "upstream_seconds": ["0.1, 0.2 : 0.3", "-", "0.5", "", "12ms, 1m2.5s", "1h", "ms"],
    "milliseconds": ["125", "12.5ms", "1.2E2", "13\u00b5s", "-"],
    "target": ["/a?b=c", "a", "*", "https://example.com/x", "Example.com:80/x", "", "shop.example/a.b"],
    "path": ["www.example.com/a.php", "a.php/b", "/a", "a/b", "*", "https://example.com/x", "-"],
    "query": ["?b=c", "b=c", ""],
    "scheme": ["HTTPS", "http"],
    "country": ["de", "Germany", "\u00e9"],
    "tls": ["772", "1.3", "TLSv1.2"],
    "protocol": ["1.1", "HTTP/2", "2"],
    "referrer": ['"-"', '"https://example.com/"', "a+b%20c", "a+b%C3%A9%", "(null)"],
    "time_taken": ["125", "0.125", "1.", "-"],
    "date": ["2026-11-20", "2026/11/20", "20/Nov/2026", "2026-13-01"],
    "clock": ["01:02:03", "01:02:03.125", "25:00:00", "01:02:03Z", "7:55:20", "7:5:20", ":07:55:20"],
    "date_american": ["11/20/2026", "1/5/26", "13/1/26", "11/20/026", "11//26", "1/5/26/", "02/30/2026"],
    "time_compact": ["20261120010203", "20261120010260", "20261320010203", "2026112001020", "202611200102033"],
    "client_port": ["192.0.2.7:4711", "2001:db8::1:4711", "[2001:db8::1]:4711", "-:80", "-"],
    "agent": [
        "Mozilla/5.0+(X;+Y)",
        "a%2520b%20c",
        'a ""quoted"" one',
        '"',
        "Mozilla/5.0 (X; Y)",
        'a \\"quoted\\" one',
        "-",
        "caf\u00e9",
        "\\xD0\\xB9",
        "back\\\\",
    ],
    "": ["-", "anything", ""],
}


def whole_line(fmt: Format, draw: random.Random) -> bytes:
    """Make a line of the format from plausible and odd values."""
    if fmt.keys:
        return json_line(fmt, draw).encode()
    if fmt.columns:
        return columns_line(fmt, draw)
    out = fmt.prefix
    if fmt.noise and draw.random() < 0.3:
        return out + b"anything" + draw.choice(fmt.noise)
    for step in fmt.steps:
        blanks = b" " * draw.randrange(3) if step.spaces else b""
        out += text_value(step.field, draw).encode() + step.until + blanks
    return out


def columns_line(fmt: Format, draw: random.Random) -> bytes:
    """Make a line of columns: some in quotes, some missing, with one blank or more, or tabs between them; or a header."""
    if fmt.headed and draw.random() < 0.15:
        names = ["date", "time", "c-ip", "cs-method", "cs-uri-stem", "sc-status", "cs(User-Agent)", "x@y", "time-taken"]
        return ("#Fields: " + " ".join(draw.sample(names, draw.randrange(6, 10)))).encode()
    if fmt.comment and draw.random() < 0.1:
        return fmt.comment + b" a comment"
    separator = draw.choice([fmt.separator] * 5 + [b"\t", b"  "])
    values = []
    for column in fmt.columns[: draw.choice([256] * 5 + [fmt.needed, fmt.needed - 1])]:
        value = text_value(column.field, draw)
        quoted = draw.random() < 0.3 or " " in value
        values.append(f'"{value}"' if quoted else f"[{value}]" if column.bracketed and draw.random() < 0.9 else value)
    return separator.join(value.encode() for value in values) + draw.choice([b""] * 6 + [separator, b" more values"])


def text_value(field: str, draw: random.Random) -> str:
    times = field.startswith("time") and field not in VALUES
    usual = TIMES if times else VALUES.get(field, VALUES[draw.choice(["agent", "seconds"])])
    return draw.choice(EXTREMES if draw.random() < 0.1 else usual)


def json_line(fmt: Format, draw: random.Random) -> str:
    """Make an object with some of the keys, which are nested or have dots in them."""
    members: list[str] = []
    for path, field in fmt.keys.items():
        if draw.random() < 0.9:
            *outer, key = path.split(".") if draw.random() < 0.7 else [path]
            member = f'"{key}":{json_value(field, draw)}'
            for around in reversed(outer):
                member = f'"{around}":{{{member}}}'
            members.append(member)
    return "{" + ",".join(members) + draw.choice(["}"] * 9 + [",}"])


def json_value(field: str, draw: random.Random) -> str:
    usual = TIMES if field.startswith("time") else VALUES.get(field, VALUES[draw.choice(["agent", "milliseconds"])])
    value = draw.choice(EXTREMES if draw.random() < 0.1 else usual)
    if (value in EXTREMES and draw.random() < 0.5) or draw.random() < 0.1:
        return value
    if field in ("status", "bytes", "seconds") and draw.random() < 0.6:
        return draw.choice(
            ["200", "404", "0", "0.125", "1e3", "-1", "null", "true", "[1]", '{"a":1}', "12345678901234567890", "-", ""]
        )
    escaped = draw.choice(["\\\\", "\\u00e9", "\\xC3\\xA9", "\\"])
    text = '"' + value.replace("\\", escaped).replace('"', '\\"') + '"'
    return draw.choice([text] * 8 + [f"[{text}]", f"[{text},null, {text}]"])


def spoil(line: bytes, draw: random.Random) -> bytes:
    """Damage a line as crashes, attackers and broken servers do."""
    at = draw.randrange(len(line) + 1)
    return draw.choice(
        [
            lambda: (
                line[:at]
                + draw.choice([b'"', b"\\", b" ", b"\0", b"\xff", b"\r", b"[", b'" ', b"\n", b"\\x4"])
                + line[at:]
            ),
            lambda: line[:at],
            lambda: line[at:],
            lambda: line[:at] + line[at + 1 :],
            lambda: b"\0\0\0" + line,
            lambda: line + draw.choice([b"\r", b"\r\r", b" ", b'"', b" trailing"]),
            lambda: draw.randbytes(draw.randrange(40)),
            lambda: b"",
        ]
    )()


@st.composite
def logs(draw: st.DrawFn) -> tuple[Format, bytes]:
    fmt = draw(st.sampled_from(FORMATS))
    source = draw(st.randoms(use_true_random=False))
    lines = [whole_line(fmt, source) for _ in range(draw(st.integers(0, 8)))]
    lines = [spoil(line, source) if source.random() < 0.5 else line for line in lines]
    return fmt, b"\n".join(lines) + draw(st.sampled_from([b"\n", b""]))


def plain(batch: Batch) -> pa.Table:
    fields = [
        pa.field(field.name, field.type.value_type if pa.types.is_dictionary(field.type) else field.type)
        for field in BATCH_SCHEMA
    ]
    return batch.table.cast(pa.schema(fields))


def both(data: bytes, fmt: Format, now: float = NOW, **chunk: int) -> tuple[Batch, Batch]:
    whole = Chunk("s", 0, 100, 100 + len(data), data, Fingerprint(100 + len(data), 0, ""), **chunk)
    return fast.parse(whole, fmt, now), reference.parse(whole, fmt, now)
