"""LTSV, labelled tab-separated values: the labels of a line, in their order, make a template of our own notation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from logagg.parse.formats.templates import prefer

# The labels that ltsv.org recommends, and others that are in use.
_LABELS: Mapping[str, str] = {
    "time": "time_any",
    "time_iso8601": "time_any",
    "time_local": "time_any",
    "timestamp": "time_any",
    "host": "client",
    "remote_addr": "client",
    "remote_host": "client",
    "client": "client",
    "ip": "client",
    "forwardedfor": "forwarded",
    "x_forwarded_for": "forwarded",
    "xff": "forwarded",
    "vhost": "host",
    "http_host": "host",
    "server": "host",
    "domain": "host",
    "req": "request",
    "request": "request",
    "method": "method",
    "request_method": "method",
    "uri": "target",
    "request_uri": "target",
    "url": "target",
    "path": "path",
    "query": "query",
    "args": "query",
    "protocol": "protocol",
    "server_protocol": "protocol",
    "scheme": "scheme",
    "ssl_protocol": "tls",
    "user": "user",
    "remote_user": "user",
    "status": "status",
    "code": "status",
    "size": "bytes",
    "res_bytes": "bytes",
    "bytes": "bytes",
    "bytes_sent": "bytes",
    "body_bytes_sent": "bytes",
    "referer": "referrer",
    "http_referer": "referrer",
    "ua": "agent",
    "useragent": "agent",
    "user_agent": "agent",
    "http_user_agent": "agent",
    "reqtime": "seconds",
    "req_time": "seconds",
    "request_time": "seconds",
    "reqtime_microsec": "microseconds",
    "reqtime_millisec": "milliseconds",
    "apptime": "upstream_seconds",
    "upstream_time": "upstream_seconds",
    "upstream_taken_time": "upstream_seconds",
    "upstream_response_time": "upstream_seconds",
    "cache": "cache",
    "upstream_cache_status": "cache",
    "country": "country",
}
_LEAST = 4  # labels of a line
_NONE = frozenset("<>$%")  # characters that labels do not have


def ltsv_templates(lines: Sequence[bytes]) -> Iterator[str]:
    """Yield the template of most of these lines, if they are labelled values with tabs between them."""
    found = Counter(labels for line in lines if (labels := _labels(line)))
    for labels, _ in found.most_common(1):
        yield _template(labels)


def _labels(line: bytes) -> tuple[str, ...]:
    pairs = [pair.partition(b":") for pair in line.rstrip(b"\r\n\t").split(b"\t")]
    labels = tuple(label.decode("ascii", "replace") for label, _, _ in pairs)
    whole = len(pairs) >= _LEAST and all(colon for _, colon, _ in pairs)
    return labels if whole and not any(_NONE & set(label) or " " in label for label in labels) else ()


def _template(labels: Sequence[str]) -> str:
    fields = [_LABELS.get(label.lower(), "") for label in labels]
    if "vhost" not in labels and "remote_addr" in labels and "host" in labels:  # nginx's names instead of LTSV's
        fields = ["host" if label == "host" else field for label, field in zip(labels, fields, strict=True)]
    return "\t".join(f"{label}:<{field}>" for label, field in zip(labels, prefer(fields), strict=True))
