"""Errors of reading in the last looks."""

from __future__ import annotations

from logagg.intake.read_errors import ReadErrors


def test_an_error_lasts_while_each_look_meets_it() -> None:
    errors = ReadErrors()
    for _ in range(3):
        errors.begin_look()
        assert errors.now() == {} or errors.now() == {"a.log": "Permission denied"}, (
            "not over before the look has reached it"
        )
        errors.failed("a.log", "Permission denied")
        assert errors.now() == {"a.log": "Permission denied"}
    errors.begin_look()
    assert errors.now() == {"a.log": "Permission denied"}
    errors.begin_look()
    assert errors.now() == {}


def test_a_directory_is_covered_by_a_file_in_it() -> None:
    errors = ReadErrors()
    errors.begin_look()
    errors.failed("logs/a.log", "Permission denied")
    assert errors.within("logs") and not errors.within("log") and not errors.within("")
    errors.begin_look()
    assert not errors.within("logs"), "not yet, in this look"


def test_the_newest_reason_is_kept() -> None:
    errors = ReadErrors()
    errors.begin_look()
    errors.failed("a.log", "Permission denied")
    errors.failed("b.log", "Input/output error")
    errors.failed("a.log", "Input/output error")
    assert errors.now() == {"a.log": "Input/output error", "b.log": "Input/output error"}
