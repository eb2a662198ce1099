"""Each guard is needed: without it, exactly those attacks succeed that it stops alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from logagg.errors import LimitReached, LogaggError, QueryFailed
from logagg.query import sandbox, sandbox_frames
from logagg.query.sandbox import Answer, QueryLimits, Sandbox
from tests.conftest import ROOT, wait_until
from tests.security import confined
from tests.security.attacks import ATTACKS, Attack
from tests.security.conftest import Place

LIMITS = QueryLimits(seconds=60, memory=256 << 20, rows=1000)
TOGETHER = sorted({attack.guards for attack in ATTACKS if len(attack.guards) > 1}, key=sorted)


def test_each_guard_alone_stops_an_attack() -> None:
    alone = {guard for attack in ATTACKS if len(attack.guards) == 1 for guard in attack.guards}
    assert alone | {"threads"} == set(confined.GUARDS)  # for threads see below


def got_through(place: Place, monkeypatch: pytest.MonkeyPatch, without: list[str]) -> set[str]:
    """Make all attacks in one process without these guards, and return those that succeeded."""
    things = [
        {"deed": one.deed, "arguments": [place.filled(text) for text in one.arguments]}
        if one.deed
        else {"sql": place.filled(one.sql)}
        for one in ATTACKS
    ]
    monkeypatch.setattr(sandbox, "BOOTSTRAP", confined.bootstrap(without, things, str(ROOT)))
    with Sandbox(place.lake, readable=[place.named], limits=LIMITS).run("") as answer:
        rows = list(answer.rows())
    return {one.name for one, (worked, said) in zip(ATTACKS, rows, strict=True) if has_worked(one, worked, said)}


def has_worked(attack: Attack, worked: bool, said: str) -> bool:
    return worked or bool(attack.says and attack.says in said)


@pytest.mark.parametrize(
    "without",
    [[], *([guard] for guard in confined.GUARDS), *map(sorted, TOGETHER)],
    ids=lambda without: " ".join(without) or "none",
)
def test_without_some_guards_exactly_their_attacks_succeed(
    place: Place, monkeypatch: pytest.MonkeyPatch, without: list[str]
) -> None:
    expected = {attack.name for attack in ATTACKS if attack.guards <= set(without)}
    assert got_through(place, monkeypatch, without) == expected


READER = """
import threading, time
def read():
    while True:
        try: found.append(open({path!r}, "rb").read())
        except OSError as error: found.append(error)
        time.sleep(0.01)
found = []
threading.Thread(target=read, daemon=True).start()
def deed(path):
    found.clear(); time.sleep(0.3); return found[-1]
from tests.security import attacks
attacks.DEEDS["read"] = deed
confined.main"""


def with_a_thread(place: Place, monkeypatch: pytest.MonkeyPatch, without: list[str]) -> list[object]:
    """Read the secret from a thread that was started before the kernel's guards."""
    things = [{"deed": "read", "arguments": [""]}]
    text = confined.bootstrap(without, things, str(ROOT))
    text = text.replace("confined.main", READER.format(path=str(place.lake / "secret")).strip())
    monkeypatch.setattr(sandbox, "BOOTSTRAP", text)
    with Sandbox(place.lake, limits=LIMITS).run("") as answer:
        return [said for _, said in answer.rows()]


def test_a_thread_started_before_the_guards_is_detected(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LogaggError, match="has started threads"):
        with_a_thread(place, monkeypatch, [])


def test_without_the_check_such_a_thread_reads_any_file(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    [said] = with_a_thread(place, monkeypatch, ["threads"])
    assert "the-secret-of-the-visitors" in str(said)


def test_the_environment_is_not_passed_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "hunter2")
    monkeypatch.setattr(sandbox, "BOOTSTRAP", passing("str(dict(os.environ))"))
    assert "hunter2" not in asked(place)
    monkeypatch.setattr(sandbox, "_environment", lambda: {"PASSWORD": "hunter2"})
    assert "hunter2" in asked(place)


def test_descriptors_are_not_passed_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "str([os.path.realpath(f'/proc/self/fd/{number}') for number in os.listdir('/proc/self/fd')])"
    monkeypatch.setattr(sandbox, "BOOTSTRAP", passing(text))
    with (place.lake / "secret").open() as file:
        os.set_inheritable(file.fileno(), True)
        assert str(place.lake / "secret") not in asked(place)
        monkeypatch.setattr("logagg.query.sandbox.subprocess.Popen", partial(subprocess.Popen, close_fds=False))
        assert str(place.lake / "secret") in asked(place)


def passing(expression: str) -> str:
    """Return a child that sends the value of an expression, evaluated before its guards."""
    return f"""import json, os, sys
asked = json.load(sys.stdin)
sys.path[:] = asked.pop("path")
from logagg.query import sandbox_child as child
output = child._take_output()
child._send(output, child.SCHEMA, b'["said"]')
child._send(output, child.BATCH, json.dumps([[{expression}]]).encode())
child._send(output, child.DONE, b"")"""


def asked(place: Place, limits: QueryLimits = LIMITS, *, arrow: bool = False) -> str:
    with Sandbox(place.lake, limits=limits).run("SELECT 1", arrow=arrow) as answer:
        return str(list(answer.batches() if arrow else answer.rows()))


SLOW = passing("__import__('time').sleep(2)")


def test_the_time_limit_ends_a_query_that_only_waits(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "BOOTSTRAP", SLOW)
    with pytest.raises(LimitReached, match="longer than 0.5 s"):
        asked(place, QueryLimits(seconds=0.5))
    monkeypatch.setattr(Answer, "_wait", lambda *_: None)
    assert asked(place, QueryLimits(seconds=0.5)) == "[[None]]"


ENDLESS = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3"


def test_the_processor_limit_ends_a_query_without_the_time_limit(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answer, "_wait", lambda *_: None)
    with (
        pytest.raises(LimitReached, match="longer than 0.1 s"),
        Sandbox(place.lake, limits=QueryLimits(seconds=0.1)).run(ENDLESS),
    ):
        pass


def test_the_parent_counts_rows(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> int:
        with Sandbox(place.lake, limits=QueryLimits(rows=10)).run("FROM range(20)") as answer:
            return len(list(answer.rows()))

    with pytest.raises(LimitReached, match="more than 10 rows"):
        run()
    monkeypatch.setattr(Answer, "_count", lambda *_: None)
    monkeypatch.setattr(Answer, "_allowed", lambda _, rows: rows)
    assert run() == 20


def test_a_child_cannot_make_the_parent_allocate(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sandbox, "BOOTSTRAP", "import os, struct, time; os.write(1, struct.pack('=cQ', b'S', 1 << 44)); time.sleep(60)"
    )
    with pytest.raises(LimitReached, match="needs more than"):
        asked(place)
    monkeypatch.setattr(Answer, "_check_length", lambda *_: None)
    with pytest.raises(MemoryError):
        asked(place)


TEXTS = pa.dictionary(pa.int8(), pa.string())


def forged() -> bytes:
    """Return a record batch with a code outside its dictionary."""
    column = pa.DictionaryArray.from_arrays(pa.array([99], pa.int8()), pa.array(["a"]), safe=False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.schema({"a": TEXTS})) as writer:
        writer.write_batch(pa.record_batch([column], names=["a"]))
    return sink.getvalue().to_pybytes()


def sending(*frames: tuple[bytes, bytes]) -> str:
    return f"""import os, struct
for kind, payload in {list(frames)!r}:
    os.write(1, struct.pack("=cQ", kind, len(payload)) + payload)"""


def test_the_bounds_of_columns_are_checked(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = pa.schema({"a": TEXTS}).serialize().to_pybytes()
    monkeypatch.setattr(sandbox, "BOOTSTRAP", sending((b"S", schema), (b"B", forged()), (b"D", b"")))
    with pytest.raises(QueryFailed, match="cannot be understood"):
        asked(place, arrow=True)
    monkeypatch.setattr(sandbox_frames, "_validate", lambda *_: None)
    with Sandbox(place.lake).run("SELECT 1", arrow=True) as answer:
        [batch] = answer.batches()
    with pytest.raises(pa.ArrowInvalid):
        batch.validate(full=True)


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [(b"S", b"no json")],
        [(b"X", b"[]")],
        [(b"F", b"{}")],
        [(b"F", b"[" * 100_000)],
        [(b"S", b'["a"]'), (b"B", b'[[{"time": "never"}]]'), (b"D", b"")],
        [(b"S", b'["a"]'), (b"B", b'[[{"other": 1}]]'), (b"D", b"")],
        [(b"S", b'["a"]'), (b"B", b"[[1, 2]]"), (b"D", b"")],
        [(b"S", b'["a"]'), (b"B", b"7"), (b"D", b"")],
        [(b"S", b"{}"), (b"D", b"")],
        [(b"S", b'["a"]')],
    ],
)
def test_invalid_output_of_a_child_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch, frames: list[tuple[bytes, bytes]]
) -> None:
    monkeypatch.setattr(sandbox, "BOOTSTRAP", sending(*frames))
    with pytest.raises(QueryFailed):
        asked(place)


PARENT = """import sys
from pathlib import Path
from logagg.query import sandbox, sandbox_frames
from tests.security import confined
if sys.argv[2:]:
    sandbox.BOOTSTRAP = confined.bootstrap(sys.argv[2:], (), {root!r})
with sandbox.Sandbox(Path(sys.argv[1])).run({query!r}) as answer:
    print(list(answer.rows()))"""


def child_of_killed(lake: Path, *without: str) -> Path:
    """Return the /proc entry of a query whose parent was killed while it computed."""
    program = PARENT.format(root=str(ROOT), query=ENDLESS)
    parent = subprocess.Popen([sys.executable, "-c", program, str(lake), *without], cwd=ROOT)
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    wait_until(lambda: bool(children.read_text().split()))
    child = Path("/proc", children.read_text().split()[0])
    wait_until(lambda: len(list((child / "task").iterdir())) > 1)  # past the guards
    parent.kill()
    parent.wait()
    return child


def lives(process: Path) -> bool:
    try:
        return (process / "stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    except OSError:
        return False


def test_a_query_ends_with_its_parent(place: Place) -> None:
    child = child_of_killed(place.lake)
    wait_until(lambda: not lives(child))


def test_without_the_guard_a_query_survives_its_parent(place: Place) -> None:
    child = child_of_killed(place.lake, "lifetime")
    time.sleep(0.5)
    assert lives(child)
    os.kill(int(child.name), signal.SIGKILL)
