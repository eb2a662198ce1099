"""`[[alert]]` and `[notify.NAME]`: alerts and receivers, and how the tables of the file become them.

A key is declared once, in `ALERT_KEYS` or `NOTIFY_KEYS`: reading it, its error and its row in docs/alerts.md follow from that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from logagg.config.toml import FILE, Location, converted, refuse_unknown
from logagg.config.types import duration, one_of, text, texts

RULES = ("errors", "slow", "no_traffic", "surge", "not_found", "bots", "rejects", "lag", "disk")  # built in, by name
RECEIVERS = ("webhook", "alertmanager", "smtp", "exec", "apprise")
NO_DATA = ("ok", "alert", "keep")
TLS = ("tls", "starttls", "none")
MINUTE, HOUR = 60, 3_600
BASELINE = 63 * 86_400  # seconds of history for the rules that compare with usual values
NOWHERE = Location(FILE, {})
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_LEAST = re.compile(r"\s*([A-Za-z_]\w*)\s*>=\s*(-?\d+(?:\.\d+)?)\s*")


class Least(NamedTuple):
    """A column of an answer, and the number that it has to reach for its row to be judged."""

    column: str
    number: float


@dataclass(frozen=True, slots=True)
class AlertConfig:
    """One `[[alert]]`, as written; None: by the rule, or by default."""

    name: str
    rule: str = ""
    query: str = ""
    window: int | None = None
    every: int | None = None
    above: float | None = None
    below: float | None = None
    clear: float | None = None
    least: Least | None = None
    hold: int | None = None  # `for`
    keep: int | None = None
    no_data: str | None = None
    severity: str | None = None
    message: str | None = None
    to: tuple[str, ...] = ()  # names of receivers; empty: all of them
    place: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class NotifyConfig:
    """One `[notify.NAME]`: a receiver of notifications."""

    name: str
    kind: str
    repeat: int | None = None  # None: by the kind; 0: never
    resolved: bool = True
    group: tuple[str, ...] = ("name",)
    url: str = ""
    url_file: str = ""
    token_file: str = ""
    host: str = "localhost"
    port: int = 0  # 0: by `tls`
    tls: str = ""  # empty: by the port
    user: str = ""
    password_file: str = ""
    sender: str = ""  # `from`
    to: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    place: Location = field(default=NOWHERE, compare=False)


class Key(NamedTuple):
    """One key of a table: the field that it fills, its type, and its row in the documentation."""

    field: str
    convert: Callable[[object], Any]
    default: str
    help: str
    kinds: tuple[str, ...] = ()  # of receivers that have it; empty: all


def _name(value: object) -> str:
    if not _NAME.fullmatch(found := text(value)):
        raise ValueError("write letters, digits, _, . and -, 100 at most")
    return found


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) == float("inf"):
        raise ValueError("write a number")
    return float(value)


def _whole_seconds(value: object) -> int:
    return round(duration(value))


def _minutes(value: object) -> int:
    seconds = duration(value)
    if seconds < MINUTE or seconds % MINUTE:
        raise ValueError('write whole minutes such as "5m" or "1h", since counts are by the minute')
    return round(seconds)


def _repeat(value: object) -> int:
    return 0 if str(value).lower() == "never" else _whole_seconds(value)


def _least(value: object) -> Least:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Least("n", _number(value))
    if not isinstance(value, str) or not (found := _LEAST.fullmatch(value)):
        raise ValueError('write a column of the answer and its least value, such as "n >= 100"')
    return Least(found[1], float(found[2]))


def _message(value: object) -> str:
    if len(found := text(value)) > 2_000:
        raise ValueError("write 2,000 characters at most")
    return found


def _url(value: object) -> str:
    found = text(value)
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", found, re.ASCII):
        raise ValueError('write an address such as "https://example.com/hook"')
    return found


def _apprise_or_url(value: object) -> str:
    found = text(value)
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://\S+", found, re.ASCII):
        raise ValueError('write an address such as "https://example.com/hook"')
    return found


def _port(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1 << 16:
        raise ValueError("write a port, 1 to 65535")
    return value


def _mail_address(value: object) -> str:
    found = text(value)
    if not re.fullmatch(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+", found):
        raise ValueError('write a mail address such as "ops@example.com"')
    return found


def _mail_addresses(value: object) -> tuple[str, ...]:
    return tuple(map(_mail_address, texts(value)))


def _argv(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and "\0" not in one for one in value):
        raise ValueError('write the program and its arguments as a list, such as ["/usr/local/bin/page", "ops"]')
    return tuple(value)


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("write true or false")
    return value


ALERT_KEYS: Mapping[str, Key] = {
    "name": Key("name", _name, "", "its name; each once"),
    "rule": Key("rule", one_of(*RULES), "the name, without a query", "a built-in rule"),
    "query": Key("query", text, "that of the rule", "one SELECT; each row of its answer is judged by itself"),
    "window": Key("window", _minutes, "by the rule, else `5m`", "the time that the query looks at, from `$since` to `$until`"),
    "every": Key("every", _minutes, "by the rule, else `1m`", "how often it is evaluated"),
    "above": Key("above", _number, "by the rule", "fires where `value` is above this"),
    "below": Key("below", _number, "by the rule", "fires where `value` is below this"),
    "clear": Key("clear", _number, "`above` or `below`", "an alert goes on firing until `value` is back at this"),
    "min": Key("least", _least, "by the rule", 'rows with less are not judged, such as `"n >= 100"`'),
    "for": Key("hold", _whole_seconds, "by the rule, else `0s`", "how long it has to last before it fires: until then it is pending"),
    "keep": Key("keep", _whole_seconds, "by the rule, else `0s`", "how long it has to be over before it is resolved"),
    "no_data": Key("no_data", one_of(*NO_DATA), "`ok`", "the state for a row that is missing or not judged: `ok`; `keep`: as before; `alert`: an answer without rows fires"),
    "severity": Key("severity", text, "by the rule, else `warning`", "a label of all its notifications"),
    "message": Key("message", _message, "by the rule", "the text; `{site}` is a column of the row, `{value:.1%}` a number in a format of Python"),
    "to": Key("to", texts, "all", "the receivers, by their names in `[notify.NAME]`"),
}  # fmt: skip
_HTTP = ("webhook", "alertmanager", "apprise")
_MAIL = ("smtp",)
NOTIFY_KEYS: Mapping[str, Key] = {
    "kind": Key("kind", one_of(*RECEIVERS), "", "how it is sent"),
    "repeat": Key("repeat", _repeat, "`4h`; `5m` to Alertmanager", 'how often it is said again while it fires, or `"never"`'),
    "resolved": Key("resolved", _bool, "`true`", "whether the end is sent, too"),
    "group": Key("group", texts, '`["name"]`', "labels; those of one evaluation that agree in them are sent together"),
    "url": Key("url", _apprise_or_url, "", "where to", _HTTP),
    "url_file": Key("url_file", text, "", "a file with the `url`, where that is a secret", _HTTP),
    "token_file": Key("token_file", text, "", "a file with a token, sent as `Authorization: Bearer`", _HTTP[:2]),
    "host": Key("host", text, "`localhost`", "the mail server", _MAIL),
    "port": Key("port", _port, "465, 587 or 25", "its port", _MAIL),
    "tls": Key("tls", one_of(*TLS), "by the port, else `none`", "`tls`, `starttls` or `none`", _MAIL),
    "user": Key("user", text, "", "to log in as", _MAIL),
    "password_file": Key("password_file", text, "", "a file with the password", _MAIL),
    "from": Key("sender", _mail_address, "", "the sender", _MAIL),
    "to": Key("to", _mail_addresses, "", "the recipients", _MAIL),
    "command": Key("command", _argv, "", "the program and its arguments, without a shell; JSON comes on standard input", ("exec",)),
}  # fmt: skip
_SECRETS = {"password": "password_file", "token": "token_file"}
_REQUIRED = {"smtp": ("from", "to"), "exec": ("command",)}


def read_alert(place: Location, table: Mapping[str, Any]) -> AlertConfig:
    values = _values(place, table, ALERT_KEYS)
    alert = AlertConfig(**{"name": "", **values}, place=place)
    if not alert.name:
        raise place.error("name", "is missing", 'write name = "errors"')
    if not alert.query and not alert.rule and alert.name not in RULES:
        raise place.error("query", "is missing", f'write query = "SELECT ...", or rule = one of {", ".join(RULES)}')
    if alert.query and alert.rule:
        raise place.error("query", "there is a rule, too", "leave one of them out")
    return _consistent(alert)


def _consistent(alert: AlertConfig) -> AlertConfig:
    """Return the alert. Raises ConfigError for limits that contradict each other."""
    above, below, clear = alert.above, alert.below, alert.clear
    if clear is not None and (above is None) == (below is None) and alert.query:
        raise alert.place.error("clear", "it takes one limit, above or below", "write one of them, or leave clear out")
    if clear is not None and above is not None and clear > above:
        raise alert.place.error("clear", "is above the limit", "write a number up to above")
    if clear is not None and below is not None and clear < below:
        raise alert.place.error("clear", "is below the limit", "write a number from below on")
    return alert


def read_receiver(name: str, place: Location, table: object) -> NotifyConfig:
    if not isinstance(table, dict):
        raise place.error("", f"notify.{name} is a section", f"write [notify.{name}] and its settings below it")
    if not _NAME.fullmatch(name):
        raise place.error("", f"notify.{name!r} is not a name", "write letters, digits, _, . and -")
    for key in _SECRETS.keys() & table.keys():
        file, variable = _SECRETS[key], variable_of(name, key)
        raise place.error(key, "no secret is read from here", f"write {file} = FILE, or set {variable}")
    values = _values(place, table, NOTIFY_KEYS)
    if "kind" not in values:
        raise place.error("kind", "is missing", f"write kind = one of {', '.join(RECEIVERS)}")
    return _complete(NotifyConfig(name, **values, place=place), place, table)


def _complete(found: NotifyConfig, place: Location, table: Mapping[str, Any]) -> NotifyConfig:
    """Return the receiver. Raises ConfigError for keys of another kind, and for missing ones."""
    for key in table:
        if (kinds := NOTIFY_KEYS[key].kinds) and found.kind not in kinds:
            raise place.error(key, f"is not for {found.kind}", f"it is for {', '.join(kinds)}")
    for key in _REQUIRED.get(found.kind, ()):
        if key not in table:
            raise place.error(key, "is missing", f"{found.kind} needs it: {NOTIFY_KEYS[key].help}")
    if found.kind in _HTTP[:2] and found.url:
        converted(place, "url", _url, found.url)
    return found


def _values(place: Location, table: Mapping[str, Any], keys: Mapping[str, Key]) -> dict[str, Any]:
    refuse_unknown(place, table, keys)
    return {keys[key].field: converted(place, key, keys[key].convert, value) for key, value in table.items()}


def refuse_coarse(alerts: Iterable[AlertConfig], minutes_kept: float | None) -> None:
    """Raise ConfigError for a rule that compares minutes with weeks of which only hours are kept."""
    for alert in alerts:
        compares = not alert.query and (alert.rule or alert.name) in ("surge", "no_traffic")
        is_coarse = minutes_kept is not None and minutes_kept < BASELINE
        if compares and is_coarse and any(one is None or one % HOUR for one in (alert.window, alert.every)):
            hint = 'write window = "1h" and every = "1h", or retention.minute = "90d"'
            raise alert.place.error("window", "the weeks to compare with are kept by the hour", hint)


OF_RECEIVERS = re.compile(r"LOGAGG_NOTIFY_[A-Z0-9_]+_(PASSWORD|TOKEN|URL)")  # the result of `variable_of`


def variable_of(receiver: str, secret: str) -> str:
    """Return the environment variable for a secret of a receiver: `LOGAGG_NOTIFY_OPS_PASSWORD`."""
    return f"LOGAGG_NOTIFY_{re.sub(r'[^A-Za-z0-9]', '_', receiver)}_{secret}".upper()


def refuse_unclear(alerts: Sequence[AlertConfig], receivers: Iterable[NotifyConfig]) -> None:
    """Raise ConfigError for alerts of one name, and for those to receivers that are not there."""
    seen, known = set[str](), [one.name for one in receivers]
    for alert in alerts:
        if alert.name in seen:
            raise alert.place.error("name", f'there is an alert "{alert.name}" already', "give it another name")
        seen.add(alert.name)
        for name in alert.to:
            if name not in known:
                hint = f"there are {', '.join(known)}" if known else f"write [notify.{name}]"
                raise alert.place.error("to", f"there is no [notify.{name}]", hint)
