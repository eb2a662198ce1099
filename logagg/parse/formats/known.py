"""What servers call the fields of their logs, and the formats that have a name: tables."""

from __future__ import annotations

from collections.abc import Mapping

# Fields of a line, by the servers' names for them. If several names give one field, the first in the table is preferred.
NGINX: Mapping[str, str] = {
    "remote_addr": "client",
    "realip_remote_addr": "",
    "http_x_forwarded_for": "forwarded",
    "proxy_add_x_forwarded_for": "forwarded",
    "host": "host",
    "http_host": "host",
    "server_name": "host",
    "time_iso8601": "time_iso8601",
    "time_local": "time_local",
    "msec": "time_epoch",
    "request": "request",
    "request_method": "method",
    "request_uri": "target",
    "uri": "path",
    "document_uri": "path",
    "args": "query",
    "query_string": "query",
    "server_protocol": "protocol",
    "scheme": "scheme",
    "ssl_protocol": "tls",
    "remote_user": "user",
    "geoip_country_code": "country",
    "geoip2_data_country_code": "country",
    "geoip2_data_country_iso_code": "country",
    "http_cf_ipcountry": "country",
    "status": "status",
    "body_bytes_sent": "bytes",
    "bytes_sent": "bytes",
    "http_referer": "referrer",
    "http_user_agent": "agent",
    "request_time": "seconds",
    "upstream_response_time": "upstream_seconds",
    "upstream_cache_status": "cache",
}

APACHE: Mapping[str, str] = {
    "a": "client",
    "h": "client",
    "v": "host",
    "V": "host",
    "{Host}i": "host",
    "{X-Forwarded-For}i": "forwarded",
    "r": "request",
    "m": "method",
    "U": "path",
    "q": "query",
    "H": "protocol",
    "{REQUEST_SCHEME}e": "scheme",
    "{SSL_PROTOCOL}x": "tls",
    "{SSL_PROTOCOL}e": "tls",
    "u": "user",
    "{GEOIP_COUNTRY_CODE}e": "country",
    "{MM_COUNTRY_CODE}e": "country",
    "{CF-IPCountry}i": "country",
    "s": "status",
    "B": "bytes",
    "b": "bytes",
    "O": "bytes",
    "{Referer}i": "referrer",
    "{User-Agent}i": "agent",
    "{us}T": "microseconds",
    "D": "microseconds",
    "{ms}T": "milliseconds",
    "T": "seconds",
    "{s}T": "seconds",
    "{sec}t": "time_epoch",
    "{msec}t": "time_epoch_ms",
    "{usec}t": "time_epoch_us",
    "{%Y-%m-%dT%H:%M:%S%z}t": "time_iso8601",
    "{%FT%T%z}t": "time_iso8601",
    "{%d/%b/%Y:%H:%M:%S %z}t": "time_local",
    "{%d/%b/%Y:%T %z}t": "time_local",
}
# Directives whose values are not used.
APACHE_UNUSED = frozenset("AfIklLpPRSX^") | {"ti", "to"}

# Keys of JSON logs without a template, in addition to the names of nginx's variables.
JSON_KEYS: Mapping[str, str] = {
    **{key: "client" for key in ("client_ip", "clientip", "client", "ip", "remote_ip", "remote_host", "addr")},
    **{key: "forwarded" for key in ("x_forwarded_for", "xff", "forwarded_for")},
    **{key: "host" for key in ("vhost", "virtual_host", "domain", "site")},
    **{key: "method" for key in ("method", "verb", "http_method")},
    **{key: "target" for key in ("url", "request_url", "request_path")},
    **{key: "path" for key in ("path",)},
    **{key: "query" for key in ("query",)},
    **{key: "status" for key in ("status_code", "response", "code", "response_code")},
    **{key: "bytes" for key in ("bytes", "size", "body_bytes", "response_size", "length")},
    **{key: "referrer" for key in ("referer", "referrer", "http_referrer")},
    **{key: "agent" for key in ("user_agent", "agent", "ua", "useragent")},
    **{key: "seconds" for key in ("duration", "response_time", "took", "elapsed")},
    **{key: "upstream_seconds" for key in ("upstream_time", "upstream_duration")},
    **{key: "cache" for key in ("cache_status", "cache")},
    **{key: "protocol" for key in ("protocol", "proto", "http_version")},
    **{key: "tls" for key in ("tls_version", "ssl_version", "tls")},
    **{key: "user" for key in ("user", "username", "auth_user")},
    **{key: "country" for key in ("country", "country_code", "cf_ipcountry")},
}
# Keys of times; the shape of the value decides the field.
JSON_TIMES = ("@timestamp", "timestamp", "time", "ts", "date", "datetime")

# Most specific first: the order in which detection tries them.
NAMED: Mapping[str, str] = {
    "vhost-combined": '%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"',
    "main": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" "%{X-Forwarded-For}i"',
    "combined-time": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %{s}T',
    "combined": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"',
    "vhost-common": '%v %h %l %u %t "%r" %>s %b',
    "common": '%h %l %u %t "%r" %>s %b',
}

TIMES = frozenset({"time_local", "time_iso8601", "time_epoch", "time_epoch_ms", "time_epoch_us"})
