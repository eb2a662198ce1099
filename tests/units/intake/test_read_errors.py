"""Errors of reading, as the last looks met them."""

from __future__ import annotations

from logagg.intake.read_errors import ReadErrors


def test_an_error_holds_while_each_look_meets_it() -> None:
    errors = ReadErrors()
    for _ in range(3):
        errors.look()
        assert errors.now() == {} or errors.now() == {"a.log": "Permission denied"}, "not over before the look has come to it"
        errors.failed("a.log", "Permission denied; trying again")
        assert errors.now() == {"a.log": "Permission denied"}
    errors.look()
    assert errors.now() == {"a.log": "Permission denied"}
    errors.look()
    assert errors.now() == {}


def test_the_newest_reason_counts() -> None:
    errors = ReadErrors()
    errors.look()
    errors.failed("a.log", "Permission denied; trying again")
    errors.failed("b.log", "Input/output error")
    errors.failed("a.log", "Input/output error; trying again")
    assert errors.now() == {"a.log": "Input/output error", "b.log": "Input/output error"}
