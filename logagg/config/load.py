"""The configuration of a file and the environment, and the file that says all of it."""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from logagg.config.alerts import (
    OF_RECEIVERS,
    AlertConfig,
    NotifyConfig,
    read_alert,
    read_receiver,
    refuse_coarse,
    refuse_unclear,
)
from logagg.config.channels import read_channel
from logagg.config.logs import begin_at, read_log
from logagg.config.logs import refuse_twins as refuse_twin_logs
from logagg.config.places import located
from logagg.config.rules import DEFAULT_RULES, read_rollup, read_rule, refuse_twins
from logagg.config.sections import SECTIONS, SETTINGS, Config
from logagg.config.toml import FILE, Location, TomlFile, converted
from logagg.errors import ConfigError


def load(path: Path | None, environ: Mapping[str, str] | None = None) -> Config:
    """Return the configuration of a file (None: no file) and the environment. Raises ConfigError."""
    toml = TomlFile.read(path) if path else TomlFile(FILE, {}, {})
    toml.refuse_unknown(
        "", toml.document, [one.name for one in SETTINGS if not one.section] + [*SECTIONS, *_LISTS, _RECEIVERS]
    )
    changes = {
        section: dataclasses.replace(getattr(Config(), section), **_values(toml, section, environ))
        for section in SECTIONS
    }
    rules = tuple(read_rule(*one) for one in toml.tables("rule"))
    rollups = tuple(read_rollup(*one) for one in toml.tables("rollup"))
    refuse_twins(rollups)
    logs = tuple(read_log(*one) for one in toml.tables("log"))
    refuse_twin_logs(logs)
    alerts, receivers = _alerts(toml)
    refuse_coarse(alerts, changes["retention"].minute)
    folder = path.parent if path else None
    logs = tuple(begin_at(folder, log) for log in logs)
    return Config(
        **_values(toml, "", environ),
        **changes,
        rules=rules or DEFAULT_RULES,
        rollups=rollups,
        channel_rules=tuple(read_channel(*one) for one in toml.tables("channel")),
        logs=logs,
        watched=alerts,
        receivers=receivers,
        path=path,
    )


_LISTS = ("rule", "rollup", "channel", "log", "alert")
_RECEIVERS = "notify"


def _alerts(toml: TomlFile) -> tuple[tuple[AlertConfig, ...], tuple[NotifyConfig, ...]]:
    named = toml.table(_RECEIVERS).items()
    found = (read_receiver(name, toml.place(f"{_RECEIVERS}.{name}"), table) for name, table in named)
    receivers = tuple(_with_files(one, Path(toml.file).parent) for one in found)
    alerts = tuple(read_alert(*one) for one in toml.tables("alert"))
    refuse_unclear(alerts, receivers)
    return alerts, receivers


def _with_files(receiver: NotifyConfig, folder: Path) -> NotifyConfig:
    """Return a receiver whose files begin at the folder of the configuration."""
    files = {key: getattr(receiver, key) for key in ("url_file", "token_file", "password_file")}
    placed: dict[str, Any] = {key: located(path, folder) for key, path in files.items() if path}
    return dataclasses.replace(receiver, **placed)


def _values(toml: TomlFile, section: str, environ: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the settings of a section that the environment or the file names, by field."""
    environ = os.environ if environ is None else environ
    settings = [one for one in SETTINGS if one.section == section]
    table = toml.table(section) if section else toml.document
    if section:
        toml.refuse_unknown(section, table, [one.name for one in settings])
    values = {}
    for one in settings:
        if environ.get(one.variable) or (one.variable in environ and not one.kind.is_path):
            place = Location(f"environment variable {one.variable}", {})
            values[one.field] = converted(place, "", one.kind.convert, one.kind.read(environ[one.variable]))
        elif one.name in table:
            value = converted(toml.place(section), one.name, one.kind.convert, table[one.name], section)
            values[one.field] = _located(value, Path(toml.file).parent) if one.kind.is_path else value
    return values


def _located(value: str | tuple[str, ...], folder: Path) -> str | tuple[str, ...]:
    return located(value, folder) if isinstance(value, str) else tuple(located(path, folder) for path in value)


PREFIX = "LOGAGG_"
OF_OPTIONS = ("LOGAGG_CONFIG", "LOGAGG_SECRET")  # variables of options that are not settings
# Kubernetes sets these in each container, for a service that is named logagg, or logagg-page.
_OF_KUBERNETES = re.compile(r"\w+_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")


def refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    """Raise ConfigError for an environment variable that begins like a setting but names none."""
    known = {*OF_OPTIONS, *(one.variable for one in SETTINGS)}
    for name in environ:
        is_other = _OF_KUBERNETES.fullmatch(name) or OF_RECEIVERS.fullmatch(name)
        if name.startswith(PREFIX) and name not in known and not is_other:
            meant = _meant(name.removeprefix(PREFIX), {one.removeprefix(PREFIX) for one in known})
            hint = (
                f"did you mean {meant}?" if meant else "unset it; logagg docs configuration lists those that there are"
            )
            raise ConfigError(f"environment variable {name}: no such setting", hint)


def _meant(name: str, known: Iterable[str]) -> str:
    """Return the variable that was probably meant; empty if none is like it."""
    by_key = [one.variable for one in SETTINGS if one.variable_by_key == PREFIX + name]
    near = difflib.get_close_matches(name, known, 1)
    return by_key[0] if by_key else PREFIX + near[0] if near else ""


def default_file(logs: str = "") -> str:
    """Return a `logagg.toml` with every setting commented out, and the text of these `[[log]]`s."""
    lines = ["# logagg.toml: every setting with its default. Remove the # before a setting to change it.", ""]
    section = ""
    for one in SETTINGS:
        if one.section != section:
            section = one.section
            lines += [f"[{section}]  # {_summary(section)}", ""]
        lines += [f"# {one.help}", f"# {one.name} = {json.dumps(one.written, ensure_ascii=False)}", ""]
    return "\n".join([*lines, _EXAMPLES, logs or _EXAMPLE_OF_A_LOG])


def _summary(section: str) -> str:
    return (type(getattr(Config(), section)).__doc__ or "").rstrip(".")


_EXAMPLES = """\
# Rules decide the kind of a request; the first that matches wins. Any [[rule]] replaces the default rules:
# /imp, /impression and /pixel.gif are impressions, /click is a click, /conversion and /conv are conversions.
# Kinds: impression, click, conversion, pageview, asset, other. A rule matches if every given condition does:
# path (the whole path), prefix, suffix, regex (RE2, anywhere in the path), site; of a list, any value.
# [[rule]]
# kind = "click"
# path = ["/click", "/go"]
# status = [200, 204, 302, 304]
# methods = ["GET", "POST"]
# parameters = {campaign = ["campaign", "utm_campaign"], ad = ["ad"], placement = ["placement"]}

# User-defined rollups: each is a view. Conditions are SQL over the columns of events (see the documentation).
# A new one counts the lines read from then on; `logagg backfill NAME` fills it with those before, from requests.
# [[rollup]]
# name = "slow_pages"
# where = "kind = 'pageview'"
# dimensions = ["site", "path"]
# measures = {hits = "count", slow = "count(seconds > 1)", bytes = "sum(bytes)", people = "uniques(visitor)"}
# grain = "5m"

# Channels of your own: the first [[channel]] that matches an entry names its channel; else the default groups do. A rule
# matches if every given condition does: host (of the referring page, and those below it), source, medium, campaign (with *
# for anything), click_id, site; of a list, any value.
# [[channel]]
# channel = "Partners"
# host = ["partner.example.com"]

# Alerts: a built-in rule by its name (errors, slow, no_traffic, surge, not_found, bots, rejects, lag, disk), or a query of
# your own, whose rows are judged one by one. `logagg alert test errors --since 7d` says when it would have fired.
# [[alert]]
# name = "errors"
# above = 0.05
# to = ["ops"]

# Who is told. Kinds: webhook, alertmanager, smtp, exec, apprise.
# [notify.ops]
# kind = "smtp"
# from = "logagg@example.com"
# to = ["ops@example.com"]
"""

_EXAMPLE_OF_A_LOG = """\
# Logs, which `logagg tail` follows if no PATH is given; format and site are of lines that do not show them.
# `logagg init --from /etc/nginx/nginx.conf` writes these for a server. Paths are files, directories or globs.
# [[log]]
# path = "/var/log/nginx/shop.access.log"
# format = "combined"
# site = "shop.example.com"
"""
