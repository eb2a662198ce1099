"""The installed command follows a real log: rotation, `kill -9`, restart; each line once."""

import gzip
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [str(Path(sys.executable).parent / "logagg")]
LINE = '192.0.2.7 - - [20/Nov/2025:00:00:00 +0000] "GET /page/{} HTTP/1.1" 200 10 "-" "Mozilla/5.0 (X11; Linux) Firefox/127.0"\n'


def write(path: Path, first: int, last: int) -> None:
    with path.open("a") as file:
        file.writelines(LINE.format(number) for number in range(first, last))


class Tail:
    """A running `logagg tail`."""

    def __init__(self, lake: Path, logs: Path) -> None:
        self.lake = lake
        self.process = subprocess.Popen([*COMMAND, "tail", "-q", "--lake", str(lake), "--flush", "0.2", str(logs)])

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    def expect(self, lines: int) -> None:
        """Wait until so many lines are counted; fail if there are more, or never as many."""
        for _ in range(150):
            if (found := count(self.lake)) >= lines:
                break
            time.sleep(0.2)
        assert found == lines


def count(lake: Path) -> int:
    query = "SELECT coalesce(sum(hits), 0)::BIGINT AS lines FROM traffic"
    done = subprocess.run([*COMMAND, "sql", "--lake", str(lake), "--format", "csv", query], capture_output=True, text=True)
    return int(done.stdout.split()[-1]) if done.returncode == 0 else 0


@pytest.mark.timeout(120)
def test_each_line_counts_once(tmp_path: Path) -> None:
    logs, lake = tmp_path / "logs", tmp_path / "lake"
    logs.mkdir()
    live = logs / "access.log"
    write(live, 0, 100)
    tail = Tail(lake, logs)
    tail.expect(100)
    write(live, 100, 150)
    tail.expect(150)

    live.rename(logs / "access.log.1")
    write(logs / "access.log.1", 150, 160)  # by the writer that still holds the old file
    write(live, 160, 200)
    tail.expect(200)

    tail.end(signal.SIGKILL)
    write(live, 200, 210)
    live.rename(logs / "access.log.2")
    (logs / "access.log.1").rename(logs / "access.log.3")
    with (logs / "access.log.3").open("rb") as plain, gzip.open(logs / "access.log.3.gz", "wb") as packed:
        shutil.copyfileobj(plain, packed)
    (logs / "access.log.3").unlink()
    write(logs / "access.log.1", 210, 230)  # came and went while nobody looked
    write(live, 230, 250)
    tail = Tail(lake, logs)
    tail.expect(250)

    second = subprocess.run([*COMMAND, "tail", "--lake", str(lake), str(logs)], capture_output=True, text=True)
    assert second.returncode == 1
    assert f"process {tail.process.pid} writes this lake" in second.stderr

    with live.open("w") as file:
        file.write(LINE.format("after truncation"))
    tail.expect(251)
    assert tail.end(signal.SIGTERM) == 0
    assert count(lake) == 251
