"""States and notifications on the disk."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from logagg.alert import store
from logagg.alert.messages import ListedAlert, Notification
from logagg.alert.states import Instance
from logagg.alert.store import AlertRecord, AlertsState, AlertStore, Silence
from logagg.errors import CommitFailed, LakeError

T = 1_772_400_000
LABELS = {"alertname": "errors", "severity": "page", "site": "a"}
TOLD = ListedAlert("0" * 16, "firing", LABELS, "a: 5%", 0.05, T, 0)
SENT = Notification("k1", "ops", "errors", T, 1.5, "change", {"alertname": "errors"}, [TOLD])
FIRING = Instance({"site": "ä\u2028"}, "firing", T - 60, T, value=0.05, message="a: 5%", told={"ops": T})


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    kept = AlertStore(tmp_path)
    record = AlertRecord(T, True, "", {"f": FIRING}, {T: {"access.log": (10, 1)}})
    kept.state = AlertsState({"errors": record}, [SENT], float(T))
    kept.commit()
    assert AlertStore(tmp_path).state == kept.state


def test_nothing_is_there_at_first(tmp_path: Path) -> None:
    assert store.read(tmp_path) == AlertsState()
    assert store.silences(tmp_path) == []


@pytest.mark.parametrize(
    "harm", [lambda data: data[:-3], lambda data: data.replace(b"firing", b"fixing"), lambda data: b""]
)
def test_damage_is_told(tmp_path: Path, harm: object) -> None:
    kept = AlertStore(tmp_path)
    kept.state.waiting.append(SENT)
    kept.commit()
    path = tmp_path / "alerts/state.json"
    path.write_bytes(harm(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(LakeError, match="is not as it was written; delete it"):
        AlertStore(tmp_path)


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "alerts").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CommitFailed, match="symbolic link"):
        AlertStore(tmp_path).commit()


def test_a_closed_store_writes_nothing(tmp_path: Path) -> None:
    """Another process may have the lease by then."""
    first = AlertStore(tmp_path)
    first.close()
    second = AlertStore(tmp_path)
    second.state.waiting.append(SENT)
    second.commit()
    first.commit()
    assert store.read(tmp_path).waiting == [SENT]


def test_a_repetition_waits_once() -> None:
    state, again = AlertsState(), replace(SENT, id="k2", why="repeat")
    state.add(SENT)
    state.add(again)
    assert state.waiting == [SENT]  # the receiver is told when it can be
    state.waiting.clear()
    state.add(again)
    state.add(replace(again, id="k3"))
    state.add(replace(again, id="k4", group={"alertname": "slow"}))
    assert [one.id for one in state.waiting] == ["k2", "k4"]


def test_there_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_WAITING", 2)
    state = AlertsState()
    assert [state.add(replace(SENT, id=str(n))) for n in range(4)] == [False, False, True, True]
    assert [one.id for one in state.waiting] == ["2", "3"]
    state.add(replace(SENT, id="4", alert="slow", group={}))  # the one that says most is cut, not the others
    assert [one.id for one in state.waiting] == ["3", "4"]


def test_silences(tmp_path: Path) -> None:
    one = Silence("a1", "errors", {"site": "a"}, T, T + 60, "deploy", "me")
    store.silence(tmp_path, one)
    assert store.silences(tmp_path) == [one]
    assert one.holds("errors", {"site": "a", "path": "/"}, T)
    assert not one.holds("errors", {"site": "b"}, T)
    assert not one.holds("errors", {}, T)
    assert not one.holds("slow", {"site": "a"}, T)
    assert not one.holds("errors", {"site": "a"}, T - 1)
    assert not one.holds("errors", {"site": "a"}, T + 60)
    assert not store.end_silence(tmp_path, "../state")
    assert store.end_silence(tmp_path, "a1")
    assert store.silences(tmp_path) == []


def test_odd_files_say_nothing(tmp_path: Path) -> None:
    store.silence(tmp_path, Silence("a1", "errors", {}, T, T + 60))
    for name, content in {"b": "[]", "c": "{", "d": json.dumps({"id": 1})}.items():
        (tmp_path / f"alerts/silences/{name}.json").write_text(content)
    assert [one.id for one in store.silences(tmp_path)] == ["a1"]


def test_what_is_over_is_deleted(tmp_path: Path) -> None:
    store.silence(tmp_path, Silence("a1", "errors", {}, T, T + 60))
    store.acknowledge(tmp_path, "f", T, "me")
    store.acknowledge(tmp_path, "g", T, "me")
    state = AlertsState({"errors": AlertRecord(instances={"f": FIRING})})
    store.forget_past(tmp_path, state, T + 3_600)
    assert store.acknowledged(tmp_path) == {("f", T)}
    assert [one.id for one in store.silences(tmp_path)] == ["a1"]
    store.forget_past(tmp_path, state, T + 90_000)
    assert store.silences(tmp_path) == []
