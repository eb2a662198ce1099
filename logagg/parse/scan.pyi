from logagg.parse.formats import Format
from logagg.parse.slices import Bytes, Mask, Offsets

def find_lines(data: Bytes) -> tuple[Offsets, Offsets]: ...
def split_fields(
    data: Bytes, start: Offsets, end: Offsets, fmt: Format
) -> tuple[dict[str, tuple[Offsets, Offsets]], Mask]: ...
