"""What became of the last lines of each log: which have no format that fits, and which are mostly rejects."""

from __future__ import annotations

WINDOW = 100  # lines of a log that are remembered, as a share
FEW = 10  # lines from which on a share tells something


class ParseRecord:
    """Counts the last lines of each source; threads may add while others read."""

    def __init__(self) -> None:
        self._recent: dict[str, tuple[float, float]] = {}  # by source: lines, and rejects among them
        self._refused: set[str] = set()

    def refuse(self, source: str) -> None:
        """Note that no format fits a source."""
        self._refused.add(source)

    def add(self, source: str, lines: int, rejects: int) -> None:
        """Add what was parsed of a source: the lines before it count for the less the more there are."""
        if not lines:
            return
        self._refused.discard(source)
        before, rejected = self._recent.get(source, (0.0, 0.0))
        added = min(lines, WINDOW)
        kept = min(1.0, (WINDOW - added) / before) if before else 0.0
        self._recent[source] = (before * kept + added, rejected * kept + rejects * added / lines)

    def without_format(self) -> set[str]:
        """Return the sources that no format fits."""
        return set(self._refused)

    def mostly_rejected(self) -> dict[str, tuple[int, int]]:
        """Return the sources of whose last lines more than half are rejects: how many lines, and how many of them."""
        recent = list(self._recent.items())
        return {id_: (round(lines), round(bad)) for id_, (lines, bad) in recent if lines >= FEW and bad > lines / 2}

    def forget_all_but(self, sources: set[str]) -> None:
        """Drop what is known of other sources."""
        for id_ in self._recent.keys() - sources:
            del self._recent[id_]
        self._refused &= sources
