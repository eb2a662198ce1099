"""Where a configuration is looked for, where its relative paths begin, and which variables are settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logagg.config import places
from logagg.config.load import load, refuse_unknown_variables
from logagg.config.sections import SETTINGS, Config
from logagg.errors import ConfigError


def test_the_order_of_places() -> None:
    assert list(map(str, places.candidates({"HOME": "/home/ann"}))) == [
        "logagg.toml",
        "/home/ann/.config/logagg/logagg.toml",
        "/etc/xdg/logagg/logagg.toml",
        "/etc/logagg/logagg.toml",
    ]
    environ = {"HOME": "/home/ann", "XDG_CONFIG_HOME": "/c", "XDG_CONFIG_DIRS": "/d:relative:/e"}
    assert list(map(str, places.candidates(environ)))[1:-1] == [f"/{one}/logagg/logagg.toml" for one in "cde"]
    assert len(list(places.candidates({"XDG_CONFIG_DIRS": "relative"}))) == 2  # there is no home


def test_the_first_that_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(places, "SYSTEM", tmp_path / "etc/logagg")
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "home"), "XDG_CONFIG_DIRS": str(tmp_path / "xdg")}
    assert places.found(environ) is None
    for path in reversed(list(places.candidates(environ))):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0)  # it is the configuration, though it may not be read: the next one would be a surprise
        assert places.found(environ) == path
    os.unlink("logagg.toml")
    os.symlink("missing", "logagg.toml")
    assert places.found(environ) == Path("logagg.toml")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "etc" / "logagg.toml"
    file.parent.mkdir()
    file.write_text(
        """
        [lake]
        path = "lakes/a"
        [tail]
        paths = ["logs/*.log", "/var/log/nginx", "~/logs"]
        [[log]]
        path = "logs"
        except = "logs/old.log"
        """
    )
    return file


def test_relative_paths_begin_at_the_folder_of_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    config, folder = load(file, {}), str(file.parent)
    assert config.lake.path == f"{folder}/lakes/a"
    assert config.tail.paths == (f"{folder}/logs/*.log", "/var/log/nginx", "/home/ann/logs")
    assert (config.logs[0].path, config.logs[0].apart) == (f"{folder}/logs", (f"{folder}/logs/old.log",))
    assert config.paths == [*config.tail.paths, f"{folder}/logs"]


def test_the_environment_comes_first_and_its_paths_begin_here(file: Path) -> None:
    config = load(file, {"LOGAGG_LAKE": "here", "LOGAGG_TAIL_PATHS": "a.log:/b/*.log"})
    assert (config.lake.path, config.tail.paths) == ("here", ("a.log", "/b/*.log"))
    assert load(None, {"LOGAGG_LAKE": ""}).lake.path == Config().lake.path == ""


def test_beside_the_file_a_path_is_as_it_was_written(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert load(Path("logagg.toml"), {}).lake.path == "lakes/a"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("[lake]\npath = '-'", 'path: "-" is not valid; write the path of a directory'),
        ("[lake]\npath = 3", "path: 3 is not valid; write a text in quotes"),
        ("[tail]\npaths = ['-']", "is not valid; write paths of files or directories, or globs"),
        ("[tail]\npaths = 7", "paths: 7 is not valid; write a text in quotes, or a list"),
    ],
)
def test_paths_that_are_none(file: Path, written: str, message: str) -> None:
    file.write_text(written)
    with pytest.raises(ConfigError) as refused:
        load(file, {})
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("LOGAGG_TAIL_FLSH", "did you mean LOGAGG_TAIL_FLUSH?"),
        ("LOGAGG_LAK", "did you mean LOGAGG_LAKE?"),
        ("LOGAGG_SECRETS", "did you mean LOGAGG_SECRET?"),
        ("LOGAGG_LAKE_PATH", "did you mean LOGAGG_LAKE"),
        ("LOGAGG_QQQ", "unset it; logagg docs configuration lists those that there are"),
    ],
)
def test_an_unknown_variable(name: str, hint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        refuse_unknown_variables({name: "1", "PATH": "/bin"})
    assert str(refused.value).startswith(f"environment variable {name}: no such setting; {hint}")


def test_known_variables() -> None:
    names = [one.variable for one in SETTINGS]
    assert len(names) == len(set(names))
    of_kubernetes = ["LOGAGG_SERVICE_HOST", "LOGAGG_PAGE_SERVICE_PORT_HTTP", "LOGAGG_PORT", "LOGAGG_PORT_80_TCP_ADDR"]
    refuse_unknown_variables(
        dict.fromkeys([*names, *of_kubernetes, "LOGAGG_CONFIG", "LOGAGG_SECRET", "_LOGAGG_COMPLETE", "LOG"], "x")
    )
