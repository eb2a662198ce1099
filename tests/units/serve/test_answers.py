"""Answers are computed once for all who ask the same, and not to the end when all of them have left."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from logagg.errors import LimitReached
from logagg.explore.snapshots import Left
from logagg.serve.answers import Answers


def test_one_computation_for_all() -> None:
    answers, asked, go = Answers(), threading.Event(), threading.Event()

    def compute(left: Left) -> bytes:
        asked.set()
        go.wait(10)
        return b"x"

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(answers.get, "key", compute, Left())
        asked.wait(10)
        others = [pool.submit(answers.get, "key", compute, Left()) for _ in range(2)]
        go.set()
        assert [one.result() for one in (first, *others)] == [b"x"] * 3
    assert answers.get("key", compute, Left()) == b"x"
    assert (answers.computed, answers.reused) == (1, 3)


def test_it_ends_when_all_have_left() -> None:
    answers, asked, ends = Answers(), threading.Event(), threading.Event()

    def compute(left: Left) -> bytes:
        left.add_done_callback(lambda _: ends.set())
        asked.set()
        assert ends.wait(10)
        raise LimitReached("no client waits")

    one, other = Left(), Left()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(answers.get, "key", compute, one)
        asked.wait(10)
        second = pool.submit(answers.get, "key", compute, other)
        while answers.reused < 1:
            pass
        one.set_result(None)
        assert not ends.wait(0.05), "the other one still waits"
        other.set_result(None)
        for running in (first, second):
            with pytest.raises(LimitReached):
                running.result()
    assert answers.get("key", lambda left: b"anew", Left()) == b"anew"
