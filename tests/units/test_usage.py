"""What click finds wrong is one line, as every failure: the command, the option, what is wrong, what to do."""

from __future__ import annotations

import pytest

from logagg.cli import main
from logagg.query.names import REPORTS


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nothing"], "no such command 'nothing'"),
        (["reprt"], "no such command 'reprt'; did you mean 'report'?"),
        (["--nothing"], "no such option '--nothing'"),
        (
            ["tail"],
            "tail: name logs as PATH, or a server with --nginx or --apache, or write [tail] paths in logagg.toml",
        ),
        (["report", "--limt", "3"], "report: no such option '--limt'; did you mean '--limit'?"),
        (["report", "--limit"], "report: option '--limit' requires an argument"),
        (["report", "--limit", "x"], "report: --limit: 'x' is not a valid integer range"),
        (["report", "page"], "report: NAME: 'page' is not one of 'overview', "),
        (["report", "page"], "; did you mean 'pages'?"),
        (["report", "pages", "ads"], "report: got unexpected extra argument (ads)"),
        (["report", "--format", "xml"], "report: --format: 'xml' is not one of 'table', 'json', "),
        (["report", "--compare", "week"], "report: --compare is for --html; see logagg report --help"),
        (["tail", "--memory", "lots", "x"], "tail: --memory: 'lots' is not valid; write a size such as "),
        (["tail", "--flush", "0", "x"], "tail: --flush: '0' is not valid; write something above zero"),
        (["worker"], "worker: missing option '--gearman'"),
        (["backfill"], "backfill: missing argument 'ROLLUP'"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nowhere")
    with pytest.raises(SystemExit) as left:
        main(arguments)
    said = capsys.readouterr().err
    assert left.value.code == 2 and said.startswith("logagg: ") and said.count("\n") == 1
    assert line in said


def test_wrong_usage_is_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["tail", "--log-json", "--nothing"])
    assert '"level": "error", "kind": "failure", "text": "tail: no such option' in capsys.readouterr().err


def test_every_report_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["report", "nothing"])
    said = capsys.readouterr().err
    assert all(f"'{name}'" in said for name in REPORTS)
