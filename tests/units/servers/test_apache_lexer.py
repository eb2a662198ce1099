"""Apache's lines: continuations, quotes, sections; what is written is read again; errors name their line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.errors import ConfigError
from logagg.servers.apache_lexer import parse, words


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ('a  b "c d"', ["a", "b", "c d"]),
        (r'"%h \"%r\" %>s" x', ['%h "%r" %>s', "x"]),
        (r"'it\'s' '\"'", ["it's", r"\""]),
        (r'"a\tb\\c" d\\e', [r"a\tb\c", r"d\e"]),
        ('"not closed', ["not closed"]),
        ("a\"b c'd", ['a"b', "c'd"]),
        ("", []),
    ],
)
def test_words(rest: str, expected: list[str]) -> None:
    assert words(rest) == expected


def test_lines_go_on_behind_a_backslash() -> None:
    found = parse("A b \\\n  c\r\n# comment \\\n still\n\nB\td\nE \\\r\n", "conf")
    assert [(one.name, one.rest, one.place.line) for one in found] == [("a", "b   c", 1), ("b", "d", 6), ("e", "", 7)]


def test_sections_nest() -> None:
    host, last = parse(
        '<VirtualHost *:80 >\n<IfModule !x.c>\nA b\n</ifmodule>\n</VirtualHost>\n<If "1 > 0">\n</If>', "c"
    )
    (inner,) = host.section or ()
    assert (host.name, host.rest, inner.name, inner.rest) == ("virtualhost", "*:80", "ifmodule", "!x.c")
    assert [one.name for one in inner.section or ()] == ["a"] and last.rest == '"1 > 0"'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<A>\n</B>", "conf:2: unexpected </B>: expected </a>"),
        ("</A>", "conf:1: unexpected </A>: no section is open"),
        ("x\n<A>\ny", "conf:2: <a> is not closed"),
        ("<A b", "conf:1: '<A b' is not a section"),
    ],
)
def test_errors_name_the_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "conf")
    assert str(caught.value).startswith(message)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=12), max_size=4))
def test_what_is_written_is_read_again(values: list[str]) -> None:
    def quoted(value: str) -> str:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    (line,) = parse("Name " + " \\\n ".join(map(quoted, values)), "conf")
    assert words(line.rest) == values


@given(st.text(st.sampled_from("ab <>/\\\n\"'#${}")))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        for line in parse(text, "conf"):
            words(line.rest)
    except ConfigError as error:
        assert str(error).startswith("conf:")
