from logagg.columnar.slices import Bytes, Mask, Offsets
from logagg.parse.formats.format import Format

SHAPES: tuple[str, ...]

def find_lines(data: Bytes) -> tuple[Offsets, Offsets]: ...
def last_line(data: Bytes, beginning: bytes) -> tuple[int, int] | None: ...
def split_fields(
    data: Bytes, start: Offsets, end: Offsets, fmt: Format
) -> tuple[dict[str, tuple[Offsets, Offsets]], Mask]: ...
