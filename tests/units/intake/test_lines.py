"""The end of a chunk."""

import pytest

from logagg.intake.lines import Cut, cut


@pytest.mark.parametrize(
    ("ahead", "stop", "expected"),
    [
        (b"", None, Cut()),
        (b"half", None, Cut()),
        (b"one\ntwo\nhalf", None, Cut(8)),
        (b"one\r\ntwo\r", None, Cut(5)),
        (b"\0\0one\n", None, Cut(hole=True)),
        (b"one\n\0\0two\n", None, Cut(4)),  # the hole is skipped separately
        (b"o\0ne\ntwo\n", None, Cut(9)),  # not a hole, since it is within a line
        (b"one\ntwo\nsix\n", 8, Cut(8)),
        (b"one\ntwo\nsix\n", 9, Cut(8)),
        (b"six\n", 1, Cut(1)),  # an earlier run ended with a line without a newline
        (b"one\ntwo", 8, Cut(4)),  # the stop is further ahead
        (b"x" * 11, None, Cut(too_long=True)),
        (b"x" * 11 + b"\n", None, Cut(12)),  # the end of the line is in reach: the parser rejects it
    ],
)
def test_cut(ahead: bytes, stop: int | None, expected: Cut) -> None:
    assert cut(memoryview(ahead), 10, stop) == expected


@pytest.mark.parametrize("after", [1, 1 << 16, (1 << 16) + 1, 1 << 20])
def test_the_last_newline_is_far_from_the_end(after: int) -> None:
    assert cut(memoryview(b"one\ntwo\n" + b"x" * after), 10) == Cut(8)


def test_a_cut_is_where_no_line_goes_on() -> None:
    def up_to_an_end(ahead: memoryview, end: int) -> int:
        return bytes(ahead[:end]).rfind(b"end\n") + 4 if b"end\n" in bytes(ahead[:end]) else 0

    assert cut(memoryview(b"one end\ntwo\nhalf"), 10, None, up_to_an_end) == Cut(8)
    assert cut(memoryview(b"one\ntwo\nhalf and more"), 10, None, up_to_an_end) == Cut(), "it waits, and skips nothing"
    assert cut(memoryview(b"one\ntwo\nhalf"), 10, 8, up_to_an_end) == Cut(8), "where an earlier run has cut"
    assert cut(memoryview(b"one\n\0\0two\n"), 10, None, up_to_an_end) == Cut(4), "a hole ends all lines"
