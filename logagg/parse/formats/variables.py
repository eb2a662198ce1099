"""What servers call the fields of their logs: variables of nginx, directives of Apache, keys of JSON."""

from __future__ import annotations

import re
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

# Who may be the client of a line, the best one first: an address that a trusted proxy has said, the other end of the
# connection, what a header says, and the proxy itself.
CLIENTS = ("proxied_client", "client", "sent_client", "peer")
# Variables that hold what a client has sent: their values may be anything.
SENT = frozenset(name for name in NGINX if name.startswith("http_")) | frozenset(
    name for name in APACHE if name.endswith("}i")
)
# Variables that are not used, but whose shape tells formats apart.
SHAPE_OF_UNUSED: Mapping[str, str] = {"l": "ident", "p": "digits", "server_port": "digits"}


# Keys of JSON logs, in small letters and without `_`, `-` and the like, beside the names of nginx's variables. Of several
# keys for one field, the first in the table is preferred.
JSON_KEYS: Mapping[str, str] = {
    **dict.fromkeys(("clientip", "remoteip", "clientaddress", "remoteaddress", "clientaddr", "client", "ip"), "client"),
    **dict.fromkeys(("remotehost", "clienthost", "sourceip", "srcip", "addr"), "client"),
    **dict.fromkeys(("fwd", "realip", "xrealip", "cfconnectingip", "trueclientip", "xclientip"), "sent_client"),
    **dict.fromkeys(("xforwardedfor", "xff", "forwardedfor"), "forwarded"),
    **dict.fromkeys(("vhost", "virtualhost", "domain", "site", "authority", "requesthost", "urldomain"), "host"),
    **dict.fromkeys(("requestline",), "request"),
    **dict.fromkeys(("method", "verb", "httpmethod", "reqmethod", "requestverb"), "method"),
    **dict.fromkeys(
        ("url", "requesturl", "originalurl", "urloriginal", "requestpath", "fullpath", "rawpath"), "target"
    ),
    **dict.fromkeys(("target", "path", "urlpath", "resourcepath", "endpoint"), "target"),
    **dict.fromkeys(
        ("query", "querystr", "querystring", "requestquery", "requestquerystring", "urlquery", "rawquery"), "query"
    ),
    **dict.fromkeys(("statuscode", "responsestatus", "responsecode", "httpstatus", "httpstatuscode"), "status"),
    **dict.fromkeys(("response", "code", "httpcode", "rescode"), "status"),
    **dict.fromkeys(("bytes", "size", "bodybytes", "responsesize", "responsebytes", "responsebodysize"), "bytes"),
    **dict.fromkeys(("responselength", "contentlength", "sentbytes", "bytesout", "byteswritten", "length"), "bytes"),
    **dict.fromkeys(("referer", "referrer", "httpreferrer", "requestreferer"), "referrer"),
    **dict.fromkeys(("useragent", "agent", "ua", "requestuseragent", "useragentoriginal"), "agent"),
    **dict.fromkeys(("duration", "responsetime", "took", "elapsed", "latency", "timetaken", "elapsedtime"), "seconds"),
    **dict.fromkeys(("requestduration", "processingtime", "processtime", "reqtime", "rt", "totaltime"), "seconds"),
    **dict.fromkeys(("upstreamtime", "upstreamduration", "upstreamlatency", "upstreamservicetime"), "upstream_seconds"),
    **dict.fromkeys(("backendtime", "origintime", "urt"), "upstream_seconds"),
    **dict.fromkeys(("cachestatus", "cache", "xcache"), "cache"),
    **dict.fromkeys(("protocol", "proto", "httpversion", "requestprotocol"), "protocol"),
    **dict.fromkeys(("requestscheme", "xforwardedproto", "httpxforwardedproto", "urlscheme"), "scheme"),
    **dict.fromkeys(("tlsversion", "sslversion", "tls", "tlsprotocol"), "tls"),
    **dict.fromkeys(("user", "username", "authuser", "userid"), "user"),
    **dict.fromkeys(("country", "countrycode", "cfipcountry", "geocountryisocode", "clientcountry"), "country"),
    **dict.fromkeys(("countryisocode", "geocountry"), "country"),
    **dict.fromkeys(("city", "cityname", "geocityname", "clientcity"), "city"),
    **dict.fromkeys(("asn", "asnumber", "clientasn", "geoasn"), "asn"),
    **dict.fromkeys(("asorg", "asname", "asorganization", "asnorg"), "organization"),
    **dict.fromkeys(("secchua",), "brands"),
    **dict.fromkeys(("secchuaplatform",), "platform"),
    **dict.fromkeys(("secchuamobile",), "mobile"),
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


# Keys of times, written likewise.
JSON_TIMES = (
    "timestamp", "time", "ts", "date", "datetime", "asctime", "requesttime", "starttime", "eventtime", "logtime", "t"
)  # fmt: skip

# The names of W3C extended logs, in lower case, and their fields; of several that give one field, the first counts.
W3C: Mapping[str, str] = {
    "date": "date",
    "time": "clock",
    "date-local": "date",
    "time-local": "clock",
    "c-ip": "client",
    "cs-ip": "client",
    "x-forwarded-for": "forwarded",
    "cs(x-forwarded-for)": "forwarded",
    "s-xff": "forwarded",
    "x-host-header": "host",
    "cs-host": "host",
    "cs(host)": "host",
    "cs-username": "user",
    "cs-method": "method",
    "cs-uri-stem": "path",
    "cs-uri-path": "path",
    "cs-uri": "path",
    "cs-uri-query": "query",
    "cs-version": "protocol",
    "cs-protocol-version": "protocol",
    "cs-protocol": "scheme",
    "cs-uri-scheme": "scheme",
    "ssl-protocol": "tls",
    "sc-status": "status",
    "c-status": "status",
    "sc-bytes": "bytes",
    "bytes": "bytes",
    "time-taken": "time_taken",
    "timetakenms": "milliseconds",
    "x-duration": "seconds",
    "cs(user-agent)": "agent",
    "cs(referer)": "referrer",
    "cs(referrer)": "referrer",
    "c-agent": "agent",
    "cs-referred": "referrer",
    "x-edge-result-type": "cache",
    "cs-countrycode": "country",
    "c-country": "country",
    "asn": "asn",
    "cs(sec-ch-ua)": "brands",
    "cs(sec-ch-ua-platform)": "platform",
    "cs(sec-ch-ua-mobile)": "mobile",
}

# All fields of a line, for templates such as `<client> [<time>] "<request>"`.
FIELDS: Mapping[str, str] = {
    "client": "address of the client, perhaps with a port, or a list of addresses as in X-Forwarded-For",
    "client_port": "the same, always with a port",
    "forwarded": "X-Forwarded-For",
    "host": "virtual host, perhaps with a port",
    "user": "name that the client logged in with",
    "time_any": "time in any form below",
    "time_local": "`20/Nov/2026:00:00:00 +0000`",
    "time_iso8601": "`2026-11-20T00:00:00.000+00:00`",
    "time_zoneless": "the same without an offset, as HAProxy writes it",
    "time_asctime": "`Fri Nov 20 00:00:00 2026`",
    "time_epoch": "seconds since 1970",
    "time_epoch_ms": "milliseconds since 1970",
    "time_epoch_us": "microseconds since 1970",
    "time_epoch_ns": "nanoseconds since 1970",
    "date": "day of a time in two values, `2026-11-20`, `2026/11/20` or `20/Nov/2026`",
    "clock": "the rest of a time in two values, `00:00:00` or `00:00:00.000`",
    "request": "request line",
    "method": "its method",
    "target": "its target",
    "path": "the target without query",
    "query": "the query",
    "protocol": "such as `HTTP/1.1`",
    "scheme": "`http` or `https`",
    "tls": "version, such as `TLSv1.3`",
    "status": "three digits",
    "bytes": "of the response",
    "bytes_so_far": "the same, with a + before it if the response is not over yet",
    "referrer": "",
    "agent": "",
    "seconds": "time to serve the request",
    "milliseconds": "likewise",
    "microseconds": "likewise",
    "nanoseconds": "likewise",
    "time_taken": "seconds with a point, or milliseconds without",
    "seconds_before": "until the upstream is asked; adds up with `upstream_seconds` and `seconds_after`",
    "seconds_after": "after its answer",
    "upstream_seconds": "time of the upstream, or a list",
    "upstream_milliseconds": "likewise",
    "upstream_microseconds": "likewise",
    "upstream_nanoseconds": "likewise",
    "cache": "whether the response came from a cache",
    "country": "of the client",
    "city": "likewise, kept with `geo.city`",
    "asn": "number of the client's network, such as `AS64496`",
    "organization": "whose network that is",
    "brands": "the client hint `Sec-CH-UA`",
    "platform": "`Sec-CH-UA-Platform`",
    "mobile": "`Sec-CH-UA-Mobile`",
    "user_id": "what tells visitors apart",
    "proxied_client": "address of the client as a trusted proxy says it",
    "sent_client": "address of the client as a header says it",
    "peer": "address of the proxy",
    "ident": "as `%l`, not used",
}
