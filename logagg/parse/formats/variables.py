"""What servers call the fields of their logs: variables of nginx, directives of Apache, keys of JSON."""

from __future__ import annotations

import re
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
    "http_cloudfront_viewer_country": "country",
    "http_x_vercel_ip_country": "country",
    "http_fastly_client_country": "country",
    "http_x_country_code": "country",
    "geoip_city": "city",
    "http_cf_ipcity": "city",
    "http_cloudfront_viewer_city": "city",
    "http_x_vercel_ip_city": "city",
    "http_cloudfront_viewer_asn": "asn",
    "geoip_org": "organization",
    "geoip_asn": "asn",
    "status": "status",
    "body_bytes_sent": "bytes",
    "bytes_sent": "bytes",
    "http_referer": "referrer",
    "http_user_agent": "agent",
    "http_sec_ch_ua": "brands",
    "http_sec_ch_ua_full_version_list": "brands",
    "http_sec_ch_ua_platform": "platform",
    "http_sec_ch_ua_mobile": "mobile",
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
    "{CloudFront-Viewer-Country}i": "country",
    "{X-Vercel-IP-Country}i": "country",
    "{GEOIP_CITY}e": "city",
    "{MM_CITY_NAME}e": "city",
    "{CF-IPCity}i": "city",
    "{MM_ASN}e": "asn",
    "{GEOIP_ORGANIZATION}e": "organization",
    "{MM_ASORG}e": "organization",
    "s": "status",
    "B": "bytes",
    "b": "bytes",
    "O": "bytes",
    "{Referer}i": "referrer",
    "{User-Agent}i": "agent",
    "{Sec-CH-UA}i": "brands",
    "{Sec-CH-UA-Platform}i": "platform",
    "{Sec-CH-UA-Mobile}i": "mobile",
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
    **{key: "country" for key in ("country", "country_code", "country_iso_code", "cf_ipcountry")},
    **{key: "city" for key in ("city", "city_name")},
    **{key: "asn" for key in ("asn", "as_number", "client_asn")},
    **{key: "organization" for key in ("as_org", "as_name", "as_organization", "asn_org")},
    **{key: "brands" for key in ("sec_ch_ua", "sec-ch-ua")},
    **{key: "platform" for key in ("sec_ch_ua_platform", "sec-ch-ua-platform")},
    **{key: "mobile" for key in ("sec_ch_ua_mobile", "sec-ch-ua-mobile")},
}
# Variables that nginx's geoip2 module fills have the names that its configuration gives them.
_GEOIP2 = (
    (re.compile(r"geoip2?_(?:\w+_)?country(?:_iso)?(?:_code)?"), "country"),
    (re.compile(r"geoip2?_(?:\w+_)?city(?:_name)?(?:_en)?"), "city"),
    (re.compile(r"geoip2?_(?:\w+_)?(?:asn|as_?n(?:umber|um)|autonomous_system_number)"), "asn"),
    (
        re.compile(
            r"geoip2?_(?:\w+_)?(?:as_?(?:n_?)?org(?:anization)?|autonomous_system_organization|organization|isp)"
        ),
        "organization",
    ),
)


def nginx_field(variable: str) -> str:
    """Return the field that a variable of nginx fills; empty if it fills none."""
    if variable in NGINX:
        return NGINX[variable]
    return next((field for pattern, field in _GEOIP2 if pattern.fullmatch(variable)), "")


# Keys of times; the shape of the value decides the field.
JSON_TIMES = ("@timestamp", "timestamp", "time", "ts", "date", "datetime")
