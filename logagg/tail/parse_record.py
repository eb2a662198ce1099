"""How the last lines of each log were parsed: which logs match no format, and which are mostly rejects."""

from __future__ import annotations

from collections import deque

WINDOW = 100  # last lines of a log that are considered
FEW = 10  # lines at least for a meaningful share


class _Recent:
    """The last lines of a source, chunk by chunk."""

    def __init__(self) -> None:
        self._chunks: deque[tuple[int, int]] = deque()  # lines, and rejects among them
        self._lines = self._rejects = 0

    def add(self, lines: int, rejects: int) -> None:
        self._chunks.append((lines, rejects))
        self._lines, self._rejects = self._lines + lines, self._rejects + rejects
        while self._lines - self._chunks[0][0] >= WINDOW:
            lines, rejects = self._chunks.popleft()
            self._lines, self._rejects = self._lines - lines, self._rejects - rejects

    def counts(self) -> tuple[int, int]:
        """Return the number of last lines considered, and of rejects, assumed to be spread evenly over a chunk."""
        lines, rejects = self._chunks[0]
        over = max(0, self._lines - WINDOW)
        return self._lines - over, round(self._rejects - rejects * over / lines)


class ParseRecord:
    """Counts the last lines of each source; threads may add while others read."""

    def __init__(self) -> None:
        self._recent: dict[str, _Recent] = {}
        self._mostly: dict[str, tuple[int, int]] = {}  # sources of mostly rejects: lines, and rejects among them
        self._refused: dict[str, str] = {}  # by source: the format that it was to have

    def refuse(self, source: str, given: str = "") -> None:
        """Note that a source does not match the given format, or any."""
        self._refused[source] = given

    def add(self, source: str, lines: int, rejects: int) -> None:
        """Add the lines and rejects of a chunk."""
        if lines:
            self._refused.pop(source, None)
            recent = self._recent.get(source) or _Recent()
            recent.add(lines, rejects)
            self._recent[source] = recent
            self._note(source, *recent.counts())

    def _note(self, source: str, lines: int, rejects: int) -> None:
        if lines >= FEW and rejects > lines / 2:
            self._mostly[source] = (lines, rejects)
        else:
            self._mostly.pop(source, None)

    def without_format(self) -> dict[str, str]:
        """Return the sources that match no format, and which format they were to have; empty if any."""
        return dict(self._refused)

    def mostly_rejected(self) -> dict[str, tuple[int, int]]:
        """Return the sources with mostly rejects among their last lines: the numbers of lines and of rejects."""
        return dict(self._mostly)

    def forget_all_but(self, sources: set[str]) -> None:
        """Drop the records of other sources."""
        for id_ in self._recent.keys() - sources:
            del self._recent[id_]
            self._mostly.pop(id_, None)
        self._refused = {id_: given for id_, given in self._refused.items() if id_ in sources}
