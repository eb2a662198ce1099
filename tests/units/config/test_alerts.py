"""`[[alert]]` and `[notify.NAME]` of the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from logagg.alert.rules import Alert, alert_named, alerts_of
from logagg.config.alerts import AlertConfig, Least, NotifyConfig, variable_of
from logagg.config.load import load, refuse_unknown_variables
from logagg.config.sections import Config
from logagg.errors import ConfigError

WHOLE = """
[alerts]
timeout = "10s"
url = "https://logs.example.com/"

[[alert]]
name = "checkout"
query = "SELECT site, 1 AS value FROM traffic WHERE ts >= $since"
window = "10m"
every = "5m"
above = 0.5
clear = 0.25
min = "n >= 100"
for = "3m"
keep = "1h"
no_data = "keep"
severity = "page"
message = "{site}"
to = ["ops", "am"]

[[alert]]
name = "errors"
above = 0.2
to = "mail"

[[alert]]
name = "fast"
rule = "slow"
below = 0.001

[notify.ops]
kind = "webhook"
url = "https://example.com/hook"
repeat = "never"
resolved = false
group = ["name", "site"]
token_file = "/etc/token"

[notify.am]
kind = "alertmanager"
url = "http://am:9093"

[notify.mail]
kind = "smtp"
host = "mail.example.com"
port = 587
tls = "starttls"
user = "me"
password_file = "/etc/password"
from = "logagg@example.com"
to = ["ops@example.com"]

[notify.script]
kind = "exec"
command = ["/usr/local/bin/page", "--now"]

[notify.chat]
kind = "apprise"
"""


def written(folder: Path, text: str) -> Config:
    (folder / "logagg.toml").write_text(text)
    return load(folder / "logagg.toml", {})


def test_every_key(tmp_path: Path) -> None:
    config = written(tmp_path, WHOLE)
    assert config.watched[0] == AlertConfig(
        "checkout", "", "SELECT site, 1 AS value FROM traffic WHERE ts >= $since", 600, 300, 0.5, None, 0.25,
        Least("n", 100.0), 180, 3600, "keep", "page", "{site}", ("ops", "am"),
    )  # fmt: skip
    assert config.receivers == (
        NotifyConfig(
            "ops", "webhook", 0, False, ("name", "site"), "https://example.com/hook", token_file="/etc/token"
        ),
        NotifyConfig("am", "alertmanager", url="http://am:9093"),
        NotifyConfig(
            "mail", "smtp", host="mail.example.com", port=587, tls="starttls", user="me", password_file="/etc/password",
            sender="logagg@example.com", to=("ops@example.com",),
        ),
        NotifyConfig("script", "exec", command=("/usr/local/bin/page", "--now")),
        NotifyConfig("chat", "apprise"),
    )  # fmt: skip
    assert (config.alerts.timeout, config.alerts.url) == (10, "https://logs.example.com/")


def test_rules_fill_in_what_is_not_written(tmp_path: Path) -> None:
    checkout, errors, fast = alerts_of(written(tmp_path, WHOLE))
    assert checkout.query.startswith("SELECT site, 1")
    assert checkout.hold == 180
    assert "status >= 500" in errors.query
    assert (errors.above, errors.clear, errors.least) == (0.2, None, Least("n", 50))
    assert (fast.above, fast.below, fast.to) == (None, 0.001, ("ops", "am", "mail", "script", "chat"))
    [odd] = alerts_of(Config(watched=(AlertConfig("errors", clear=0.5),)))
    assert (odd.above, odd.clear) == (0.05, 0.05)
    assert alert_named("surge", Config()) is not None
    assert alert_named("nonsense", Config()) is None
    assert isinstance(alert_named("errors", written(tmp_path, WHOLE)), Alert)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[alert]]\nabove = 1', "1: name: is missing; write name = \"errors\""),
        ('[[alert]]\nname = "x"', "1: query: is missing; write query = \"SELECT ...\", or rule = one of errors"),
        ('[[alert]]\nname = "a b"', '2: name: "a b" is not valid; write letters, digits'),
        ('[[alert]]\nname = "errors"\nabov = 1', '3: abov: no such setting; did you mean "above"?'),
        ('[[alert]]\nname = "errors"\nabove = "5%"', '3: above: "5%" is not valid; write a number'),
        ('[[alert]]\nname = "errors"\nabove = nan', "3: above: NaN is not valid; write a number"),
        ('[[alert]]\nname = "errors"\nevery = "90s"', '3: every: "90s" is not valid; write whole minutes'),
        ('[[alert]]\nname = "errors"\nmin = "n > 1"', '3: min: "n > 1" is not valid; write a column'),
        ('[[alert]]\nname = "errors"\nabove = 1\nclear = 2', "4: clear: is above the limit"),
        ('[[alert]]\nname = "errors"\nbelow = 2\nclear = 1', "4: clear: is below the limit"),
        ('[[alert]]\nname = "x"\nquery = "SELECT 1"\nclear = 1', "4: clear: it takes one limit, above or below"),
        ('[[alert]]\nname = "x"\nquery = "SELECT 1"\nrule = "slow"', "3: query: there is a rule, too"),
        ('[[alert]]\nname = "errors"\nto = ["ops"]', "3: to: there is no [notify.ops]; write [notify.ops]"),
        ('[[alert]]\nname = "errors"\n[[alert]]\nname = "errors"', '4: name: there is an alert "errors" already'),
        ('[alert]\nname = "errors"', "alert: is a list of sections; write [[alert]] above each"),
        ('[notify.ops]\nurl = "https://a"', "1: kind: is missing; write kind = one of webhook"),
        ('[notify.ops]\nkind = "pigeon"', '2: kind: "pigeon" is not valid; write one of "webhook"'),
        ('[notify.ops]\nkind = "webhook"\nurl = "ftp://a"', '3: url: "ftp://a" is not valid'),
        ('[notify.ops]\nkind = "webhook"\nurl = "https://a b"', "3: url:"),
        ('[notify.ops]\nkind = "webhook"\nhost = "a"', "3: host: is not for webhook; it is for smtp"),
        ('[notify.ops]\nkind = "smtp"\nto = ["a@b"]', "from: is missing"),
        ('[notify.ops]\nkind = "smtp"\nfrom = "a@b\\r\\nBcc: c@d"\nto = "a@b"', "3: from:"),
        ('[notify.ops]\nkind = "exec"\ncommand = "rm -rf /"', "3: command: \"rm -rf /\" is not valid; write the program"),
        ('[notify]\nops = 1', "notify.ops is a section; write [notify.ops]"),
        ('[retention]\nminute = "30d"\n[[alert]]\nname = "surge"', "3: window: the weeks to compare with are kept by the hour"),
        ('[alerts]\nmemory = "1MB"', '2: memory: "1MB" is not valid; write "64MB" or more'),
    ],
)  # fmt: skip
def test_errors_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        written(tmp_path, text)
    assert message in str(caught.value)


def test_files_begin_at_the_folder_of_the_configuration(tmp_path: Path) -> None:
    [ops] = written(tmp_path, '[notify.ops]\nkind = "webhook"\nurl_file = "hook"\ntoken_file = "/etc/token"').receivers
    assert (ops.url_file, ops.token_file) == (str(tmp_path / "hook"), "/etc/token")


def test_variables_of_receivers_are_known() -> None:
    refuse_unknown_variables({variable_of("my-mail", key): "x" for key in ("password", "token", "url")})
    with pytest.raises(ConfigError):
        refuse_unknown_variables({"LOGAGG_NOTIFY_OPS_PASWORD": "x"})


def test_hours_are_compared_with_hours(tmp_path: Path) -> None:
    hours = '[retention]\nminute = "30d"\n[[alert]]\nname = "surge"\nwindow = "2h"\nevery = "1h"\n'
    assert [one.name for one in written(tmp_path, hours + '[[alert]]\nname = "errors"\n').watched] == [
        "surge",
        "errors",
    ]


def test_secrets_are_not_written_there(tmp_path: Path) -> None:
    text = '[notify.my-mail]\nkind = "smtp"\npassword = "s3cret"'
    with pytest.raises(ConfigError) as caught:
        written(tmp_path, text)
    assert str(caught.value).endswith(
        "3: password: no secret is read from here; write password_file = FILE, or set LOGAGG_NOTIFY_MY_MAIL_PASSWORD"
    )
