"""The words of nginx's configuration, and the directives that they form.

The rules are those of `ngx_conf_read_token` in nginx's src/core/ngx_conf_file.c: quotes matter only where a word
begins, a backslash there hides any character, `#` begins a comment only between words, `${` does not open a block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from logagg.servers.files import Place

_CHECK = "`nginx -t` checks it"
_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*(?:\n|\Z))*")
_WORD = re.compile(r"(?:\\.|\$\{|[^ \t\r\n;{\\]|\\\Z)+", re.DOTALL)
_QUOTED = {quote: re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}", re.DOTALL) for quote in "\"'"}
_ESCAPED = re.compile(r"\\([\"'\\trn])")
_CONTROL = {"t": "\t", "r": "\r", "n": "\n"}
# The tokens of a block of Lua: strings, comments, braces; a brace in a string or comment does not count.
_LUA = re.compile(
    r"--\[(=*)\[.*?\]\1\]|--[^\n]*|\[(=*)\[.*?\]\2\]|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|[{}]", re.DOTALL
)
LUA_BLOCK = "_by_lua_block"


@dataclass(frozen=True, slots=True)
class Directive:
    """A directive: its words, the first of which is its name, and the directives between its braces."""

    words: tuple[str, ...]
    place: Place = field(compare=False)
    block: tuple[Directive, ...] | None = None  # None: it ends with a semicolon

    @property
    def name(self) -> str:
        return self.words[0]

    @property
    def arguments(self) -> tuple[str, ...]:
        return self.words[1:]


def parse(text: str, file: str) -> tuple[Directive, ...]:
    """Return the directives of a file. Raises ConfigError, which names the line."""
    return _Parser(text, file).directives()


class _Parser:
    """Reads one file from its beginning to its end."""

    def __init__(self, text: str, file: str) -> None:
        self._text, self._file = text.removeprefix("\ufeff"), file
        self._at = self._counted = 0
        self._line = 1

    def directives(self) -> tuple[Directive, ...]:
        # Blocks that are open, each with its directives so far; the first is the file itself.
        opened: list[tuple[tuple[str, ...], Place]] = []
        found: list[list[Directive]] = [[]]
        while True:
            self._skip(_GAP)
            if self._at >= len(self._text):
                break
            if self._takes("}"):
                if not opened:
                    raise self._place().error('unexpected "}"', _CHECK)
                words, place = opened.pop()
                block = tuple(found.pop())
                found[-1].append(Directive(words, place, block))
                continue
            place, (words, end) = self._place(), self._statement()
            if end == ";":
                found[-1].append(Directive(words, place))
            elif words[0].endswith(LUA_BLOCK):
                self._skip_lua(place)
                found[-1].append(Directive(words, place, ()))
            else:
                opened.append((words, place))
                found.append([])
        if opened:
            raise opened[-1][1].error(f'"{opened[-1][0][0]}" is not closed: a "}}" is missing', _CHECK)
        return tuple(found[0])

    def _statement(self) -> tuple[tuple[str, ...], str]:
        """Return the words of a directive, and the character that ends them: `;` or `{`."""
        place, words = self._place(), list[str]()
        while True:
            self._skip(_GAP)
            for end in ";{":
                if self._takes(end):
                    if not words:
                        raise place.error(f'unexpected "{end}"', _CHECK)
                    return tuple(words), end
            if self._at >= len(self._text) or self._text[self._at] == "}":
                raise place.error(f'"{words[0]}" is not ended by ";" or "{{"', _CHECK)
            words.append(self._word())

    def _word(self) -> str:
        first, place = self._text[self._at], self._place()
        if first not in _QUOTED:
            return _unescaped(self._skip(_WORD))
        found = _QUOTED[first].match(self._text, self._at)
        if not found:
            raise place.error("a quote is not closed", _CHECK)
        self._at = found.end()
        if self._at < len(self._text) and self._text[self._at] not in " \t\r\n;{)":
            raise self._place().error(f'unexpected "{self._text[self._at]}" behind a quote', _CHECK)
        return _unescaped(found[1])

    def _skip_lua(self, place: Place) -> None:
        """Pass over a block of Lua, to the brace that closes it."""
        depth = 1
        for found in _LUA.finditer(self._text, self._at):
            depth += {"{": 1, "}": -1}.get(found[0], 0)
            if not depth:
                self._at = found.end()
                return
        raise place.error('a block of Lua is not closed: a "}" is missing', _CHECK)

    def _takes(self, mark: str) -> bool:
        if self._text.startswith(mark, self._at):
            self._at += 1
            return True
        return False

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        assert found, "the patterns match wherever they are tried"
        self._at = found.end()
        return found[0]

    def _place(self) -> Place:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return Place(self._file, self._line)


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: _CONTROL.get(found[1], found[1]), text)


def walk(directives: tuple[Directive, ...]) -> Iterator[Directive]:
    """Yield directives and those inside of them, in their order."""
    for one in directives:
        yield one
        yield from walk(one.block or ())
