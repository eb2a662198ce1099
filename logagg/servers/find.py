"""The logs of a server, from the path of its configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from logagg.config.logs import LogConfig
from logagg.config.sections import Config
from logagg.config.toml import Location
from logagg.errors import ConfigError
from logagg.servers import apache, nginx
from logagg.servers.files import STDIN, main_file
from logagg.servers.logs import ServerLog, joined

Kind = Literal["nginx", "apache"]

NGINX = "/etc/nginx/nginx.conf"
APACHE = ("/etc/apache2", "/etc/httpd", "/usr/local/apache2", "/usr/local/etc/apache24")
_MAIN: dict[Kind, Sequence[str]] = {
    "nginx": ("nginx.conf", "conf/nginx.conf"),
    "apache": ("apache2.conf", "httpd.conf", "conf/httpd.conf"),
}
_NGINX_BLOCK = re.compile(r"^\s*(?:http|events|server|stream)\s*\{|^# configuration file /", re.MULTILINE)
_APACHE_LINE = re.compile(
    r"^\s*(?:<(?:VirtualHost|IfModule|Directory|IfDefine)\b|(?:ServerRoot|Include(?:Optional)?|LoadModule|LogFormat|"
    r"CustomLog|Listen|ServerName)\s)[^;{]*$",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Configuration:
    """The configuration of one server."""

    path: str  # its main file, or the directory with that; empty: where the server is installed
    kind: Kind | None = None  # None: recognized by its content

    def logs(self) -> list[ServerLog]:
        """Return its access logs. Raises ConfigError, with file and line."""
        path = self._main_file()
        text = main_file(path)
        kind = self.kind or _kind(path, text)
        name = "standard input" if path == STDIN else path
        found = joined((nginx if kind == "nginx" else apache).contexts(name, text))
        if not found:
            raise ConfigError(f"{name}: no access log is written", "switch one on, or name the logs yourself")
        return found

    def _main_file(self) -> str:
        path = self.path or (NGINX if self.kind == "nginx" else next(filter(os.path.isdir, APACHE), APACHE[0]))
        if not os.path.isdir(path):
            return path
        names = _MAIN[self.kind] if self.kind else [name for names in _MAIN.values() for name in names]
        for name in names:
            if os.path.exists(whole := os.path.join(path, name)):
                return whole
        raise ConfigError(
            f"{path}: there is no {' or '.join(names)} in it", "name the server's main configuration file"
        )


def _kind(path: str, text: str) -> Kind:
    """Return whose configuration a text is."""
    if _NGINX_BLOCK.search(text):
        return "nginx"
    if _APACHE_LINE.search(text):
        return "apache"
    raise ConfigError(
        f"{path}: neither a configuration of nginx nor of Apache httpd", "name the server's main configuration file"
    )


def with_logs(config: Config, found: Sequence[ServerLog]) -> Config:
    """Return a configuration with those logs of servers that are to be followed; its own settings for a path are
    kept."""
    known = {log.path for log in config.logs}
    new = (_setting(log) for log in found if log.followed and log.path not in known)
    return replace(config, logs=(*config.logs, *new))


def _setting(log: ServerLog) -> LogConfig:
    return LogConfig(log.path, log.format, log.site, log.apart, Location(log.file, {"": log.line}))
