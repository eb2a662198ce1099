"""Lines that are kept until all are there: in memory while they are few, then in a temporary file."""

from __future__ import annotations

import tempfile
from array import array

from logagg.closing import Closing

MEMORY = 32 << 20  # bytes of lines that are kept in memory

_NOWHERE = -1


class KeptLines(Closing):
    """The lines of rows, by the number of the row; they come in any order."""

    def __init__(self, rows: int) -> None:
        # The file has no name, so that no other process can open it: lines of logs are confidential.
        self._file = tempfile.SpooledTemporaryFile(MEMORY)
        self._start, self._length = array("q", [_NOWHERE]) * rows, array("q", [0]) * rows
        self._end = 0

    def put(self, row: int, line: bytes) -> None:
        self._file.seek(self._end)
        self._file.write(line)
        self._start[row], self._length[row] = self._end, len(line)
        self._end += len(line)

    def drop(self, row: int) -> None:
        self._start[row] = _NOWHERE

    def get(self, row: int) -> bytes | None:
        if self._start[row] == _NOWHERE:
            return None
        self._file.seek(self._start[row])
        return self._file.read(self._length[row])

    def __contains__(self, row: int) -> bool:
        return self._start[row] != _NOWHERE

    def count(self) -> int:
        return len(self._start) - self._start.count(_NOWHERE)

    def close(self) -> None:
        self._file.close()
