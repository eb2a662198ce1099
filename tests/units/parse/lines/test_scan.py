"""Which lines of a chunk count: those with something in them."""

import pytest

from logagg.parse.formats.compile import compile_format
from tests.laws.any_log import NOW, both, plain

LINE = b'192.0.2.1 - - [20/Nov/2026:01:02:03 +0100] "GET /a HTTP/1.1" 200 5 "-" "curl/8"'
BLANK = [b"", b" ", b"    \t ", b"\t", b"\r", b" \r", b" \r \r", b"\0\0 ", b"\0"]


@pytest.mark.parametrize("blank", BLANK)
@pytest.mark.parametrize("name", ["combined", "w3c", "caddy", "tsv:time_any,client,request,status,agent"])
def test_blank_lines_are_neither_hits_nor_rejects(name: str, blank: bytes) -> None:
    for batch in both(b"\n".join([blank, blank, b""]), compile_format(name)):
        assert (batch.table.num_rows, batch.rejects.counts) == (0, {})


def test_lines_around_blank_ones_keep_their_positions() -> None:
    data = b"\n".join([b"  \t", LINE, b" ", LINE, b" x", b"   "])
    for batch in both(data, compile_format("combined"), now=NOW):
        assert plain(batch)["position"].to_pylist() == [104, 104 + len(LINE) + 3]
        assert batch.rejects.counts == {"format": 1}
