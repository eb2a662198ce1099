"""A child process that works for its parent: what is exchanged, and what happens when one of the two dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from logagg.errors import CommitFailed
from logagg.parse_pool.child import BufferPool, Channel, Child
from tests.conftest import ROOT, wait_until

SIZE = 1 << 12
Ask = Callable[[Any], Any]


def work(ask: Ask, task: str, data: memoryview, *arguments: Any) -> Any:
    """The work of the child in these tests."""
    match task:
        case "repeat":
            return bytes(data) * arguments[0]
        case "array":
            return np.repeat(np.frombuffer(data, np.uint8), arguments[0])
        case "column":
            return pa.table(
                {"n": np.frombuffer(data, np.uint8), "word": pa.array([b"x"] * len(data)).dictionary_encode()}
            )
        case "ask":
            return [ask(number) for number in arguments]
        case "fail":
            raise CommitFailed("the disk is full", "make room")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError(task)


@pytest.fixture
def data() -> BufferPool:
    return BufferPool(2, SIZE)


@pytest.fixture
def results() -> BufferPool:
    return BufferPool(2, 2 * SIZE)


@pytest.fixture
def child(data: BufferPool, results: BufferPool) -> Iterator[Child]:
    child = Child(work, lambda: None, data, results, 1 << 30, channels=2)
    yield child
    child.close()


@pytest.fixture
def channel(child: Child) -> Channel:
    return child.channels[0]


@pytest.mark.parametrize("size", [0, 1, SIZE - 1, SIZE, SIZE + 1, 100 * SIZE])
@pytest.mark.parametrize("times", [0, 1, 50])
def test_bytes_of_any_size_are_sent_and_returned(channel: Channel, size: int, times: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert channel.call("repeat", data, times) == data * times
    assert channel.call("repeat", b"after", 2) == b"afterafter"


def test_a_buffer_is_free_again_when_its_last_view_is_gone(data: BufferPool) -> None:
    first, second = data.take(), data.take()
    assert len(first) == len(second) == SIZE and len(data.take()) == 0
    part = np.frombuffer(first[10:20], np.uint8)
    del first
    assert len(data.take()) == 0
    del part
    assert len(data.take()) == SIZE


def test_a_buffer_in_use_is_not_given_out_again(data: BufferPool) -> None:
    first, second = data.take(), data.take()
    first[:], second[:] = b"1" * SIZE, b"2" * SIZE
    assert bytes(first) == b"1" * SIZE


@pytest.mark.parametrize("size", [0, 1, SIZE - 7])
def test_data_in_a_buffer_are_not_copied(data: BufferPool, channel: Channel, size: int) -> None:
    for buffer in [data.take() for _ in range(2)]:
        buffer[7 : 7 + size] = b"y" * size
        assert isinstance(data.sent(buffer[7 : 7 + size]), slice)
        assert channel.call("repeat", buffer[7 : 7 + size].toreadonly(), 2) == b"y" * 2 * size


@pytest.mark.parametrize("size", [1, SIZE])
def test_a_result_keeps_its_buffer_while_it_is_referenced(channel: Channel, results: BufferPool, size: int) -> None:
    """If no buffer is free, or all are too small, the result is sent through the pipe."""
    found = [channel.call("array", b"%d" % number * size, 2) for number in range(4)]
    assert [bytes(one) for one in found] == [b"%d" % number * size * 2 for number in range(4)]
    assert [isinstance(results.sent(one.data), slice) for one in found] == [True, True, False, False]
    assert len(channel.call("array", b"", 1)) == 0
    del found[0]
    assert isinstance(results.sent(channel.call("array", b"x", 1).data), slice)


@pytest.mark.parametrize("rows", [0, 1, SIZE, 20 * SIZE])
def test_columns_outlive_the_next_call(channel: Channel, rows: int) -> None:
    first = channel.call("column", b"\1" * rows)
    second = channel.call("column", b"\2" * rows)
    assert first["n"].to_pylist() == [1] * rows and second["n"].to_pylist() == [2] * rows
    assert first["word"].to_pylist() == [b"x"] * rows


def test_the_child_can_ask_the_parent(channel: Channel) -> None:
    assert channel.call("ask", b"", 3, 4, ask=lambda number: number**2) == [9, 16]


def test_an_exception_of_a_request_is_raised_in_the_parent(channel: Channel) -> None:
    def refuse(number: int) -> None:
        raise CommitFailed(f"no {number}")

    with pytest.raises(CommitFailed, match="no 3"):
        channel.call("ask", b"", 3, ask=refuse)
    assert channel.call("ask", b"", 3, ask=abs) == [3]


def test_an_exception_of_the_work_is_raised_in_the_parent(channel: Channel) -> None:
    with pytest.raises(CommitFailed, match="the disk is full; make room"):
        channel.call("fail", b"")
    assert channel.call("repeat", b"on", 1) == b"on"


def test_each_seat_has_its_turn(child: Child) -> None:
    """A call on one channel waits until the call on the other is done, and neither gets the other's result."""
    first, second = child.channels
    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(first.call, "ask", b"", 1, ask=lambda number: (time.sleep(0.2), number)[1])
        assert [second.call("repeat", b"y", number) for number in range(3)] == [b"", b"y", b"yy"]
    assert asked.result() == [1]


def test_a_child_that_dies_is_noticed(child: Child, channel: Channel, data: BufferPool, results: BufferPool) -> None:
    buffer = data.take()
    buffer[:] = b"x" * SIZE
    with pytest.raises((EOFError, ConnectionError)):
        channel.call("die", buffer)
    assert child.end() == "signal 9"
    assert bytes(buffer) == b"x" * SIZE, "the data can be read here"
    buffers = [results.take() for _ in range(2)]
    assert [len(one) for one in buffers] == [2 * SIZE] * 2, "the buffer is free again"
    for one in child.channels:
        with pytest.raises((EOFError, ConnectionError)):
            one.call("repeat", b"x", 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_are_for_the_parent(child: Child, channel: Channel, number: int) -> None:
    assert channel.call("repeat", b"x", 1) == b"x"
    os.kill(child.pid, number)
    assert channel.call("repeat", b"x", 2) == b"xx"


@pytest.mark.slow
def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from logagg.parse_pool.child import Child, BufferPool; from tests.units.parse_pool.test_child import work\n"
        "family = []\n"
        "for _ in range(3): family.append(Child(work, lambda: None, BufferPool(1, 4096), BufferPool(1, 4096), 1 << 30, family))\n"
        "print(*(child.pid for child in family), flush=True)\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    family = list(map(int, parent.stdout.readline().split()))
    assert len(family) == 3
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not any(map(is_running, family)))


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
