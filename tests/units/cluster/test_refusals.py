"""Refused messages are counted individually, and reported once a minute."""

from __future__ import annotations

from logagg.clock import ManualClock
from logagg.cluster.refusals import EVERY, FORGED, REPLAYED, Refusals, reason_of
from logagg.errors import AuthError, OtherVersion, TooLarge, WireError
from logagg.metrics import MESSAGES_REFUSED


def test_a_flood_is_counted_and_reported_once_a_minute() -> None:
    clock, notices = ManualClock(), list[str]()
    refusals = Refusals(clock, lambda notice: notices.append(f"{notice.kind}: {notice.text}"))
    assert _age(refusals) is None
    for _ in range(1000):
        refusals.add(FORGED, "a forged message")
    clock.sleep(EVERY)
    refusals.add(REPLAYED, "a question again")
    assert notices == ["refused: a forged message", "refused: a question again (and 999 more since the last notice)"]
    assert (refusals.total, _age(refusals)) == (1001, 0)
    found = {number.labels: number.value for number in refusals.numbers(MESSAGES_REFUSED)}
    assert found[(FORGED,)] == 1000 and found[(REPLAYED,)] == 1 and found[("version",)] == 0


def _age(refusals: Refusals) -> int | None:
    """Return the current age; mypy takes an attribute for unchanged."""
    return refusals.age


def test_reasons() -> None:
    errors = [AuthError("x"), OtherVersion(1, 2), TooLarge("x"), WireError("x")]
    assert [reason_of(error) for error in errors] == ["forged", "version", "too_large", "unreadable"]
