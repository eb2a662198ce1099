from collections.abc import Mapping

from logagg.columnar.slices import Bytes, Mask, Offsets

DEEPEST: int

def split_objects(
    data: Bytes, start: Offsets, end: Offsets, paths_of: Mapping[str, str]
) -> tuple[Bytes, dict[str, tuple[Offsets, Offsets]], Mask]: ...
