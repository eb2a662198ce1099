from collections.abc import Sequence

from logagg.columnar.slices import Bytes, Mask, Offsets

DEEPEST: int

def split_objects(
    data: Bytes, start: Offsets, end: Offsets, keys: Sequence[str], arrays: bool = False
) -> tuple[Bytes, Offsets, Offsets, Mask]: ...
