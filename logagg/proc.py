"""Facts of Linux about a process."""

from __future__ import annotations

from pathlib import Path


def memory(pid: int) -> int:
    """Return the bytes in memory of a process, its part of what it shares with others (Pss, proc(5)); 0: not known."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # it has ended meanwhile, or the system is not Linux
        return 0
    return int(next((line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:")), "0")) << 10
