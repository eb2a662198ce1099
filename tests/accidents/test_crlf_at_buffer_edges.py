"""A line ends in CR LF, and a read ends between the two; or within a line, anywhere.

Vector #24027, PR #24028, #22464 lose or join lines there. logagg cuts after the last newline of what it has read, and
reads the rest again.
"""

import pytest

from tests.accidents.conftest import Site, line


@pytest.mark.parametrize("size", [8191, 8192, 8193, 65535, 65536, 65537])
def test_wherever_a_read_ends(site: Site, size: int) -> None:
    site.logagg.env["LOGAGG_TAIL_CHUNK"] = "8192B" if size < 10_000 else "65536B"
    lines = [line(number, b"x" * (number % 97)).replace(b"\n", b"\r\n") for number in range(800)]
    edge = [at for at in range(len(lines)) if sum(map(len, lines[: at + 1])) > size][0]
    short = size - sum(map(len, lines[:edge]))
    lines[edge - 1] = lines[edge - 1].replace(b'"x', b'"' + b"y" * (short - 1) + b"x", 1)  # its \r is the last byte
    site.written = len(lines)
    site.log().write_bytes(b"".join(lines))
    site.once()
    site.check()
