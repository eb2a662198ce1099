"""The state machine of an alert."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from logagg.alert.rules import Alert
from logagg.alert.states import MOST, MOST_RESOLVED, Instance, Reading, advanced, fingerprint
from logagg.config.alerts import Least

RATIO = Alert("errors", "SELECT", above=0.05, clear=0.02, message="{site}: {value:.1%} of {n}", to=("ops",))
T = 1_772_400_000


def row(value: float | None, site: str = "a", **numbers: float) -> Reading:
    return Reading({"site": site}, value, numbers)


def states(alert: Alert, *answers: Sequence[Reading], every: int = 60) -> list[str]:
    """Return the state of the instance `a` after each answer; "" where there is none."""
    instances: dict[str, Instance] = {}
    found = list[str]()
    for number, answer in enumerate(answers):
        instances = advanced(alert, instances, answer, T + number * every)
        one = instances.get(fingerprint(alert.name, {"site": "a"}))
        found.append(one.state if one else "")
    return found


def of(alert: Alert, **changes: object) -> Alert:
    from dataclasses import replace

    return replace(alert, **changes)  # type: ignore[arg-type]


def test_it_fires_and_is_resolved() -> None:
    assert states(RATIO, [row(0.01)], [row(0.1)], [row(0.1)], [row(0.01)]) == ["", "firing", "firing", "resolved"]


def test_a_limit_itself_is_no_breach() -> None:
    assert states(RATIO, [row(0.05)]) == [""]
    assert states(of(RATIO, above=None, below=5.0, clear=None), [row(5.0)], [row(4.9)]) == ["", "firing"]


def test_what_fires_goes_on_until_it_is_back() -> None:
    assert states(RATIO, [row(0.1)], [row(0.03)], [row(0.02)]) == ["firing", "firing", "resolved"]
    below = of(RATIO, above=None, below=5.0, clear=8.0)
    assert states(below, [row(4)], [row(7)], [row(8)]) == ["firing", "firing", "resolved"]


def test_it_is_pending_for_a_while() -> None:
    slow = of(RATIO, hold=120)
    assert states(slow, [row(1)], [row(1)], [row(1)]) == ["pending", "pending", "firing"]
    assert states(slow, [row(1)], [row(0)], [row(1)], [row(1)]) == ["pending", "", "pending", "pending"]


def test_a_moment_of_calm_does_not_resolve_it() -> None:
    slow = of(RATIO, keep=120)
    assert states(slow, [row(1)], [row(0)], [row(1)], [row(0)], [row(0)], [row(0)]) == [
        *["firing"] * 5,
        "resolved",
    ]


def test_a_row_without_enough_is_not_judged() -> None:
    least = of(RATIO, least=Least("n", 100))
    assert states(least, [row(1, n=99)], [row(1, n=100)], [row(1, n=5)]) == ["", "firing", "resolved"]
    assert states(of(least, no_data="keep"), [row(1, n=100)], [row(1, n=5)], []) == ["firing"] * 3


def test_each_row_is_judged_by_itself() -> None:
    after = advanced(RATIO, {}, [row(1, "a"), row(0, "b"), row(1, "c")], T)
    assert sorted(one.labels["site"] for one in after.values()) == ["a", "c"]


def test_without_limits_each_row_fires() -> None:
    assert states(of(RATIO, above=None, clear=None), [row(None)], []) == ["firing", "resolved"]


def test_an_answer_without_rows() -> None:
    assert states(RATIO, [row(1)], []) == ["firing", "resolved"]
    assert states(of(RATIO, no_data="keep"), [row(1)], []) == ["firing", "firing"]
    alarmed = of(RATIO, no_data="alert")
    assert states(alarmed, [row(1)], []) == ["firing", "firing"]
    [nothing] = advanced(alarmed, {}, [], T).values()
    assert (nothing.state, nothing.labels, nothing.message) == ("firing", {"no_data": "yes"}, "no data")
    again = advanced(alarmed, advanced(alarmed, {}, [], T), [row(0)], T + 60)
    assert [one.state for one in again.values()] == ["resolved"]


def test_what_is_resolved_can_fire_again_and_is_forgotten_after_a_day() -> None:
    assert states(RATIO, [row(1)], [row(0)], [row(1)]) == ["firing", "resolved", "firing"]
    assert states(RATIO, [row(1)], [row(0)], [row(0)], every=86_400) == ["firing", "resolved", ""]


def test_clients_cannot_make_it_remember_more_and_the_worst_are_watched() -> None:
    flood = [row(1 + number, f"s{number}") for number in range(MOST + 50)]
    after = advanced(RATIO, {}, flood, T)
    assert len(after) == MOST
    assert min(one.value or 0 for one in after.values()) == 51
    assert advanced(RATIO, {}, flood[::-1], T) == after


def test_what_is_resolved_takes_no_room() -> None:
    after = advanced(RATIO, {}, [row(1, f"s{number}") for number in range(MOST)], T)
    after = advanced(RATIO, after, [row(0, f"s{number}") for number in range(MOST)], T + 60)
    assert {one.state for one in after.values()} == {"resolved"}
    assert len(after) == MOST  # those are to be told
    after = advanced(RATIO, after, [row(1, "real")], T + 120)
    assert [one.labels["site"] for one in after.values() if one.state == "firing"] == ["real"]
    assert len(after) == MOST_RESOLVED + 1


def test_of_rows_with_the_same_labels_the_worst_counts() -> None:
    for answer in ([row(0), row(0.5), row(None)], [row(0.5), row(None), row(0)]):
        assert [one.value for one in advanced(RATIO, {}, answer, T).values()] == [0.5]


def test_the_message_is_that_of_the_newest_row() -> None:
    after = advanced(RATIO, {}, [row(0.5, n=1200)], T)
    assert [one.message for one in after.values()] == ["a: 50.0% of 1,200"]


rows = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from([0.0, 0.03, 0.5])), max_size=2, unique_by=lambda one: one[0]
)


@given(st.lists(rows, max_size=12), st.integers(0, 3), st.integers(0, 3), st.sampled_from(["ok", "keep", "alert"]))
def test_any_answers(answers: list[list[tuple[str, float]]], hold: int, keep: int, no_data: str) -> None:
    """It fires only after `for` of breaches in a row, and is resolved only after it was calm for `keep`."""
    alert = of(RATIO, hold=60 * hold, keep=60 * keep, no_data=no_data)
    instances: dict[str, Instance] = {}
    for number, answer in enumerate(answers):
        moment = T + 60 * number
        before, instances = instances, advanced(alert, instances, [row(value, site) for site, value in answer], moment)
        for key, one in instances.items():
            old = before.get(key)
            if one.state == "firing" and (old is None or old.state != "firing"):
                assert one.fired == moment >= one.since + alert.hold
            if one.state == "resolved" and old is not None and old.state == "firing":
                assert one.ended == moment >= one.calm + alert.keep
            if old is not None and old.state == "firing":
                assert one.state in ("firing", "resolved")
                assert one.fired == old.fired
        assert all(key in instances for key, one in before.items() if one.state == "firing")
