"""The view of a user: window, comparison, robots, filters and the sorting of panels; and the steps that change it.

The page keeps the same in its address (`web/src/lib/url.js`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from logagg.explore.overview import SPLITS
from logagg.explore.panels import CHANGE, Order, Panel
from logagg.explore.scope import COMPARE, Scope
from logagg.explore.windows import Window
from logagg.lake_format import MODELS
from logagg.query.reports import BOTS

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pill:
    """One value of a filter. An empty value matches a missing one."""

    dimension: str
    value: str
    excluded: bool = False

    @property
    def written(self) -> str:
        """The filter as text, as a scope takes it."""
        return f"{self.dimension}:{self.value}"

    @property
    def opposite(self) -> Pill:
        return replace(self, excluded=not self.excluded)


@dataclass(frozen=True, slots=True)
class View:
    """A view. It is immutable: each step returns another view."""

    window: Window = Window()
    compare: str = "none"
    bots: str = "include"
    pills: tuple[Pill, ...] = ()
    zone: str = "UTC"
    where: str = ""  # an SQL condition, checked
    model: str = MODELS[0]  # of attribution
    split: str = SPLITS[0]
    sorts: Mapping[str, str] = field(default_factory=dict)  # by panel, unless it is the panel's default
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
            model=self.model,
        )

    @property
    def asked(self) -> tuple[Any, ...]:
        """The parts of the view on which every answer depends."""
        return self.window, self.compare, self.bots, frozenset(self.pills), self.zone, self.where, self.model

    def pick(self, dimension: str, value: str) -> View:
        """Allow only this value of its dimension; if that is the filter already, any value."""
        pill = Pill(dimension, value)
        chosen = [one for one in self.pills if one.dimension == dimension and not one.excluded]
        others = tuple(one for one in self.pills if one not in (*chosen, pill.opposite))
        return replace(self, pills=others if chosen == [pill] else (*others, pill))

    def also(self, dimension: str, value: str) -> View:
        """Add a value to the filter of its dimension, or remove it."""
        pill = Pill(dimension, value)
        return self.without(pill) if pill in self.pills else self._with(pill)

    def exclude(self, dimension: str, value: str) -> View:
        """Exclude this value."""
        return self._with(Pill(dimension, value, excluded=True))

    def flip(self, pill: Pill) -> View:
        """Negate a filter: "is" becomes "is not", and the reverse."""
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

    def next_model(self) -> View:
        return replace(self, model=_next(MODELS, self.model))

    def sort_of(self, panel: Panel) -> tuple[str, Order]:
        """Return the measure and the order; the panel's default if the lake no longer has the chosen measure."""
        sort = self.sorts.get(panel.name, "")
        known = sort in sorts_of(panel, compared=True)
        return sort if known else panel.measures[0], self.orders.get(panel.name, "desc")

    def sorted_by(self, panel: Panel, measure: str) -> View:
        """Sort a panel by a measure; if it is sorted by it already, reverse the order."""
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
    """Return the measures by which a panel can be sorted."""
    return (*panel.measures, CHANGE) if compared else panel.measures


def _with(values: Mapping[str, T], name: str, value: T, default: T) -> Mapping[str, T]:
    """Return a mapping with one value changed; a value that is the default is removed."""
    return {key: one for key, one in {**values, name: value}.items() if key != name or value != default}


def _next(choices: Sequence[str], current: str) -> str:
    return choices[(choices.index(current) + 1) % len(choices)]
