"""logagg.toml: defaults, every key, and errors with file, line, key and remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from logagg.config.load import default_file, load
from logagg.config.rules import DEFAULT_RULES, PAGE_STATUSES, TRACKING_STATUSES, RollupConfig, RuleConfig
from logagg.config.sections import SETTINGS, Config
from logagg.config.types import duration, retention, size
from logagg.errors import ConfigError


def written(tmp_path: Path, content: str, **environ: str) -> Config:
    file = tmp_path / "logagg.toml"
    file.write_text(content, "utf-8")
    return load(file, environ)


def refusal(tmp_path: Path, content: str) -> str:
    with pytest.raises(ConfigError) as caught:
        written(tmp_path, content)
    return str(caught.value).removeprefix(f"{tmp_path}/")


def test_without_a_file_all_defaults_apply() -> None:
    assert load(None, {}) == Config()
    assert Config().rules == DEFAULT_RULES
    assert Config().tail.flush == 1.0
    assert Config().retention.day is None


def test_every_key(tmp_path: Path) -> None:
    config = written(
        tmp_path,
        """
        site = "shop.example"
        visitor = "cookie_uid"
        forwarded = true
        log_format = "combined"
        [tail]
        flush = 0.5
        shards = 3
        memory = "700MiB"
        chunk = 4096
        max_line = "2k"
        from = "end"
        [clicks]
        window = "1m"
        [limits]
        value = 10
        keys = 7
        [privacy]
        ipv4 = 24
        ipv6 = 0
        rotate = "1d"
        samples = 0
        [lake]
        grace = "1h"
        [retention]
        minute = "1d"
        hour = "forever"
        day = "1y"
        [assets]
        extensions = [".CSS", "js"]
        """,
    )
    assert (config.site, config.visitor, config.forwarded, config.log_format) == (
        "shop.example",
        "cookie_uid",
        True,
        "combined",
    )
    tail = config.tail
    assert (tail.flush, tail.shards, tail.memory, tail.chunk, tail.max_line, tail.begin) == (
        0.5,
        3,
        700 << 20,
        4096,
        2048,
        "end",
    )
    assert (config.clicks.window, config.limits.value, config.limits.keys, config.lake.grace) == (60.0, 10, 7, 3600.0)
    privacy = config.privacy
    assert (privacy.ipv4, privacy.ipv6, privacy.rotate, privacy.samples) == (24, 0, 86400.0, 0)
    assert (config.retention.minute, config.retention.hour, config.retention.day) == (86400.0, None, 31536000.0)
    assert config.assets.extensions == ("css", "js")
    assert config.path == tmp_path / "logagg.toml"


def test_rules_replace_the_default_ones(tmp_path: Path) -> None:
    config = written(
        tmp_path,
        """
        [[rule]]
        kind = "click"
        prefix = "/go/"
        site = "A.example"
        methods = ["get"]
        [rule.parameters]
        ad = "banner"
        [[rule]]
        kind = "pageview"
        regex = "^/p/[0-9]+$"
        [[rule]]
        kind = "asset"
        suffix = [".bin", ".dat"]
        status = 200
        """,
    )
    names = {"campaign": ("campaign", "utm_campaign"), "ad": ("banner",), "placement": ("placement",)}
    parameters = {**names, "id": ("id",)}
    assert config.rules == (
        RuleConfig(
            "click",
            prefix=("/go/",),
            site=("a.example",),
            status=TRACKING_STATUSES,
            methods=("GET",),
            parameters=parameters,
        ),
        RuleConfig("pageview", regex="^/p/[0-9]+$", status=PAGE_STATUSES),
        RuleConfig("asset", suffix=(".bin", ".dat"), status=(200,)),
    )


def test_rollups_have_their_line_numbers(tmp_path: Path) -> None:
    config = written(
        tmp_path,
        '[[rollup]]\nname = "a"\ndimensions = []\nmeasures = {n = "count"}\n\n'
        '[[rollup]]\nname = "b"\nwhere = "status = 200"\ndimensions = ["path", "site"]\ngrain = "1h"\n'
        '[rollup.measures]\nhits = "count"\nbytes = "sum(bytes)"\n',
    )
    assert config.rollups == (
        RollupConfig("a", (), {"n": "count"}),
        RollupConfig("b", ("path", "site"), {"hits": "count", "bytes": "sum(bytes)"}, "status = 200", 3600),
    )
    place = config.rollups[1].place
    assert str(place.error("where", "no", "yes")) == f"{tmp_path}/logagg.toml:8: where: no; yes"
    assert str(place.error("measures.bytes", "no")).startswith(f"{tmp_path}/logagg.toml:13: ")
    assert ":6: " in str(place.error("unheard", "no"))


def test_the_environment_wins(tmp_path: Path) -> None:
    environ = {
        "LOGAGG_TAIL_FLUSH": "5s",
        "LOGAGG_TAIL_SHARDS": "2",
        "LOGAGG_FORWARDED": "TRUE",
        "LOGAGG_SITE": "123",
        "LOGAGG_ASSETS_EXTENSIONS": "css, js",
        "LOGAGG_LAKE": "elsewhere",
    }
    config = written(tmp_path, '[tail]\nflush = "1s"', **environ)
    assert (config.tail.flush, config.tail.shards, config.forwarded, config.site) == (5.0, 2, True, "123")
    assert config.assets.extensions == ("css", "js")
    with pytest.raises(ConfigError, match="environment variable LOGAGG_TAIL_SHARDS: .*whole number"):
        load(None, {"LOGAGG_TAIL_SHARDS": "many"})
    with pytest.raises(ConfigError, match="LOGAGG_FORWARDED: .*true or false"):
        load(None, {"LOGAGG_FORWARDED": "maybe"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("site = \n", "logagg.toml:1: Invalid value; correct the TOML there"),
        ("[tail]\n\nflsh = 1", 'logagg.toml:3: flsh: no such setting; did you mean "flush"?'),
        ("[tial]\n", 'logagg.toml:1: tial: no such setting; did you mean "tail"?'),
        ("[tail]\nflush = 'soon'", 'logagg.toml:2: flush: "soon" is not valid; write a duration such as "30s"'),
        ("[tail]\nflush = 0", "logagg.toml:2: flush: 0 is not valid; write something above zero"),
        ("[tail]\nmemory = '1XB'", 'logagg.toml:2: memory: "1XB" is not valid; write a size such as "64KB"'),
        ("[tail]\nmemory = '639MB'", 'logagg.toml:2: memory: "639MB" is not valid; write "640MB" or more'),
        ("[privacy]\nipv4 = 33", "logagg.toml:2: ipv4: 33 is not valid; write a number of bits from 0 to 32"),
        (
            "[privacy]\nrotate = '1s'",
            'rotate: "1s" is not valid; write a duration of an hour or more such as "1d", or "never"',
        ),
        ("[tail]\nflush = '101y'", 'write a duration of up to "100y"'),
        ("[tail]\nidle = '99999999999999999999d'", 'write a duration of up to "100y"'),
        ("[tail]\nidle = 1e308", 'write a duration such as "30s"'),
        ("[tail]\nmax_line = '2GB'", 'write a size above zero, and up to "1GB"'),
        ("[tail]\nmemory = '2000TB'", 'write a size of up to "1024TB"'),
        ("[limits]\nvalue = 1000000001", "write a whole number of up to 1,000,000,000"),
        ("[privacy]\nrotate = '99999999999999999d'", "rotate: "),
        ("[tail]\nfrom = 'middle'", 'write one of "start", "end"'),
        ("forwarded = 'yes'", "write true or false"),
        ("site = 3", "write a text in quotes"),
        ("tail = 3", "logagg.toml:1: tail: is a section; write its settings under [tail]"),
        ("[limits]\nkeys = 0", "logagg.toml:2: keys: 0 is not valid"),
        ("[limits]\nkeys = true", "write a whole number"),
        ("[retention]\nday = 'never'", '"forever"'),
        ("[rule]\nkind='click'", "logagg.toml:1: rule: is a list of sections; write [[rule]] above each"),
        ("[[rule]]\nkind = 'clik'\npath='/'", "logagg.toml:2: kind: "),
        ("[[rule]]\npath = '/'", "logagg.toml:1: kind: is missing"),
        ("[[rule]]\nkind='click'\n", "the rule would match every request"),
        ("[[channel]]\nhost = 'a.example'", "logagg.toml:1: channel: is missing; write channel = "),
        ("[[channel]]\nchannel = 'A'", "logagg.toml:1: host: the rule would match every entry; write host = "),
        ("[[channel]]\nchannel = ''\nsource = 'a'", 'logagg.toml:2: channel: "" is not valid; write a name'),
        ("[[channel]]\nchannel = 'A'\nhost = 'https://a.example/'", "write hosts without scheme and path"),
        ("[[channel]]\nchannel = 'A'\nhots = 'a.example'", 'hots: no such setting; did you mean "host"?'),
        ("[channel]\nchannel = 'A'", "channel: is a list of sections; write [[channel]] above each"),
        ("[channels]\nclick_ids = ['gclid']", 'write a parameter, its source and its medium, as in "gclid Google cpc"'),
        ("[channels]\nsource = ['a=b']", "write names of query parameters"),
        ("[[rule]]\nkind='click'\nregex = '(a'", "logagg.toml:3: regex: "),
        ("[[rule]]\nkind='click'\nregex = '(?=a)'", "RE2 syntax"),
        ("[[rule]]\nkind='click'\npath=3", "write a text in quotes, or a list"),
        ("[[rule]]\nkind='click'\npath='/'\nstatus=[20]", "write a status such as 200"),
        (
            "[[rule]]\nkind='click'\npath='/'\n[[rule]]\nkind='click'\npth='/'",
            "logagg.toml:6: pth: no such setting; did you",
        ),
        (
            "[[rule]]\nkind='click'\npath='/'\n[rule.parameters]\nadd='a'",
            "logagg.toml:5: parameters.add: no such setting",
        ),
        ("[[rollup]]\nname='x'\nmeasures={n='count'}", "logagg.toml:1: dimensions: is missing"),
        ("[[rollup]]\nname='x'\ndimensions=['path']\nmeasures={}", 'write measures = {hits = "count"}'),
        (
            "[[rollup]]\nname='x'\ndimensions=[]\nmeasures={n='count'}\n" * 2,
            'logagg.toml:6: name: there is a rollup "x" already',
        ),
    ],
)
def test_errors_name_line_key_and_remedy(tmp_path: Path, content: str, message: str) -> None:
    found = refusal(tmp_path, content)
    assert found.startswith("logagg.toml:")
    assert message in found
    assert "\n" not in found


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file or directory; name another file with --config"):
        load(tmp_path / "none.toml", {})
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path, {})
    (tmp_path / "latin.toml").write_bytes(b'site = "\xe9"')
    with pytest.raises(ConfigError, match="UTF-8"):
        load(tmp_path / "latin.toml", {})


def test_the_default_file_changes_nothing(tmp_path: Path) -> None:
    assert written(tmp_path, default_file()) == Config(path=tmp_path / "logagg.toml")


_LISTED = ("rules", "rollups", "channel_rules", "logs", "watched", "receivers", "path")


def test_the_default_file_uncommented_is_valid_and_names_every_setting(tmp_path: Path) -> None:
    content = re.sub(r"(?m)^# (?=[a-z_]+ = |\[)", "", default_file())
    config = written(tmp_path, content)
    plain = [name for name in Config.__dataclass_fields__ if name not in _LISTED]
    assert all(getattr(config, name) == getattr(Config(), name) for name in plain)
    assert [rule.kind for rule in config.rules] == ["click"]
    assert [rollup.name for rollup in config.rollups] == ["slow_pages"]
    assert [(one.channel, one.host) for one in config.channel_rules] == [("Partners", ("partner.example.com",))]
    assert [log.site for log in config.logs] == ["shop.example.com"]
    assert [(alert.name, alert.above, alert.to) for alert in config.watched] == [("errors", 0.05, ("ops",))]
    assert [(one.name, one.kind) for one in config.receivers] == [("ops", "smtp")]
    for setting in SETTINGS:
        assert f"\n# {setting.help}\n# {setting.name} = " in default_file()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("15m", 900),
        ("1h", 3600),
        ("30d", 2592000),
        ("1y", 31536000),
        (2, 2),
        ("1.5h", 5400),
    ],
)
def test_durations(text: object, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1s", "1 month", "１s", True, -1, float("nan"), float("inf"), None, []])
def test_invalid_durations(text: object) -> None:
    with pytest.raises(ValueError, match="write a duration"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [("512MB", 2**29), ("64KiB", 65536), ("1g", 2**30), ("1.5k", 1536), (7, 7), ("7", 7), ("8 MB", 2**23)],
)
def test_sizes(text: object, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "MB", "-1", "1XB", True, -1, None, 1.5e300])
def test_invalid_sizes(text: object) -> None:
    with pytest.raises(ValueError, match="write a size"):
        size(text)


def test_forever() -> None:
    assert retention("forever") is None
    assert retention("2y") == 63072000.0
