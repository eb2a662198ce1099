from collections.abc import Sequence

from logagg.columnar.slices import Bytes, Mask, Offsets
from logagg.parse.formats.format import Format

def split_columns(
    data: Bytes, start: Offsets, end: Offsets, fmt: Format, shapes: Sequence[str]
) -> tuple[dict[str, tuple[Offsets, Offsets]], Mask]: ...
