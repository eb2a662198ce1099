"""Poison: jobs that make their shard fail again and again, by an exception or by the death of its process.

    quarantine/shard.7    the job that shard 7 is working on, and how often it has failed with which jobs
    quarantine/....job    a job that was given up, as received; the reason is beside it in .txt

From the first file, the next owner of a shard learns which job its last owner died of. The file is not synced: it
survives the death of a process, and after a power cut a job has all its attempts again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from logagg.clock import Clock
from logagg.errors import LogaggError
from logagg.lake import durable
from logagg.lake.ownership import give, give_open
from logagg.notices import Report, job_failed, job_not_kept, job_quarantined

ATTEMPTS = 3  # times that a job may make its shard fail
CAREFUL = 60.0  # seconds after a failure in which each job is taken alone; the lost jobs are sent again in that time
QUARANTINE = "quarantine"  # the folder for jobs that were given up
KEPT, KEPT_BYTES = 100, 256 << 20  # the most jobs, and the most bytes of all of them
FLUSH = ""  # not a job, but everything since the last flush
REMEMBERED = 20  # failed jobs of a shard
_READ = 1 << 16
_LISTED, _LONGEST = 1000, 2000  # limits for a reader: jobs, and bytes of a reason


@dataclass(frozen=True, slots=True)
class _Note:
    """The content of a shard's file."""

    failures: dict[str, int]  # by job
    at: str | None = None  # the current job, FLUSH, or None
    alone: bool = False  # no other jobs wait to be rolled up
    strict: bool = False  # the job is also committed before the next one


class Attempts:
    """Counts how often a shard has failed with which jobs.

    Events are rolled up many jobs at a time, so the job at which a shard fails need not be the cause, unless it is alone.
    So for a while after a failure each job is rolled up before the next one is taken; after a failure at a flush, each job
    is also committed before the next one.
    """

    def __init__(self, root: Path, shard: int, clock: Clock, notice: Report) -> None:
        self._shard, self._clock, self._notice = shard, clock, notice
        self._careful_until = self._strict_until = clock.monotonic()
        self._file = _opened(root, f"shard.{shard}")
        last = _read(self._file)
        self._failures = last.failures
        if last.at is not None:
            self._blame(last, "its owner died")
            self._note(_Note(self._failures))

    @property
    def careful(self) -> bool:
        """Return whether each job is to be rolled up alone."""
        return self._clock.monotonic() < self._careful_until

    @property
    def strict(self) -> bool:
        """Return whether each job is to be committed alone."""
        return self._clock.monotonic() < self._strict_until

    def exhausted(self, job: str) -> bool:
        """Return whether the shard has failed with a job too often."""
        return self._failures.get(job, 0) >= ATTEMPTS

    def done(self, job: str) -> None:
        """Forget the failures of a job, unless it was given up: then it may be sent again. Takes effect with the next note."""
        if not self.exhausted(job):
            self._failures.pop(job, None)

    @contextmanager
    def work(self, job: str = FLUSH, *, alone: bool = False) -> Iterator[None]:
        """Work on a job, or flush, in the `with` block; a failure, even a crash, is counted against the job if it is alone."""
        note = _Note(self._failures, job, alone, self.strict)
        self._note(note)
        try:
            yield
        except LogaggError:
            raise  # not the fault of the job
        except Exception as error:
            self._blame(note, f"{type(error).__name__}: {error}")
            raise
        finally:
            self._note(_Note(self._failures))

    def close(self) -> None:
        os.close(self._file)

    def _blame(self, note: _Note, what: str) -> None:
        self._careful_until = self._clock.monotonic() + CAREFUL
        if note.at == FLUSH or note.strict:
            self._strict_until = self._careful_until
        tried = "one of several jobs; each is tried alone now"
        if note.at and note.alone:
            count = self._failures.pop(note.at, 0) + 1
            self._failures = dict([*self._failures.items(), (note.at, count)][-REMEMBERED:])
            tried = f"job {note.at}, {count} of {ATTEMPTS} times"
        self._notice(job_failed(self._shard, tried, what))

    def _note(self, note: _Note) -> None:
        """Note the current work. If the disk refuses, the work goes on."""
        with contextlib.suppress(OSError):  # in one write; the rest of a longer note follows the newline
            os.pwrite(self._file, f"{json.dumps(asdict(note))}\n".encode(), 0)


@dataclass(frozen=True, slots=True)
class KeptJob:
    """A message in the quarantine."""

    file: str  # in the lake
    reason: str
    bytes: int
    at: float  # when it was kept, in seconds since the epoch


def kept(root: Path) -> list[KeptJob]:
    """Return the jobs in the quarantine of a lake, the newest first; none if it has no quarantine. Raises OSError."""
    try:
        with os.scandir(root / QUARANTINE) as entries:
            paths = [Path(entry.path) for entry in entries if entry.name.endswith(".job")]
    except FileNotFoundError:
        return []
    jobs: list[KeptJob] = []
    for path in paths[:_LISTED]:
        with contextlib.suppress(FileNotFoundError):  # a user has deleted it
            found = path.stat()
            jobs.append(KeptJob(f"{QUARANTINE}/{path.name}", _reason(path), found.st_size, found.st_mtime))
    return sorted(jobs, key=lambda job: (-job.at, job.file))


def _reason(path: Path) -> str:
    """Return the description that is written beside a job."""
    try:
        with path.with_suffix(".txt").open("rb") as file:
            return file.read(_LONGEST).decode(errors="replace").strip()
    except OSError:
        return ""


class Quarantine:
    """Keeps messages that cannot be counted, up to a bound, each with its reason."""

    def __init__(self, root: Path, notice: Report) -> None:
        self._folder, self._notice = root / QUARANTINE, notice

    def keep(self, name: str, data: bytes, reason: str) -> None:
        digest = hashlib.blake2b(data, digest_size=8).hexdigest()
        path = self._folder / f"{digest}.job"
        self._notice(job_quarantined(str(path), reason))
        try:
            if not path.exists() and self._fits(len(data)):
                path.write_bytes(data)
                path.with_suffix(".txt").write_text(f"{name}: {reason}\n")
                give(path)
                give(path.with_suffix(".txt"))
                durable.sync(path)
        except OSError as error:
            self._notice(job_not_kept(str(path), str(error.strerror)))

    def _fits(self, size: int) -> bool:
        kept = [path.stat().st_size for path in self._folder.glob("*.job")]
        return len(kept) < KEPT and sum(kept) + size <= KEPT_BYTES


def _opened(root: Path, name: str) -> int:
    """Open a file in the quarantine. Raises CommitFailed."""
    folder = root / QUARANTINE
    with durable.failing_as_commit(root):
        durable.make_directory(folder)
        file = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        give_open(file, folder)
        return file


def _read(file: int) -> _Note:
    text = os.pread(file, _READ, 0).partition(b"\n")[0]
    try:
        return _Note(**json.loads(text)) if text else _Note({})
    except (ValueError, TypeError):  # a note that was being written
        return _Note({}, FLUSH)
