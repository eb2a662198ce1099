"""The formats that have a name: one table, from which detection, `--log-format` and the documentation are made.

The rows are in the order of detection, the most telling first: a format comes before those whose lines it could pass for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from logagg.errors import FormatError
from logagg.parse.formats.columns import CLOUDFRONT, IIS, IIS_ALL, IIS_AZURE


@dataclass(frozen=True, slots=True)
class Preset:
    """A named format: how its lines are written down, and who writes them."""

    name: str
    spec: str  # a template; columns; or the names after `#Fields:`
    about: str  # who writes it
    family: str = "template"  # or columns, w3c, detected: from the first lines
    aliases: tuple[str, ...] = ()  # GoAccess's name is among them
    separator: bytes = b" "  # of columns
    comment: bytes = b""  # the beginning of comment lines
    spaces: bool = False  # a blank of the template stands for several
    open_end: bool = False  # values that are not known may follow
    escaped: bool = True  # \xHH and \" for unprintable bytes and quotes
    doubled: bool = False  # a quote within quotes is written twice
    noise: tuple[bytes, ...] = ()  # the ends of lines that are passed over
    outer_time: bool = False  # its lines have no time: an envelope has to say when they were written


_COMMON = '[<time_local>] "<request>" <status> <bytes>'
_AGENT = '"<referrer>" "<agent>"'
_PHP = (b" Accepted", b" Closing")
_NPM = (
    '$status - $request_method $scheme $host "$request_uri" [Client $remote_addr] [Length $body_bytes_sent] '
    "[Gzip $gzip_ratio] "
)
_ELB = "client_port - seconds_before upstream_seconds seconds_after status - - bytes request"

PRESETS = (
    Preset(
        "w3c",
        "",
        "IIS, CloudFront, Akamai, Tomcat and others with a line `#Fields:`",
        family="w3c",
        aliases=("w3c-extended",),
    ),
    Preset(
        "alb",
        f"- time_iso8601 - {_ELB} agent | - tls - - host *",
        "AWS Application Load Balancer",
        family="columns",
        aliases=("awsalb", "aws-alb"),
    ),
    Preset(
        "elb",
        f"time_iso8601 - {_ELB} | agent - tls *",
        "AWS Classic Load Balancer",
        family="columns",
        aliases=("awselb", "aws-elb"),
    ),
    Preset(
        "s3",
        "- host [time_local] client user - - - request status - bytes - milliseconds - referrer agent | - - - - - - tls *",
        "Amazon S3 server access log; the site is the bucket",
        family="columns",
        aliases=("awss3", "aws-s3"),
    ),
    Preset(
        "gcs",
        "time_epoch_us client - - method target status - bytes microseconds host referrer agent *",
        "Google Cloud Storage usage log (CSV)",
        family="columns",
        aliases=("cloudstorage",),
        separator=b",",
        comment=b'"time_micros"',
        doubled=True,
        escaped=False,
    ),
    Preset(
        "istio",
        "[time_iso8601] request status - - - - - bytes milliseconds upstream_milliseconds forwarded agent - host - - - - client_port | - - *",
        "Istio (Envoy in a mesh)",
        family="columns",
    ),
    Preset(
        "envoy",
        "[time_iso8601] request status - - bytes milliseconds upstream_milliseconds client agent - host - *",
        "Envoy; the client is that of X-Forwarded-For",
        family="columns",
    ),
    Preset(
        "ambassador",
        "- [time_iso8601] request status - - bytes milliseconds upstream_milliseconds client agent - host - *",
        "Ambassador (Envoy), with `ACCESS` before the line",
        family="columns",
    ),
    Preset(
        "bunny",
        "cache status time_epoch_ms bytes - client referrer target - agent - country *",
        "bunny.net",
        family="columns",
        aliases=("bunnycdn",),
        separator=b"|",
    ),
    Preset(
        "artifactory",
        "time_iso8601 - client user method target status - bytes milliseconds agent *",
        "JFrog Artifactory 7, `artifactory-request.log`",
        family="columns",
        separator=b"|",
    ),
    Preset(
        "artifactory-6",
        "time_compact milliseconds - client user method target protocol status bytes *",
        "JFrog Artifactory up to 6, `request.log`",
        family="columns",
        separator=b"|",
    ),
    Preset(
        "iis-native",
        "<client>, <user>, <date_american>, <clock>, <>, <>, <>, <milliseconds>, <>, <bytes>, <status>, <>, <method>, <path>, <query>,",
        "IIS's own format, with commas; its times are local",
        escaped=False,
        open_end=True,
    ),
    Preset(
        "squid",
        "<time_any> <milliseconds> <client> <cache:word>/<status> <bytes> <method> <target> <user> <>/<> <>",
        "Squid's native format, perhaps with a time like Apache's or further values",
        spaces=True,
        escaped=False,
    ),
    Preset(
        "squid-combined",
        f"<client> <ident> <user> {_COMMON} {_AGENT} <cache:tag>:<:tag>",
        "Squid, `combined`",
    ),
    Preset("squid-common", f"<client> <ident> <user> {_COMMON} <cache:tag>:<:tag>", "Squid, `common`"),
    Preset(
        "haproxy-host",
        '<client_port:peer> [<time_zoneless>] <> <>/<> <host> <>/<>/<>/<upstream_milliseconds>/<milliseconds> <status> <bytes_so_far> <> <> <> <> <> "<request>"',
        "HAProxy with the host behind the server",
        open_end=True,
        escaped=False,
    ),
    Preset(
        "haproxy",
        '<client_port:peer> [<time_zoneless>] <> <>/<> <:bare>/<>/<>/<upstream_milliseconds>/<milliseconds> <status> <bytes_so_far> <> <> <> <> <> "<request>"',
        "HAProxy, `option httplog` and `httpslog`",
        aliases=("haproxy-http",),
        open_end=True,
        escaped=False,
    ),
    Preset(
        "npm",
        f'[$time_local] $upstream_cache_status $upstream_status {_NPM}[Sent-to $server] "$http_user_agent" "$http_referer"',
        "Nginx Proxy Manager, proxy hosts",
        aliases=("nginx-proxy-manager",),
        open_end=True,
    ),
    Preset(
        "npm-standard",
        f'[$time_local] {_NPM}"$http_user_agent" "$http_referer"',
        "Nginx Proxy Manager, other hosts",
        open_end=True,
    ),
    Preset(
        "ssl-request",
        '[<time_local>] <client> <tls> <> "<request>" <bytes>',
        "Apache's `ssl_request_log`, which has no status",
        aliases=("ssl_request_log",),
    ),
    Preset(
        "gandi",
        f'<host> <client> <ident> <user> [<time_local>] (<seconds> s) "<request>" <status> <bytes> {_AGENT}',
        "Gandi",
    ),
    Preset(
        "ols-vhost-combined",
        f'"<host> <client> <ident> <user> {_COMMON} {_AGENT}"',
        "OpenLiteSpeed, in quotes, host first",
    ),
    Preset(
        "ols-combined",
        f'"<client> <ident> <user> {_COMMON} {_AGENT}"',
        "OpenLiteSpeed, in quotes",
        aliases=("openlitespeed",),
    ),
    Preset("ols-vhost-common", f'"<host> <client> <ident> <user> {_COMMON}"', "OpenLiteSpeed, in quotes, host first"),
    Preset("ols-common", f'"<client> <ident> <user> {_COMMON}"', "OpenLiteSpeed, in quotes"),
    Preset(
        "traefik",
        '<client> - <user> [<time_local>] "<request>" <status> <bytes> "<referrer>" "<agent>" <> "<host:any>" "<>" <milliseconds>ms',
        "Traefik (CLF); the site is the router",
        aliases=("traefikclf",),
    ),
    Preset(
        "traefik-1",
        '<client> - <user> [<time_local>] "<request>" <status> <bytes> - "<agent>" <> "<host:any>" "<>" <milliseconds>ms',
        "Traefik 1 (CLF), requests without a referrer",
    ),
    Preset(
        "ingress-nginx",
        '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" '
        "$request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr "
        "$upstream_response_length $upstream_response_time $upstream_status $req_id",
        "ingress-nginx of Kubernetes",
        aliases=("ingress",),
    ),
    Preset(
        "nexus",
        '<client> - <user> [<time_local>] "<request>" <status> <:digits> <bytes> <milliseconds> "<agent>" [qtp<>]',
        "Sonatype Nexus, `request.log`",
    ),
    Preset(
        "vhost-combined",
        f"<host> <client> - <user> {_COMMON} {_AGENT}",
        "Apache, host first",
        aliases=("vcombined", "vhost_combined"),
    ),
    Preset("main", f'<client> - <user> {_COMMON} {_AGENT} "<forwarded>"', "nginx's example, with X-Forwarded-For"),
    Preset("combined-time", f"<client> - <user> {_COMMON} {_AGENT} <seconds>", "combined, and the time in seconds"),
    Preset(
        "combined",
        f"<client> - <user> {_COMMON} {_AGENT}",
        "nginx, Apache, Varnish, gunicorn and many others",
        aliases=("apache", "nginx", "ncsa", "varnish", "varnishncsa", "gunicorn"),
    ),
    Preset("vhost-common", f"<host> <client> - <user> {_COMMON}", "Apache, host first", aliases=("vcommon",)),
    Preset(
        "common", f"<client> - <user> {_COMMON}", "Apache, Tomcat and many others", aliases=("clf", "tomcat", "fastly")
    ),
    Preset(
        "lighttpd",
        f"<client> <host> <user> {_COMMON} {_AGENT}",
        "lighttpd and OVH: combined with the host second",
        aliases=("ovh",),
    ),
    Preset(
        "uwsgi",
        "[pid: <>|app: <>|req: <>] <client> (<user>) {<>} [<time_asctime>] <method> <target> => generated <bytes> bytes in <milliseconds> msecs (<protocol> <status>) <>",
        "uWSGI",
        escaped=False,
    ),
    Preset(
        "heroku",
        'at=<> method=<method> path="<target>" host=<host> request_id=<> fwd="<client>" dyno=<> connect=<> service=<seconds> status=<status> bytes=<bytes> protocol=<>',
        "Heroku's router",
        open_end=True,
        outer_time=True,
    ),
    Preset(
        "gin",
        '[GIN] <date> - <clock> | <status> | <seconds> | <client> | <method> <>"<target>"',
        "Gin",
        spaces=True,
        escaped=False,
    ),
    Preset(
        "gin-bare",
        "[GIN] <date> - <clock> | <status> | <seconds> | <client> | <method> <target:bare>",
        "Gin up to 1.5, without quotes",
        spaces=True,
        escaped=False,
    ),
    Preset(
        "chi",
        '<date> <clock> "<request>" from <client_port:peer> - <status> <bytes>B in <seconds>',
        "chi (Go)",
        escaped=False,
    ),
    Preset(
        "chi-id",
        '<date> <clock> [<>] "<request>" from <client_port:peer> - <status> <bytes>B in <seconds>',
        "chi (Go), with the identifier of the request",
        escaped=False,
    ),
    Preset(
        "actix",
        '[<time_iso8601> INFO <>] <client:peer> "<request>" <status> <bytes> "<referrer>" "<agent>" <seconds>',
        "Actix Web (Rust), with env_logger",
        spaces=True,
        escaped=False,
    ),
    Preset(
        "django",
        '[<time_zoneless>] "<request>" <status> <bytes>',
        "Django's `runserver`, which logs no client",
        escaped=False,
    ),
    Preset(
        "morgan-dev",
        "<method:word> <target:bare> <status> <milliseconds> ms - <bytes>",
        "morgan's `dev`, in an envelope with a time",
        escaped=False,
        outer_time=True,
    ),
    Preset(
        "morgan-tiny",
        "<method:word> <target:bare> <status> <bytes> - <milliseconds> ms",
        "morgan's `tiny`, likewise",
        escaped=False,
        outer_time=True,
    ),
    Preset(
        "php-reason",
        "[<time_asctime>] <client_port> [<status>]: <method> <target> - <>",
        "PHP's built-in server (`php -S`), requests that it did not answer",
        escaped=False,
        noise=_PHP,
    ),
    Preset(
        "php",
        "[<time_asctime>] <client_port> [<status>]: <method> <target:bare>",
        "PHP's built-in server (`php -S`)",
        escaped=False,
        noise=_PHP,
    ),
    Preset(
        "uvicorn",
        'INFO:     <client_port> - "<request>" <status> <>',
        "uvicorn, in an envelope with a time: Docker's, Kubernetes', syslog's with the year",
        escaped=False,
        outer_time=True,
    ),
    Preset(
        "uvicorn-worker",
        '<client_port> - "<request>" <status>',
        "uvicorn below gunicorn, likewise",
        escaped=False,
        outer_time=True,
    ),
    Preset("iis", IIS, "IIS as it is set up, where the file does not begin with `#Fields:`", family="w3c"),
    Preset("iis-all", IIS_ALL, "IIS with all fields, likewise", family="w3c"),
    Preset("iis-azure", IIS_AZURE, "IIS of Azure, likewise", family="w3c"),
    Preset("cloudfront", CLOUDFRONT, "CloudFront, likewise", family="w3c", aliases=("aws-cloudfront",)),
)
NAMED: Mapping[str, Preset] = {one.name: one for one in PRESETS}
# The combined family, whose members detection writes from the lines themselves (`parse.combined`).
COMBINED = ("vhost-combined", "main", "combined-time", "combined", "vhost-common", "common", "lighttpd")
_ALIASES = {alias: one for one in PRESETS for alias in one.aliases}
# Formats that are known and cannot be read.
_REFUSED = {
    "morgan": "its lines have no time; log morgan's `combined` instead",
}


def preset_of(name: str) -> Preset | None:
    """Return the preset of a name or an alias, in capitals or not, as GoAccess takes it. Raises FormatError for one that cannot be read."""
    lower = name.lower()
    if reason := _REFUSED.get(lower):
        raise FormatError(f"log format {name!r}: {reason}")
    return NAMED.get(lower) or _ALIASES.get(lower)


def all_names() -> list[str]:
    """Return every name that `--log-format` takes."""
    return [*NAMED, *_ALIASES]
