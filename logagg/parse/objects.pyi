from collections.abc import Sequence

from logagg.parse.slices import Bytes, Mask, Offsets

def split_objects(data: Bytes, start: Offsets, end: Offsets, keys: Sequence[str]) -> tuple[Offsets, Offsets, Mask]: ...
