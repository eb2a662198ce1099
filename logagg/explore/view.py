"""The view of a user: window, comparison, robots, filters, and how panels are sorted; and how each step changes it.

The page has the same in its address (`web/src/lib/url.js`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from logagg.explore.overview import SPLITS
from logagg.explore.panels import CHANGE, Order, Panel
from logagg.explore.scope import COMPARE, Scope
from logagg.explore.windows import Window
from logagg.query.reports import BOTS

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pill:
    """One value of a filter. An empty one stands for none."""

    dimension: str
    value: str
    excluded: bool = False

    @property
    def written(self) -> str:
        """The filter as a scope takes it."""
        return f"{self.dimension}:{self.value}"

    @property
    def opposite(self) -> Pill:
        return replace(self, excluded=not self.excluded)


@dataclass(frozen=True, slots=True)
class View:
    """All of it. Each step returns another view."""

    window: Window = Window()
    compare: str = "none"
    bots: str = "include"
    pills: tuple[Pill, ...] = ()
    zone: str = "UTC"
    where: str = ""  # a condition in SQL, which is checked
    split: str = SPLITS[0]
    sorts: Mapping[str, str] = field(default_factory=dict)  # by panel, where it is not the panel's own
    orders: Mapping[str, Order] = field(default_factory=dict)

    def scope(self, now: float) -> Scope:
        """Return the scope. Raises LogaggError."""
        return Scope.of(
            now,
            since=self.window.since,
            until=self.window.until,
            compare=self.compare,
            bots=self.bots,
            is_=[pill.written for pill in self.pills if not pill.excluded],
            is_not=[pill.written for pill in self.pills if pill.excluded],
            zone=self.zone,
            where=self.where,
        )

    @property
    def asked(self) -> tuple[Any, ...]:
        """The parts of the view on which every answer depends."""
        return self.window, self.compare, self.bots, frozenset(self.pills), self.zone, self.where

    def pick(self, dimension: str, value: str) -> View:
        """Only this value of its dimension; if it was so already, any value."""
        pill = Pill(dimension, value)
        chosen = [one for one in self.pills if one.dimension == dimension and not one.excluded]
        others = tuple(one for one in self.pills if one not in (*chosen, pill.opposite))
        return replace(self, pills=others if chosen == [pill] else (*others, pill))

    def also(self, dimension: str, value: str) -> View:
        """One more value of its dimension, or one less."""
        pill = Pill(dimension, value)
        return self.without(pill) if pill in self.pills else self._with(pill)

    def exclude(self, dimension: str, value: str) -> View:
        """Any value but this one."""
        return self._with(Pill(dimension, value, excluded=True))

    def flip(self, pill: Pill) -> View:
        """Turn "is" into "is not", and the reverse."""
        return self._with(pill.opposite)

    def without(self, pill: Pill) -> View:
        return replace(self, pills=tuple(one for one in self.pills if one != pill))

    def _with(self, pill: Pill) -> View:
        others = (one for one in self.pills if one not in (pill, pill.opposite))
        return replace(self, pills=(*others, pill))

    def unfiltered(self) -> View:
        return replace(self, pills=())

    def next_compare(self) -> View:
        return replace(self, compare=_next(COMPARE, self.compare))

    def next_bots(self) -> View:
        return replace(self, bots=_next(BOTS, self.bots))

    def sort_of(self, panel: Panel) -> tuple[str, Order]:
        """Return the measure and the order; a lake whose configuration changes may lose a measure."""
        sort = self.sorts.get(panel.name, "")
        known = sort in sorts_of(panel, compared=True)
        return sort if known else panel.measures[0], self.orders.get(panel.name, "desc")

    def sorted_by(self, panel: Panel, measure: str) -> View:
        """Sort a panel by a measure; if it was so already, in the other order."""
        current, order = self.sort_of(panel)
        turned: Order = "asc" if current == measure and order == "desc" else "desc"
        return replace(
            self,
            sorts=_with(self.sorts, panel.name, measure, panel.measures[0]),
            orders=_with(self.orders, panel.name, turned, "desc"),
        )

    def sorted_by_next(self, panel: Panel, direction: int) -> View:
        """Sort a panel by the measure after or before the present one."""
        measures = sorts_of(panel, compared=self.compare != "none")
        current = self.sort_of(panel)[0]
        place = measures.index(current) if current in measures else 0
        measure = measures[(place + direction) % len(measures)]
        return replace(self, sorts=_with(self.sorts, panel.name, measure, panel.measures[0]))


def sorts_of(panel: Panel, *, compared: bool) -> tuple[str, ...]:
    """Return what a panel may be sorted by."""
    return (*panel.measures, CHANGE) if compared else panel.measures


def _with(values: Mapping[str, T], name: str, value: T, default: T) -> Mapping[str, T]:
    """Return a mapping with one value changed, without it if it is the default."""
    return {key: one for key, one in {**values, name: value}.items() if key != name or value != default}


def _next(choices: Sequence[str], current: str) -> str:
    return choices[(choices.index(current) + 1) % len(choices)]
