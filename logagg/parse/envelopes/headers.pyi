from collections.abc import Mapping

from logagg.columnar.slices import Bytes, Mask, Offsets

KINDS: Mapping[str, int]

def times(data: Bytes, start: Offsets, end: Offsets) -> tuple[Offsets, Offsets]: ...
def strip(data: Bytes, start: Offsets, end: Offsets, kind: str) -> tuple[Offsets, Offsets, Mask, Bytes, Mask]: ...
