"""`[[log]]`: which entry means a file, and what it says of the site."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.config.load import load
from logagg.config.logs import LogConfig, LogTable
from logagg.errors import ConfigError

TABLE = LogTable(
    [
        LogConfig("/var/log/*.log", "glob", "*", apart=("/var/log/error.log",)),
        LogConfig("/var/log/shop*.log", "longer", "shop.example"),
        LogConfig("/var/log/shop.log", "exact", "exact.example"),
        LogConfig("/var/log/nginx", "folder", "folder.example"),
        LogConfig("/srv/*/[ab]?.log", "many", "*"),
        LogConfig("/var/log/x[[]1].log", "literal"),
    ]
)


@pytest.mark.parametrize(
    ("path", "format", "site"),
    [
        ("/var/log/shop.log", "exact", "exact.example"),
        ("/var/log/shop2.log", "longer", "shop.example"),
        ("/var/log/Blog.Example.log", "glob", "blog.example"),
        ("/var/log/error.log", "", ""),
        ("/var/log/nginx/access.log", "folder", "folder.example"),
        ("/var/log/nginx/deep/access.log", "", ""),
        ("/srv/one.example/ax.log", "many", "one.example"),
        ("/srv/one/two/ax.log", "", ""),
        ("/srv/one/cx.log", "", ""),
        ("/var/log/x[1].log", "literal", ""),
        ("/elsewhere", "", ""),
    ],
)
def test_a_file_has_the_entry_that_means_it_most_closely(path: str, format: str, site: str) -> None:
    assert (TABLE.format_of(path), TABLE.site_of(path)) == (format, site)


def test_a_rotated_file_has_the_entry_of_its_live_log() -> None:
    assert TABLE.site_of("/var/log/shop.log", "/var/log/shop.log.1") == "exact.example"
    assert TABLE.site_of("/elsewhere/shop.log", "/var/log/shop.log") == "exact.example"


@given(st.text("ab*?[]!/.\n", max_size=12), st.text("ab[]!/.\n", max_size=12))
def test_any_glob_and_path(pattern: str, path: str) -> None:
    LogTable([LogConfig(f"/{pattern}", "f", "*")]).site_of(f"/{path}")


def written(folder: Path, content: str) -> tuple[LogConfig, ...]:
    file = folder / "logagg.toml"
    file.write_text(content)
    return load(file, {}).logs


def test_logs_of_a_file(tmp_path: Path) -> None:
    assert written(
        tmp_path,
        """
        [[log]]
        path = "/a/*.log"
        format = "combined"
        site = "Shop.Example"
        except = "/a/error.log"
        [[log]]
        path = "/b"
        """,
    ) == (LogConfig("/a/*.log", "combined", "shop.example", ("/a/error.log",)), LogConfig("/b"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[[log]]\nsite = 'x'", 'logagg.toml:1: path: is missing; write path = "'),
        ("[[log]]\npath = ''", 'logagg.toml:2: path: "" is not valid; write the path'),
        ("[[log]]\npath = '-'", 'logagg.toml:2: path: "-" is not valid; write the path'),
        ("[[log]]\npath = 'a'\nsite = '*'", "logagg.toml:3: site: "),
        ("[[log]]\npath = 'a'\nsit = 'x'", 'logagg.toml:3: sit: no such setting; did you mean "site"?'),
        ("[[log]]\npath = 'a'\n[[log]]\npath = 'a'", "logagg.toml:4: path: there is a [[log]] of a already"),
        ("[log]\npath = 'a'", "logagg.toml:1: log: is a list of sections; write [[log]] above each"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        written(tmp_path, content)
    assert str(caught.value).removeprefix(f"{tmp_path}/").startswith(message)
