"""What servers call the fields of their logs: variables of nginx, directives of Apache, keys of JSON."""

from __future__ import annotations

from collections.abc import Mapping

# Fields of a line, by the servers' names for them. If several names give one field, the first in the table is preferred.
NGINX: Mapping[str, str] = {
    "remote_addr": "client",
    "proxy_protocol_addr": "proxied_client",
    "http_x_real_ip": "sent_client",
    "http_cf_connecting_ip": "sent_client",
    "http_cf_connecting_ipv6": "sent_client",
    "http_true_client_ip": "sent_client",
    "http_fastly_client_ip": "sent_client",
    "http_x_client_ip": "sent_client",
    "http_x_cluster_client_ip": "sent_client",
    "http_fly_client_ip": "sent_client",
    "http_x_azure_clientip": "sent_client",
    "realip_remote_addr": "peer",
    "http_x_forwarded_for": "forwarded",
    "proxy_add_x_forwarded_for": "forwarded",
    "http_forwarded": "forwarded",
    "http_x_original_forwarded_for": "forwarded",
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
    "a": "proxied_client",
    "h": "client",
    "{c}a": "peer",
    "{c}h": "peer",
    "{X-Real-IP}i": "sent_client",
    "{CF-Connecting-IP}i": "sent_client",
    "{True-Client-IP}i": "sent_client",
    "{Fastly-Client-IP}i": "sent_client",
    "{X-Client-IP}i": "sent_client",
    "{X-Cluster-Client-IP}i": "sent_client",
    "{X-Azure-ClientIP}i": "sent_client",
    "{Forwarded}i": "forwarded",
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

# Who may be the client of a line, the best one first: an address that a trusted proxy has said, the other end of the
# connection, what a header says, and the proxy itself.
CLIENTS = ("proxied_client", "client", "sent_client", "peer")
# Variables that hold what a client has sent: their values may be anything.
SENT = frozenset(name for name in NGINX if name.startswith("http_")) | frozenset(
    name for name in APACHE if name.endswith("}i")
)
# Variables that are not used, but whose shape tells formats apart.
SHAPE_OF_UNUSED: Mapping[str, str] = {"l": "ident", "p": "digits", "server_port": "digits"}
# Fields as our own notation has them.
OWN = frozenset({*NGINX.values(), *APACHE.values(), "ident", "milliseconds", "microseconds"}) - {""}

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
