from logagg.columnar.slices import Bytes, Mask, Offsets

TIMES: tuple[str, ...]

def statuses(data: Bytes, start: Offsets, end: Offsets) -> tuple[Offsets, Mask]: ...
def sizes(data: Bytes, start: Offsets, end: Offsets, most: int = ...) -> tuple[Offsets, Mask]: ...
def times(data: Bytes, start: Offsets, end: Offsets, field: str, now: float) -> tuple[Offsets, Mask]: ...
def dated_times(
    data: Bytes,
    start: Offsets,
    end: Offsets,
    clock_start: Offsets,
    clock_end: Offsets,
    now: float,
    american: bool = False,
) -> tuple[Offsets, Mask]: ...
