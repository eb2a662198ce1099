"""A line ends in CR LF, and a read ends between the two, or anywhere within a line.

Vector #24027, PR #24028, #22464 lose or join lines there. logagg cuts after the last newline that it has read, and
reads the rest again.
"""

from tests.accidents.conftest import Site, line

SIZES = (8191, 8192, 8193, 65535, 65536, 65537)


def test_wherever_a_read_ends(site: Site) -> None:
    site.logagg.env["LOGAGG_TAIL_CHUNK"] = "8192"
    for size in SIZES:
        site.log(f"{size}.log").write_bytes(_lines_with_edge(site, size))
    site.once()


def _lines_with_edge(site: Site, size: int) -> bytes:
    """Return lines that end in CR LF, with a CR as the last of the first `size` bytes."""
    lines = [line(site.written + at, b"x" * (at % 97)).replace(b"\n", b"\r\n") for at in range(800)]
    site.written += len(lines)
    edge = next(at for at in range(len(lines)) if sum(map(len, lines[: at + 1])) > size)
    short = size + 1 - sum(map(len, lines[:edge]))
    lines[edge - 1] = lines[edge - 1].replace(b'"\r', b"y" * short + b'"\r')
    whole = b"".join(lines)
    assert whole[size - 1 : size + 1] == b"\r\n"
    return whole
