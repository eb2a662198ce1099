"""nginx's words: quotes, escapes, comments, blocks, Lua; what is written is read again; errors name their line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.errors import ConfigError
from logagg.servers.files import Place
from logagg.servers.nginx_lexer import Directive, parse

HERE = Place("conf", 1)


def words(text: str) -> list[tuple[str, ...]]:
    return [one.words for one in parse(text, "conf")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b  c;", ("a", "b", "c")),
        ("a\r\n\tb ;", ("a", "b")),
        ("a 'b c' \"d;{}\" ;", ("a", "b c", "d;{}")),
        ("a '' \"\";", ("a", "", "")),
        (r"a 'it\'s' \"x\" b\ c \\;", ("a", "it's", '"x"', r"b\ c", "\\")),
        (r"a 'x\ty' \d+;", ("a", "x\ty", r"\d+")),
        ("a # comment ; {\n b;", ("a", "b")),
        ("a b#c;", ("a", "b#c")),
        ("a ${b}c $d{e;", None),
        ("a ${b}c x'y\"z;", ("a", "${b}c", "x'y\"z")),
        ("a b};", ("a", "b}")),
        (r"a b\;c;", ("a", r"b\;c")),
        ('if ($a ~ "b c") ;', ("if", "($a", "~", "b c", ")")),
        ("\ufeffa;", ("a",)),
    ],
)
def test_words(text: str, expected: tuple[str, ...] | None) -> None:
    if expected is not None:
        assert words(text) == [expected]
    else:
        with pytest.raises(ConfigError):
            parse(text, "conf")


def test_blocks_nest_and_know_their_lines() -> None:
    (http,) = parse("http {\n  server { a;\n b { c; } }\n}\n", "conf")
    (server,) = http.block or ()
    a, b = server.block or ()
    assert [one.place.line for one in (http, server, a, b)] == [1, 2, 2, 3]
    assert (a.block, b.block) == (None, (Directive(("c",), HERE),))


@pytest.mark.parametrize(
    "lua",
    [
        "ngx.say('}')",
        'x = "\\"}" -- }',
        "--[[ } ]] x = [==[ } ]] ]==]",
        "if a then t = {1, {2}} end n = #t.x",
        "--[=[\n}\n]=]\nreturn",
    ],
)
def test_lua_is_passed_over(lua: str) -> None:
    found = parse(f"location / {{ content_by_lua_block {{ {lua}\n}} a; }} b;", "conf")
    assert [one.words for one in found[0].block or ()] == [("content_by_lua_block",), ("a",)]
    assert found[1].words == ("b",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a;\n}", 'conf:2: unexpected "}"'),
        ("a;\n;", 'conf:2: unexpected ";"'),
        ("\n{ a; }", 'conf:2: unexpected "{"'),
        ("a {\n b;", 'conf:1: "a" is not closed'),
        ("a b", 'conf:1: "a" is not ended'),
        ("a {\nb }", 'conf:2: "b" is not ended'),
        ("a\n 'b", "conf:2: a quote is not closed"),
        ("a 'b'c;", 'conf:1: unexpected "c" behind a quote'),
        ("a_by_lua_block {\n '}' ", "conf:1: a block of Lua is not closed"),
    ],
)
def test_errors_name_the_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "conf")
    assert str(caught.value).startswith(message)


# properties

WORD = st.text(st.characters(codec="utf-8", exclude_characters="\r\ufeff"), max_size=12)
NAME = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
GAP = st.sampled_from([" ", "\n", "\t ", " # a ; comment } \n"])


def directives(blocks: st.SearchStrategy[tuple[Directive, ...]] | None = None) -> st.SearchStrategy[Directive]:
    inner = st.none() if blocks is None else st.none() | blocks
    return st.builds(
        lambda name, rest, block: Directive((name, *rest), HERE, block), NAME, st.lists(WORD, max_size=3), inner
    )


TREE = st.recursive(
    st.lists(directives(), max_size=3).map(tuple),
    lambda inner: st.lists(directives(inner), max_size=3).map(tuple),
    max_leaves=8,
)


def quoted(word: str, quote: str) -> str:
    """Write a word as nginx's users do."""
    escaped = word.replace("\\", "\\\\").replace(quote, "\\" + quote)
    return quote + escaped + quote


@given(TREE, st.data())
@pytest.mark.slow
def test_what_is_written_is_read_again(tree: tuple[Directive, ...], data: st.DataObject) -> None:
    def written(one: Directive) -> str:
        rest = [quoted(word, data.draw(st.sampled_from("\"'"))) for word in one.arguments]
        gap = data.draw(GAP)
        end = ";" if one.block is None else "{" + gap + "".join(map(written, one.block)) + "}"
        return gap.join([one.name, *rest]) + gap + end

    assert parse("".join(map(written, tree)), "conf") == tree


@given(st.text(st.sampled_from("ab \n;{}'\"\\#$[]-=_")))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text, "conf")
    except ConfigError as error:
        assert str(error).startswith("conf:")
