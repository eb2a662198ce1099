from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int32]
Hashes = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]

CARRY: int
CARRY_NANOSECONDS: int

def sort(numbers: Hashes, low: int, high: int) -> Hashes: ...
def rank(hashes: Hashes) -> Rows: ...
def group(
    keys: Sequence[Rows], sizes: Sequence[int], where: Bytes | None = None, ranked: Rows | None = None
) -> tuple[Rows, Rows]: ...
def counts(order: Rows, starts: Rows, where: Bytes) -> npt.NDArray[np.int64]: ...
def totals(
    values: npt.NDArray[Any], order: Rows, starts: Rows, where: Bytes | None = None
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64] | None]: ...
def sketches(hashes: Hashes, order: Rows, starts: Rows, where: Bytes | None, most: int) -> tuple[Rows, Hashes]: ...
def united(offsets: Rows, hashes: Hashes, order: Rows, starts: Rows, most: int) -> tuple[Rows, Hashes]: ...
